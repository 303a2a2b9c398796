"""dbt on DuckDB files of the tests' own."""

import shutil
from collections.abc import Callable, Iterator

import pytest

from tests.unit.dbt.built_warehouse import BuiltWarehouse
from tests.unit.dbt.dbt_process import DbtProcess
from tests.unit.dbt.random_chain import Chain


@pytest.fixture(scope="session")
def dbt(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DbtProcess]:
    """One for all tests of a worker: it parses the project once. Each test brings a warehouse of its own into its place."""
    folder = tmp_path_factory.mktemp("dbt")
    with DbtProcess(folder / "warehouse.duckdb", folder) as process:
        yield process


@pytest.fixture(scope="session")
def build_warehouse(tmp_path_factory: pytest.TempPathFactory, dbt: DbtProcess) -> Callable[..., BuiltWarehouse]:
    """A function that writes a chain's raw tables, runs `dbt build` with the given arguments and returns the result."""

    def build(chain: Chain, *arguments: str) -> BuiltWarehouse:
        dbt.warehouse.unlink(missing_ok=True)
        chain.write(dbt.warehouse)
        failed = dbt.failures("build", "--quiet", *arguments)
        own = tmp_path_factory.mktemp("warehouse") / "warehouse.duckdb"
        shutil.move(dbt.warehouse, own)
        return BuiltWarehouse(own, chain, failed)

    return build
