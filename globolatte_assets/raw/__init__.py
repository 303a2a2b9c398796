"""The stage `raw`: the data loaded by `globolatte_ingest` and from the `holidays` library, as assets and checks.

Adapters and metadata belong here. Loading files does not (`globolatte_ingest`), nor the business meaning of rows, which starts in dbt.
"""
