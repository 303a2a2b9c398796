"""A real Snowflake account: what no emulator can show. Skipped where no account is named.

Set `GLOBOLATTE_LIVE_SNOWFLAKE_ACCOUNT`, `GLOBOLATTE_LIVE_SNOWFLAKE_USER` and `GLOBOLATTE_LIVE_SNOWFLAKE_DATABASE` (one that tests may fill
and empty), `GLOBOLATTE_LIVE_SNOWFLAKE_AUTHENTICATION` (key, password or oauth; default key) and the secret as docs/snowflake.md names
it, with `LIVE_` before `SNOWFLAKE`: `GLOBOLATTE_LIVE_SNOWFLAKE_PRIVATE_KEY`, …`_PASSWORD`, …`_TOKEN`. Role and warehouse are the user's
defaults unless `GLOBOLATTE_LIVE_SNOWFLAKE_ROLE` and …`_WAREHOUSE` name others.
"""

import datetime as dt
import os
from pathlib import Path

import pyarrow as pa
import pytest

from globolatte_ingest.ledger import Ledger
from resources.settings.choices import SnowflakeAuthentication
from resources.warehouse.snowflake import SnowflakeWarehouse
from resources.warehouse.warehouse import WarehouseUnusableError
from tests.builders import (
    csv,
    deliver,
    landing_in,
    ledger,
    line,
    load,
    put_reference_data,
    quarantine,
    sales,
    sales_path,
)
from tests.snowflake_builders import emptied

LIVE = "GLOBOLATTE_LIVE_SNOWFLAKE_"
SAID = {name.removeprefix(LIVE): value for name, value in os.environ.items() if name.startswith(LIVE)}

pytestmark = pytest.mark.skipif(
    not {"ACCOUNT", "USER", "DATABASE"} <= SAID.keys(),
    reason=f"no Snowflake account is named: set {LIVE}ACCOUNT, {LIVE}USER and {LIVE}DATABASE",
)

A, B = sales_path("a.csv"), sales_path("b.csv")


def live_warehouse(**more: object) -> SnowflakeWarehouse:
    for name in ("PASSWORD", "PRIVATE_KEY", "PRIVATE_KEY_PASSPHRASE", "TOKEN"):
        if name in SAID:
            os.environ[f"GLOBOLATTE_SNOWFLAKE_{name}"] = SAID[name]
    return SnowflakeWarehouse(
        **{
            "account": SAID["ACCOUNT"],
            "user": SAID["USER"],
            "database": SAID["DATABASE"],
            "compute": SAID.get("WAREHOUSE", "GLOBO_LATTE_WH"),
            "role": SAID.get("ROLE"),
            "authentication": SnowflakeAuthentication(SAID.get("AUTHENTICATION", "key")),
            **more,
        }
    )


@pytest.fixture
def warehouse() -> SnowflakeWarehouse:
    made = emptied(live_warehouse())
    put_reference_data(made)
    return made


def test_loads_corrections_and_duplicates_end_in_the_same_rows_as_on_duckdb(
    warehouse: SnowflakeWarehouse, closed_warehouse, tmp_path: Path
) -> None:
    landing = landing_in(tmp_path)
    files = [
        deliver(landing, A, csv(line(1), line(2), line(3, quantity="x"), line(1), line(4, total_price="1.250"))),
        deliver(landing, B, csv(line(2), line(5, transaction_date="2022-01-31 08:15"), line(6, weather="rainy"))),
    ]
    for each in (warehouse, closed_warehouse):
        load(each, landing, *files)
    corrected = deliver(landing, A, csv(line(2), line(7)))
    what = "path, row_number, transaction_id, quantity, total_price, transaction_date, weather"
    for each in (warehouse, closed_warehouse):
        load(each, landing, corrected)
        with each.transaction() as transaction:
            assert Ledger(transaction).unbalanced_files() == []
    assert sales(warehouse, what) == sales(closed_warehouse, what)
    assert quarantine(warehouse) == quarantine(closed_warehouse)
    counts = "path, status, rows_loaded, rows_quarantined"
    assert ledger(warehouse, counts) == ledger(closed_warehouse, counts)


