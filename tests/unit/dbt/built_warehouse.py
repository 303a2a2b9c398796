"""A warehouse that the real dbt project was built in, to read the results from.

Belongs here: reading. Does not belong here: running dbt (conftest.py) and expectations.
"""

import subprocess
from pathlib import Path

import duckdb
import pandas as pd

from tests.unit.dbt.random_chain import Chain


class BuiltWarehouse:
    """A warehouse after `dbt build`. No connection stays open between two reads."""

    def __init__(self, path: Path, chain: Chain, build: "subprocess.CompletedProcess[str]") -> None:
        self.path, self.chain, self.build = path, chain, build

    def read(self, query: str) -> pd.DataFrame:
        """The rows of a query, every value as the Python object that DuckDB gives and NULL as None."""
        with duckdb.connect(str(self.path), read_only=True) as connection:
            cursor = connection.execute(query)
            columns = [column[0] for column in cursor.description]
            return pd.DataFrame(cursor.fetchall(), columns=columns, dtype=object)
