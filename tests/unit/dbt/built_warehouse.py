"""A warehouse that the real dbt project was built in, to read the results from."""

from pathlib import Path

import duckdb
import pandas as pd

from tests.unit.dbt.random_chain import Chain


class BuiltWarehouse:
    """A warehouse after `dbt build`; `failed`: its models and tests without success. No connection stays open between two reads."""

    def __init__(self, path: Path, chain: Chain, failed: set[str]) -> None:
        self.path, self.chain, self.failed = path, chain, failed

    def read(self, query: str) -> pd.DataFrame:
        """The rows of a query, every value as the Python object that DuckDB gives and NULL as None."""
        with duckdb.connect(str(self.path), read_only=True) as connection:
            cursor = connection.execute(query)
            columns = [column[0] for column in cursor.description]
            return pd.DataFrame(cursor.fetchall(), columns=columns, dtype=object)
