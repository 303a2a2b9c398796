"""A training snapshot goes from Snowflake into the storage of the Azure ML workspace without passing through the worker.

The emulator can neither hash a table nor unload one. The gate before it does both in its place, as far as the wire shows: a hash of the
rows, and a Parquet file in the container that the stage leads to, with Snowflake's types. What Snowflake itself makes of the same
statements is in tests/live. This executes on emulators; it is not verified on Snowflake.
"""

import io
import re
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest
from pyarrow import parquet

from globolatte_assets.models.training_snapshot import REFUNDS_TABLE, training_snapshot
from globolatte_assets.tables import DAILY_SALES
from globolatte_ml.data.snapshot import read_snapshot
from resources.clock import Clock
from resources.ml.azureml import data_assets
from resources.ml.azureml.faults import AzureMLError
from resources.ml.azureml.platform import AzureMLPlatform, DistantSnapshot
from resources.warehouse.snapshot_export import StraightIntoBlob
from resources.warehouse.snowflake import SnowflakeWarehouse
from resources.warehouse.snowflake_session import sql_type
from tests.azureml_builders import platform_on, unique
from tests.emulators.azureml import StandIn
from tests.emulators.fakesnow_server import FakeSnowflake
from tests.emulators.snowflake_gate import Gate, gate_before
from tests.endpoint_builders import ml_builders
from tests.snowflake_builders import emulated_warehouse

pytestmark = pytest.mark.slow

TABLES = {
    "features.feat_training_examples": "examples.parquet",
    "features.feat_training_example_products": "example_products.parquet",
    "marts.dim_product": "products.parquet",
}
UNLOAD = re.compile(r"copy into @ml\.snapshots/(\S+) from \((.*)\) file_format", re.DOTALL)


@pytest.fixture
def platform(azureml: StandIn, tmp_path: Path) -> AzureMLPlatform:
    return platform_on(azureml, unique("snapshots"), tmp_path / "copies")


@pytest.fixture
def direct(fakesnow: FakeSnowflake, tmp_path: Path) -> SnowflakeWarehouse:
    """The warehouse by a line of its own, with the tables that a small chain's snapshot is made from."""
    build = ml_builders()
    folder = tmp_path / "chain"
    folder.mkdir()
    build.write_snapshot(build.chain(n_orders=300), folder)
    made = emulated_warehouse(fakesnow)
    for table, file in TABLES.items():
        fill(made, table, parquet.read_table(folder / file))
    refunds = pa.schema([("order_key", pa.string()), ("refunded_on", pa.date32()), ("main_product_id", pa.string())])
    fill(made, REFUNDS_TABLE, refunds.empty_table())
    days = parquet.read_table(folder / "examples.parquet").group_by(["business_date"]).aggregate([([], "count_all")])
    fill(made, DAILY_SALES, days.rename_columns(["business_date", "main_orders"]))
    return made


def fill(warehouse: SnowflakeWarehouse, table: str, data: pa.Table) -> None:
    if table == "marts.dim_product":
        rows = data.num_rows
        data = pa.table(
            {
                "product_id": data["product_id"].cast(pa.string()),
                "product_name": ["Coffee"] * rows,
                "category": ["Coffee"] * rows,
                "price": [4.5] * rows,
                "is_in_reference": [True] * rows,
            }
        )
    with warehouse._session() as session:
        session.run(f"create schema if not exists {table.split('.', maxsplit=1)[0]}")
    kinds = dict(zip(data.column_names, data.schema.types, strict=True))
    plain = {name: pa.string() if pa.types.is_dictionary(kind) else kind for name, kind in kinds.items()}
    data = data.cast(pa.schema(list(plain.items())))
    with warehouse._session() as session:
        session.run(f"create table {table} ({', '.join(f'{name} {sql_type(kind)}' for name, kind in plain.items())})")
    warehouse.replace(table, data)


@pytest.fixture
def gated(
    fakesnow: FakeSnowflake, direct: SnowflakeWarehouse, platform: AzureMLPlatform
) -> Iterator[tuple[Gate, SnowflakeWarehouse]]:
    with gate_before(fakesnow.port) as gate:
        gate.instead = {
            "hash_agg(*)": lambda statement: hashed(direct, statement),
            "copy into @ml.snapshots/": lambda statement: unloaded(direct, platform, statement),
        }
        yield gate, emulated_warehouse(fakesnow, database=direct.database, port=gate.own_port)


def hashed(direct: SnowflakeWarehouse, statement: str) -> str:
    columns = ", ".join(direct.read(statement.rpartition(" ")[2]).column_names)
    return statement.replace("hash_agg(*)", f"bitxor_agg(hash({columns}))")


