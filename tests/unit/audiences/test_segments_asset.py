"""The asset `models/segments` on a real warehouse: everyone once, ids that last, found anew only for a reason."""

from collections.abc import Iterator

import pytest

from globolatte_assets.models.segments import segments
from resources.clock import Clock
from resources.warehouse.duckdb_file import DuckDBWarehouse
from tests.builders import fetch
from tests.unit.audiences.audience_builders import materialize, small_chain, stocked_warehouse

FIRST, LATER = Clock(fixed_at="2022-09-01T06:00:00+00:00"), Clock(fixed_at="2022-09-02T06:00:00+00:00")


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DuckDBWarehouse]:
    made = stocked_warehouse(tmp_path_factory.mktemp("segments"), small_chain())
    with made.keep_open():
        yield made


def test_everyone_with_orders_has_one_segment_and_a_second_day_only_assigns(warehouse: DuckDBWarehouse) -> None:
    first = materialize(segments, warehouse=warehouse, clock=FIRST)
    assert first["dagster/row_count"] == 60
    assert first["found_anew"] == "There were no segments yet."
    assert fetch(warehouse, "select count(distinct customer_id), count(*) from ml.segments") == [(60, 60)]
    [(customers, sales)] = fetch(warehouse, "select sum(customers), sum(share_of_sales) from ml.segment_profiles")
    assert (customers, round(float(str(sales)), 9)) == (60, 1.0)
    before = fetch(warehouse, "select * from ml.segments order by customer_id")

    again = materialize(segments, warehouse=warehouse, clock=LATER)
    assert again["found_anew"].startswith("No:")
    assert fetch(warehouse, "select * from ml.segments order by customer_id") == before
    assert fetch(warehouse, "select count(*) from ml.segment_fits") == [(1,)]

    refitted = materialize(segments, {"refit": True}, warehouse=warehouse, clock=LATER)
    assert refitted["found_anew"] == "Someone asked for it."
    ids = fetch(warehouse, "select customer_id, segment_id, segment_name from ml.segments order by customer_id")
    assert ids == [row[:3] for row in before]
