"""Builders for tests on the emulator of Snowflake. What they build executes on the emulator; it is not verified on Snowflake."""

import os

from resources.settings.choices import SnowflakeAuthentication
from resources.warehouse.snowflake import SnowflakeWarehouse
from resources.warehouse.snowflake_account import PASSWORD_VARIABLE
from resources.warehouse.tables import owned_tables
from tests.emulators.fakesnow_server import FakeSnowflake

PASSWORD = "only-the-emulator-takes-it"


def emulated_warehouse(server: FakeSnowflake, **more: object) -> SnowflakeWarehouse:
    """An empty warehouse in a database of its own, unless one is named. The emulator answers at once or not at all."""
    os.environ[PASSWORD_VARIABLE] = PASSWORD
    return SnowflakeWarehouse(
        **{
            "account": "emulator",
            "user": "globolatte",
            "database": server.new_database(),
            "compute": "GLOBO_LATTE_WH",
            "authentication": SnowflakeAuthentication.PASSWORD,
            "host": "127.0.0.1",
            "port": server.port,
            "protocol": "http",
            "network_seconds": 5,
            **more,
        }
    )


def emptied(warehouse: SnowflakeWarehouse) -> SnowflakeWarehouse:
    """The warehouse without a row in the tables that Python owns: making them anew takes longer than most tests."""
    with warehouse.transaction() as transaction:
        counts = " union all ".join(f"select '{table}' as name, count(*) as n from {table}" for table in owned_tables())
        for name in transaction.fetch(f"select name from ({counts}) where n > 0")["name"].to_pylist():
            transaction.execute(f"delete from {name}")
    return warehouse


def of_this_worker(database: str) -> str:
    """A database that tests of one file use one after the other: those that run at once in other workers have theirs."""
    return f"{database}_{os.environ.get('PYTEST_XDIST_WORKER', 'alone').upper()}"


def emulator_settings(server: FakeSnowflake, **more: object) -> dict[str, object]:
    """What `Settings` has to say for a deployment on the emulator, in a database of its own."""
    os.environ[PASSWORD_VARIABLE] = PASSWORD
    return {
        "warehouse": "snowflake",
        "snowflake_account": "emulator",
        "snowflake_user": "globolatte",
        "snowflake_database": server.new_database(),
        "snowflake_authentication": "password",
        "snowflake_host": "127.0.0.1",
        "snowflake_port": server.port,
        "snowflake_protocol": "http",
        "snowflake_network_seconds": 20,
        **more,
    }
