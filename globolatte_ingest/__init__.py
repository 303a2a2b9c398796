"""The ingestion engine: landed files become rows of the warehouse, exactly once, and the ledger says what became of each.

Reading files, validating rows, the load ledger, corrections and retractions, and which files are not loaded yet. It reaches the
landing zone and the warehouse through the protocols of `resources` and knows no Dagster: what starts a load is `sensors`, what
reports it `globolatte_assets`.
"""
