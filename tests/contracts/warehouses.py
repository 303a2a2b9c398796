"""The implementations of `Warehouse` that contracts are tried on, each empty."""

from pathlib import Path

import pytest

from resources.warehouse.warehouse import Warehouse
from tests.builders import warehouse_in
from tests.snowflake_builders import emptied, emulated_warehouse, of_this_worker


def duckdb_file(request: pytest.FixtureRequest, folder: Path) -> Warehouse:
    return warehouse_in(folder)


def snowflake_emulator(request: pytest.FixtureRequest, folder: Path) -> Warehouse:
    return emptied(emulated_warehouse(request.getfixturevalue("fakesnow"), database=of_this_worker("CONTRACT")))


WAREHOUSES = [duckdb_file, snowflake_emulator]
