"""The stage `raw`: what `globolatte_ingest` and the `holidays` library bring in, as assets and checks.

Adapters and metadata belong here. Taking files in does not (`globolatte_ingest`), nor what rows mean for the business: that starts in dbt.
"""
