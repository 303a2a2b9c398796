"""The ingestion engine: it loads the rows of each landed file into the warehouse exactly once and records each file's status in the ledger.

Reading files, validating rows, the load ledger, corrections and retractions, and which files are not loaded yet. It reaches the
landing zone and the warehouse through the protocols of `resources` and does not depend on Dagster: `sensors` start loads,
`globolatte_assets` report them.
"""