def test_what_is_rolled_back_is_not_there(warehouse: SnowflakeWarehouse) -> None:
    """The laws stand on this: nothing that a transaction runs commits it."""
    rows = pa.table({"country": ["USA"], "date": [dt.date(2022, 1, 1)], "name": ["New Year"]})

    def write_and_fail() -> None:
        with warehouse.transaction() as transaction:
            transaction.scratch("found", "country varchar")
            transaction.stage("staged", rows.slice(0, 0))
            transaction.execute("insert into sales_data.holidays values ('USA', '2022-01-02', 'before')")
            transaction.stage("staged", rows)
            transaction.fill("found", "select country from staged")
            transaction.execute("insert into sales_data.holidays select country, date, name from staged")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    assert warehouse.read("sales_data.holidays").num_rows == 0


def test_declared_date_formats_are_read_as_on_duckdb(warehouse: SnowflakeWarehouse, closed_warehouse) -> None:
    texts = pa.table({"text": ["31/01/2022 08:15", "1/2/2022 8:05", "32/01/2022 08:15", "31/01/22 08:15", "x"]})
    found = []
    for each in (warehouse, closed_warehouse):
        with each.transaction() as transaction:
            transaction.stage("texts", texts)
            at = transaction.dialect.moment("text", "%d/%m/%Y %H:%M")
            found.append(transaction.fetch(f"select text, {at} as at from texts order by text").to_pylist())
    assert found[0] == found[1]


def test_the_same_rows_are_unloaded_to_the_same_bytes(warehouse: SnowflakeWarehouse, tmp_path: Path) -> None:
    for name in ("one", "two"):
        warehouse.unload("sales_data.products", tmp_path / name, ["product_id"])
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.skipif(
    "STAGE" not in SAID, reason=f"no stage to unload into is named: set {LIVE}STAGE, such as ml.snapshots"
)
def test_a_table_is_unloaded_into_a_stage(warehouse: SnowflakeWarehouse) -> None:
    place = f"{SAID['STAGE']}/live_test/products.parquet"
    warehouse.unload_to_stage("sales_data.products", place, ["product_id"])
    with warehouse.connected() as connection:
        assert connection.cursor().execute(f"list @{place}").fetchall()


def test_a_fingerprint_is_of_the_rows_in_whatever_order(warehouse: SnowflakeWarehouse) -> None:
    rows = [{"country": "USA", "date": dt.date(2022, 1, day), "name": "x"} for day in (1, 2, 2)]
    told = []
    for some in (rows, rows[::-1], rows[:2]):
        warehouse.replace("sales_data.holidays", pa.Table.from_pylist(some))
        told.append(warehouse.fingerprint("sales_data.holidays"))
    assert told[0] == told[1] != told[2]


def test_dbt_s_query_tag_can_be_set(warehouse: SnowflakeWarehouse) -> None:
    tag = '{"app": "globolatte", "run_id": "live", "assets": ["marts/fct_orders"]}'
    with warehouse.connected() as connection:
        cursor = connection.cursor()
        cursor.execute(f"alter session set query_tag = '{tag}'")
        assert tag in str(cursor.execute("show parameters like 'query_tag' in session").fetchall())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"user": "nobody_of_that_name"}, "refused who we say we are"),
        ({"role": "NO_ROLE_OF_THAT_NAME"}, "does not give us the role"),
        ({"compute": "NO_WAREHOUSE_OF_THAT_NAME"}, "no virtual warehouse at work"),
    ],
)
def test_refusals_come_in_plain_words(warehouse: SnowflakeWarehouse, wrong: dict[str, object], message: str) -> None:
    with pytest.raises(WarehouseUnusableError, match=message):
        live_warehouse(**wrong).read("sales_data.products")


def test_the_query_history_knows_our_statements(warehouse: SnowflakeWarehouse) -> None:
    with warehouse.connected() as connection:
        tags = connection.cursor().execute(
            "select distinct query_tag from table(information_schema.query_history_by_user())"
        )
        assert any("globolatte" in tag for (tag,) in tags.fetchall())
