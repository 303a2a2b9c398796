"""What the emulator cannot do as Snowflake does it. Each test fails once it can: then what it names can go.

This executes on the emulator; it is not verified on Snowflake.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from snowflake.connector.errors import Error

from tests.emulators.fakesnow_server import FakeSnowflake
from tests.emulators.snowflake_gate import gate_before
from tests.snowflake_builders import emulated_warehouse, of_this_worker

SETUP = sorted(Path(__file__).parents[3].glob("infra/snowflake/*.sql"))

WORKAROUNDS = {
    "`+tmp_relation_type: transient` in dbt_project.yml": "create temporary table CANARIES.SALES_DATA.t (a integer)",
    "`Transaction.stage` names and casts each column": "copy into staged from @sales_data.loading/rows.parquet "
    "file_format = (type = parquet) match_by_column_name = case_insensitive",
    "`query_tag` is set when a session begins; dbt's tags are taken by the gate": "alter session set query_tag = 'x'",
    "`contested_ids` in raw/scratch.py is decimal(20, 0)": "insert into numbers select 9340927692902414895",
    "`network_seconds` is short in tests: what the emulator fails at is an HTTP 500, which clients ask again for":
    "insert into sales_data.holidays (name) values ('x')",
    "`unload_to_stage` is done by the gate in its place": "copy into @sales_data.loading/out.parquet from "
    "(select * from sales_data.holidays) file_format = (type = parquet) single = true",
    "`fingerprint` is done by the gate in its place": "select hash_agg(*) as content from sales_data.holidays",
}  # fmt: skip


@pytest.fixture
def cursor(fakesnow: FakeSnowflake) -> Iterator[Any]:
    warehouse = emulated_warehouse(fakesnow, database=of_this_worker("CANARIES"), network_seconds=2)
    assert warehouse.has("sales_data.holidays")
    with warehouse.connected() as connection:
        made = connection.cursor()
        made.execute("use schema sales_data")
        made.execute("create or replace temporary table staged (country varchar)")
        made.execute("create or replace temporary table numbers (n decimal(38, 0))")
        yield made


def put(cursor: Any) -> None:
    import io

    from pyarrow import parquet

    content = io.BytesIO()
    parquet.write_table(pa.table({"country": ["USA"]}), content)
    cursor.execute("put 'file://rows.parquet' @sales_data.loading auto_compress = false", file_stream=content)


@pytest.mark.depth
@pytest.mark.parametrize("statement", WORKAROUNDS.values(), ids=WORKAROUNDS.keys())
def test_the_emulator_still_needs_it(cursor: Any, statement: str) -> None:
    put(cursor)
    with pytest.raises(Error):
        cursor.execute(statement)


@pytest.mark.depth
def test_the_emulator_still_fails_where_snowflake_would_commit(cursor: Any) -> None:
    """Where something is defined after something was written. `DefinedTooLateError` holds that rule on every engine."""
    cursor.execute("begin")
    cursor.execute("insert into sales_data.holidays values ('USA', '2022-01-01', 'New Year')")
    with pytest.raises(Error):
        cursor.execute("create temporary table defined (a integer)")
    cursor.execute("rollback")


def test_a_table_is_unloaded_into_a_stage_in_snowflake_s_words(fakesnow: FakeSnowflake) -> None:
    with gate_before(fakesnow.port) as gate:
        made = emulated_warehouse(fakesnow, database=of_this_worker("CANARIES"), port=gate.own_port, network_seconds=2)
        with pytest.raises(ValueError, match="is no file in a stage"):
            made.unload_to_stage("sales_data.holidays", "ml.snapshots/../x.parquet", ["date"])
        gate.at, gate.refusal = "copy into @", ("002003", "Stage does not exist")
        with pytest.raises(Error, match="Stage does not exist"):
            made.unload_to_stage("sales_data.holidays", "ml.snapshots/one/holidays.parquet", ["date", "country"])
    assert gate.refused == [
        'copy into @ml.snapshots/one/holidays.parquet from (select country as "country", date as "date", name as "name" from '
        "sales_data.holidays order by date, country) file_format = (type = parquet) header = true single = true overwrite = true "
        "max_file_size = 5368709120"
    ]


UNKNOWN_TO_THE_EMULATOR = (
    "grant ",
    "create resource monitor",
    "create storage integration",
    "alter warehouse",
    "create warehouse",
    "create role",
    "create user",
)


@pytest.mark.parametrize("file", SETUP, ids=lambda file: file.stem)
def test_the_set_up_may_run_again(cursor: Any, file: Path) -> None:
    """As far as the emulator knows its statements."""
    text = "\n".join(line for line in file.read_text().splitlines() if not line.startswith("--"))
    statements = [statement.strip() for statement in text.split(";") if statement.strip()]
    assert statements
    for statement in statements * 2:
        if not statement.startswith(UNKNOWN_TO_THE_EMULATOR):
            cursor.execute(statement)
