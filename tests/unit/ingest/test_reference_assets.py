"""The assets of reference data: replaced as a whole, or left as they were with the reason why."""

import dagster as dg
import pytest

from globolatte_assets.jobs import LOAD_REFERENCE_DATA
from globolatte_assets.raw.reference_data import materialized
from globolatte_ingest.reference import CUSTOMERS_FILE, PRODUCTS_FILE, public_holidays
from resources.landing.folder import FolderLandingZone
from resources.warehouse.duckdb_file import DuckDBWarehouse
from tests.builders import (
    NOW,
    PRODUCTS_CSV,
    Deployment,
    deliver,
    deliver_reference_data,
    failure_of,
    ledger,
    materialized_keys,
)

PATH = PRODUCTS_FILE.path


def products(warehouse: DuckDBWarehouse) -> list[str]:
    return warehouse.read("sales_data.products", ["product_name"], order_by=["product_id"])["product_name"].to_pylist()


def load(landing: FolderLandingZone, warehouse: DuckDBWarehouse) -> dg.MaterializeResult:
    return materialized(PRODUCTS_FILE, landing, warehouse, "run", NOW)


def test_a_new_version_replaces_the_whole_table_and_supersedes_the_earlier_one(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    deliver(landing, PATH, PRODUCTS_CSV)
    first = load(landing, warehouse)
    assert products(warehouse) == ["Latte", "Mocha", "Muffin"]
    deliver(landing, PATH, PRODUCTS_CSV.replace(b"Mocha", b"Cortado").replace(b"P003,Muffin,Bakery,2.00,100\n", b""))
    second = load(landing, warehouse)
    assert products(warehouse) == ["Latte", "Cortado"]
    assert first.data_version != second.data_version
    assert ledger(warehouse, "path, status, rows_in_file, rows_loaded, rows_quarantined, business_date") == [
        (PATH, "superseded", 3, 3, 0, None),
        (PATH, "loaded", 2, 2, 0, None),
    ]


def test_the_same_version_loaded_again_is_one_entry_in_the_ledger(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    deliver(landing, PATH, PRODUCTS_CSV)
    load(landing, warehouse)
    before = ledger(warehouse, "load_id, sequence, status, rows_in_file, rows_loaded, superseded_by, recorded_at")
    load(landing, warehouse)
    assert (
        ledger(warehouse, "load_id, sequence, status, rows_in_file, rows_loaded, superseded_by, recorded_at") == before
    )
    assert products(warehouse) == ["Latte", "Mocha", "Muffin"]


def test_the_same_faulty_version_refused_again_is_one_entry_in_the_ledger(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    deliver(landing, PATH, PRODUCTS_CSV.replace(b"4.25", b"cheap"))
    for _ in range(2):
        with pytest.raises(dg.Failure):
            load(landing, warehouse)
    assert ledger(warehouse) == [(PATH, "refused")]


def test_a_refused_version_leaves_the_table_as_it_was_and_says_why(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    deliver(landing, PATH, PRODUCTS_CSV)
    load(landing, warehouse)
    deliver(landing, PATH, PRODUCTS_CSV.replace(b"4.25", b"cheap"))
    with pytest.raises(dg.Failure) as failure:
        load(landing, warehouse)
    assert str(failure.value.description).startswith(
        "reference/products.csv: column 'price' has a value that is no decimal"
    )
    assert "The rows loaded before stay in place" in str(failure.value.description)
    assert not failure.value.allow_retries
    assert products(warehouse) == ["Latte", "Mocha", "Muffin"]
    assert ledger(warehouse) == [(PATH, "loaded"), (PATH, "refused")]
    assert "column 'price'" in str(ledger(warehouse, "reason")[1][0])


def test_a_file_that_is_not_there_is_a_clear_error(warehouse: DuckDBWarehouse, landing: FolderLandingZone) -> None:
    deliver(landing, "reference/products.csv.bak", PRODUCTS_CSV)
    with pytest.raises(dg.Failure) as failure:
        load(landing, warehouse)
    assert failure.value.description == (
        f"reference/products.csv is not in the landing zone (folder {landing.folder}); put it there and materialize again"
    )
    assert ledger(warehouse) == []


def test_the_job_loads_all_reference_data_and_the_holidays_of_its_countries(deployed: Deployment) -> None:
    deliver_reference_data(deployed.landing)
    result = deployed.run(LOAD_REFERENCE_DATA)
    assert result.success
    assert materialized_keys(result) == {
        "raw/business_units",
        "raw/customers",
        "raw/holidays",
        "raw/products",
        "raw/weather",
    }
    counts = {name: deployed.warehouse.read(f"sales_data.{name}").num_rows for name in ("business_units", "customers")}
    assert counts == {"business_units": 3, "customers": 2}
    holidays = deployed.warehouse.read("sales_data.holidays").to_pylist()
    assert {row["country"] for row in holidays} == {"USA", "Canada", "Mexico"}
    assert {row["date"].year for row in holidays} == {2022, 2023}


def test_the_job_goes_on_with_the_other_files_when_one_is_refused(deployed: Deployment) -> None:
    deliver_reference_data(deployed.landing)
    deliver(deployed.landing, CUSTOMERS_FILE.path, b"customer_id\nC1\n")
    result = deployed.run(LOAD_REFERENCE_DATA)
    assert not result.success
    assert failure_of(result).startswith(
        "reference/customers.csv: column 'customer_name', 'email', 'location' is missing"
    )
    assert materialized_keys(result) == {"raw/business_units", "raw/holidays", "raw/products", "raw/weather"}


def test_a_country_without_a_holiday_calendar_is_a_clear_error() -> None:
    with pytest.raises(ValueError, match="no holiday calendar is called 'Atlantis'; write the country in reference/"):
        public_holidays(["USA", "Atlantis"], range(2022, 2023))


@pytest.mark.parametrize("country", ["date", "utils", "HolidayBase", "usa", ""])
def test_a_name_of_the_library_that_is_no_country_is_a_clear_error(country: str) -> None:
    with pytest.raises(ValueError, match="no holiday calendar is called"):
        public_holidays([country], range(2022, 2023))


def test_holidays_are_those_of_country_and_year() -> None:
    rows = public_holidays(["USA", "New Zealand"], range(2022, 2024)).to_pylist()
    found = {(row["country"], str(row["date"]), row["name"]) for row in rows}
    assert ("USA", "2022-07-04", "Independence Day") in found
    assert ("New Zealand", "2023-02-06", "Waitangi Day") in found
    assert ("New Zealand", "2022-07-04", "Independence Day") not in found
    assert {str(row["date"])[:4] for row in rows} == {"2022", "2023"}
