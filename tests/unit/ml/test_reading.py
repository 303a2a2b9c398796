from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest

from globolatte_ml.data.columns import InvalidDataError
from globolatte_ml.data.snapshot import read_snapshot
from globolatte_ml.scoring.state_bundle import read_state_bundle


@pytest.fixture
def snapshot_files(build, tmp_path):
    return build.write_snapshot(build.chain(n_orders=30), tmp_path / "snapshot")


@pytest.fixture
def state_files(build, tmp_path):
    return build.write_state(build.chain(n_orders=30), tmp_path / "state")


@pytest.mark.parametrize("name", ["examples.parquet", "example_products.parquet", "products.parquet"])
def test_a_missing_snapshot_file_is_named_with_the_remedy(snapshot_files, name):
    (snapshot_files / name).unlink()
    with pytest.raises(InvalidDataError, match=rf"{name}: the file is missing; export"):
        read_snapshot(snapshot_files)


def test_a_missing_column_is_named(build, snapshot_files):
    build.edit(snapshot_files / "examples.parquet", lambda table: table.drop_columns(["weather"]))
    with pytest.raises(InvalidDataError, match=r"examples\.parquet: column\(s\) weather missing"):
        read_snapshot(snapshot_files)


def test_an_empty_snapshot_is_refused(build, snapshot_files):
    build.edit(snapshot_files / "examples.parquet", lambda table: table.slice(0, 0))
    with pytest.raises(InvalidDataError, match="no orders"):
        read_snapshot(snapshot_files)


def test_an_order_without_main_product_is_refused(build, snapshot_files):
    def forget_one(table):
        products = [None, *table.column("main_product_id").to_pylist()[1:]]
        return table.set_column(
            table.column_names.index("main_product_id"), "main_product_id", pa.array(products, pa.string())
        )

    build.edit(snapshot_files / "examples.parquet", forget_one)
    with pytest.raises(InvalidDataError, match="'main_product_id' has empty values"):
        read_snapshot(snapshot_files)


def test_a_damaged_file_is_named(snapshot_files):
    (snapshot_files / "examples.parquet").write_bytes(b"coffee")
    with pytest.raises(InvalidDataError, match=r"examples\.parquet: not a readable Parquet file"):
        read_snapshot(snapshot_files)


def test_a_product_that_left_the_catalogue_is_still_learnt_from(build, snapshot_files):
    build.edit(snapshot_files / "products.parquet", lambda table: table.slice(1))
    assert read_snapshot(snapshot_files).products == ("P001", "P002", "P003", "P004", "P005")


def test_the_kinds_of_numbers_in_a_file_do_not_matter(build, snapshot_files):
    before = read_snapshot(snapshot_files)

    def as_doubles(table):
        position = table.column_names.index("order_count")
        return table.set_column(position, "order_count", table.column("order_count").cast(pa.float64()))

    build.edit(snapshot_files / "examples.parquet", as_doubles)
    np.testing.assert_array_equal(read_snapshot(snapshot_files).states.order_count, before.states.order_count)


@pytest.mark.parametrize(
    "name",
    [
        "customer_state.parquet",
        "customer_product_state.parquet",
        "products.parquet",
        "business_units.parquet",
        "holidays.parquet",
        "monthly_weather.parquet",
        "manifest.json",
    ],
)
def test_a_missing_state_file_is_named_with_the_remedy(state_files, name):
    (state_files / name).unlink()
    with pytest.raises(InvalidDataError, match=rf"{name}: the file is missing; export"):
        read_state_bundle(state_files)


def test_a_manifest_without_version_is_refused(state_files):
    (state_files / "manifest.json").write_text(json.dumps({}))
    with pytest.raises(InvalidDataError, match="'state_version' is missing"):
        read_state_bundle(state_files)


def test_customers_are_found_by_id_and_unknown_ones_are_not(state_files):
    bundle = read_state_bundle(state_files)
    assert bundle.customer_ids.tolist() == sorted(bundle.customer_ids.tolist())
    ids = np.array(["C9001", "nobody", "", bundle.customer_ids[0], "ZZZ"])
    last = len(bundle.customer_ids) - 1
    assert bundle.rows(ids).tolist() == [last, -1, -1, 0, -1]
