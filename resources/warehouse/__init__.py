"""The warehouse: the protocol `Warehouse`, the schema of the tables that Python owns, DuckDB and Snowflake."""