def unloaded(direct: SnowflakeWarehouse, platform: AzureMLPlatform, statement: str) -> str:
    """Writes what Snowflake would; answers with how many rows it were."""
    found = UNLOAD.match(statement)
    assert found, statement
    with direct._session() as session:
        data = session.fetch(found[2].replace('"', ""))
    numbers = [
        pa.field(one.name, pa.decimal128(38, 0) if pa.types.is_integer(one.type) else one.type) for one in data.schema
    ]
    content = io.BytesIO()
    parquet.write_table(data.cast(pa.schema(numbers)), content, use_deprecated_int96_timestamps=True)
    with platform.workspace.storage() as (service, container):
        service.get_container_client(container).upload_blob(f"snapshots/{found[1]}", content.getvalue())
    return f"select {data.num_rows} as rows_unloaded"


def materialized(resources: dict[str, object]) -> dict[str, object]:
    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([training_snapshot], instance=instance, resources={"clock": Clock(), **resources})
        [made] = result.get_asset_materialization_events()
        return {name: value.value for name, value in made.materialization.metadata.items()}


def test_the_snapshot_is_registered_where_it_was_unloaded_and_nothing_came_here(
    gated: tuple[Gate, SnowflakeWarehouse], platform: AzureMLPlatform, direct: SnowflakeWarehouse, tmp_path: Path
) -> None:
    _, warehouse = gated
    resources = {
        "warehouse": warehouse,
        "ml": platform,
        "snapshots": lambda _: StraightIntoBlob(warehouse, platform, "ml.snapshots"),
    }
    made = materialized(resources)
    name = str(made["snapshot"])
    assert made["orders"] == 300
    assert made["folder"] == f"azureml://datastores/workspaceblobstore/paths/snapshots/{name}/"
    assert list(platform.folder.rglob("*.parquet")) == [], "no file of it is on this machine"
    latest = platform.latest_snapshot()
    assert isinstance(latest, DistantSnapshot)
    assert latest.name == name
    direct.unload("features.feat_training_examples", tmp_path / "here.parquet", ["ordered_at", "order_key"])
    here, there = parquet.read_table(tmp_path / "here.parquet"), read_snapshot(latest.folder)
    assert there.order_keys.tolist() == here["order_key"].to_pylist()
    assert len(there) == 300
    assert there.states.order_count.tolist() == here["order_count"].to_pylist()


def test_the_same_content_is_the_same_snapshot_and_is_unloaded_once(
    gated: tuple[Gate, SnowflakeWarehouse], platform: AzureMLPlatform, direct: SnowflakeWarehouse
) -> None:
    gate, warehouse = gated
    resources = {
        "warehouse": warehouse,
        "ml": platform,
        "snapshots": lambda _: StraightIntoBlob(warehouse, platform, "ml.snapshots"),
    }
    first = materialized(resources)["snapshot"]
    gate.at = "copy into @ml.snapshots"
    assert materialized(resources)["snapshot"] == first
    assert gate.times == 0
    gate.at = None
    with direct.transaction() as transaction:
        transaction.execute("update features.feat_training_examples set order_count = order_count + 1")
    assert materialized(resources)["snapshot"] != first


def test_a_table_that_changes_meanwhile_is_no_snapshot(
    gated: tuple[Gate, SnowflakeWarehouse], platform: AzureMLPlatform, direct: SnowflakeWarehouse
) -> None:
    _, warehouse = gated
    export = StraightIntoBlob(warehouse, platform, "ml.snapshots")
    export.unload("features.feat_training_examples", "examples.parquet", ["order_key"])
    with direct.transaction() as transaction:
        transaction.execute("update features.feat_training_examples set order_count = order_count + 1")
    with pytest.raises(RuntimeError, match="changed while it was unloaded; materialize"):
        export.keep(export.name())
    with pytest.raises(FileNotFoundError):
        platform.latest_snapshot()


def test_a_stage_that_leads_elsewhere_is_an_error_naming_where_it_should(
    gated: tuple[Gate, SnowflakeWarehouse], platform: AzureMLPlatform
) -> None:
    gate, warehouse = gated
    gate.instead["copy into @ml.snapshots/"] = lambda _: "select 300 as rows_unloaded"
    export = StraightIntoBlob(warehouse, platform, "ml.snapshots")
    export.unload("features.feat_training_examples", "examples.parquet", ["order_key"])
    with pytest.raises(
        AzureMLError, match=r"has no examples.parquet. Remedy: let the stage lead to azure://.*/snapshots/"
    ):
        export.keep(export.name())
    assert data_assets.latest_data(platform.workspace, data_assets.SNAPSHOTS) is None
