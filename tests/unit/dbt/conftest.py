"""Runs the real dbt project on a DuckDB file of the test's own.

Belongs here: building a warehouse. Does not belong here: its rows (random_chain.py), reading it (built_warehouse.py).
"""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.dbt.built_warehouse import BuiltWarehouse
from tests.unit.dbt.random_chain import Chain

REPOSITORY = Path(__file__).parents[3]
PROJECT = REPOSITORY / "dbt_project"
DBT = "from dbt.cli.main import cli; cli()"


@pytest.fixture(scope="session")
def build_warehouse(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., BuiltWarehouse]:
    """A function that writes a chain's raw tables, runs `dbt build` with the given arguments and returns the result.

    The target folder is shared, so that only the first build parses the project; it and the logs lie outside the
    repository.
    """
    shared = tmp_path_factory.mktemp("dbt")

    def build(chain: Chain, *arguments: str) -> BuiltWarehouse:
        path = tmp_path_factory.mktemp("warehouse") / "warehouse.duckdb"
        chain.write(path)
        environment = os.environ | {
            "GLOBOLATTE_WAREHOUSE": "duckdb",
            "GLOBOLATTE_DUCKDB_PATH": str(path),
            "DBT_TARGET_PATH": str(shared / "target"),
            "DBT_LOG_PATH": str(shared / "logs"),
            "DBT_USE_COLORS": "false",
        }
        command = [sys.executable, "-c", DBT, "build", "--project-dir", str(PROJECT), "--profiles-dir", str(PROJECT)]
        result = subprocess.run(
            [*command, *arguments],
            env=environment,
            cwd=path.parent,
            capture_output=True,
            text=True,
            timeout=800,
            check=False,
        )
        return BuiltWarehouse(path, chain, result)

    return build
