"""The assets of reference data: replaced as a whole, or left as they were with the reason why."""

import datetime as dt

import dagster as dg
import pytest

from globolatte_assets.jobs import LOAD_REFERENCE_DATA
from globolatte_assets.raw.reference_data import EVERY_COUNTRY_HAS_HOLIDAYS, FILE_IS_ACCEPTED, materialized
from globolatte_ingest.countries import public_holidays
from globolatte_ingest.declarations import unit_declarations
from globolatte_ingest.reference import (
    BUSINESS_UNITS_FILE,
    CUSTOMERS_FILE,
    EXCHANGE_RATES_FILE,
    PRODUCTS_FILE,
    UNIT_DECLARATIONS_FILE,
    ReferenceFile,
    refused_reference_files,
)
from resources.environment import clock_of
from resources.landing.folder import FolderLandingZone
from resources.warehouse.duckdb_file import DuckDBWarehouse
from sensors.landing import REQUESTED_BY_A_PERSON, listing_of, look
from tests.builders import (
    BUSINESS_UNITS_CSV,
    NOW,
    PRODUCTS_CSV,
    Deployment,
    checks,
    deliver,
    deliver_and_load,
    deliver_reference_data,
    failure_of,
    ledger,
    line,
    materialized_keys,
    put_reference_data,
    sales_path,
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
        "reference/products.csv: line 3 (product_id 'P002'): price 'cheap' is no amount with at most two decimals"
    )
    assert "The rows loaded before stay in place" in str(failure.value.description)
    assert not failure.value.allow_retries
    assert products(warehouse) == ["Latte", "Mocha", "Muffin"]
    assert ledger(warehouse) == [(PATH, "loaded"), (PATH, "refused")]
    assert "price 'cheap'" in str(ledger(warehouse, "reason")[1][0])


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
        "raw/exchange_rates",
        "raw/holidays",
        "raw/products",
        "raw/unit_declarations",
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
    assert materialized_keys(result) == {
        "raw/business_units",
        "raw/exchange_rates",
        "raw/holidays",
        "raw/products",
        "raw/unit_declarations",
        "raw/weather",
    }


def test_refused_units_stop_nothing_that_the_units_loaded_before_are_enough_for(deployed: Deployment) -> None:
    deliver_reference_data(deployed.landing)
    first = deployed.run(LOAD_REFERENCE_DATA)
    assert checks(first)[FILE_IS_ACCEPTED].passed
    deliver(deployed.landing, BUSINESS_UNITS_FILE.path, b"unit\nBU_US\n")
    deliver(deployed.landing, UNIT_DECLARATIONS_FILE.path, b'[BU_US]\ncurrency = "USD"\n')
    deliver(deployed.landing, "reference/weather/a.csv", b"business_unit,date,weather\nBU_US,2022-01-03,Rainy\n")
    result = deployed.run(LOAD_REFERENCE_DATA)
    assert result.success
    check = checks(result)[FILE_IS_ACCEPTED]
    assert not check.passed
    assert str(check.description).startswith("reference/business_units.csv: column 'business_unit_id'")
    counts = {
        name: deployed.warehouse.read(f"sales_data.{name}").num_rows
        for name in ("business_units", "unit_declarations", "weather")
    }
    assert counts == {"business_units": 3, "unit_declarations": 1, "weather": 1}
    clock = clock_of(deployed.settings)
    listing = listing_of(deployed.landing)
    found = look(deployed.instance, deployed.settings, listing, deployed.warehouse, clock, REQUESTED_BY_A_PERSON)
    assert found.pending.reference == ()


@pytest.mark.parametrize("country", ["Atlantis", "date", "utils", "HolidayBase", "England", ""])
def test_a_country_that_the_library_does_not_know_has_no_holidays_and_the_others_have_theirs(country: str) -> None:
    alone, nobody = public_holidays(["USA"], range(2022, 2023))
    rows, unknown = public_holidays([country, "USA"], range(2022, 2023))
    assert (unknown, nobody) == ([country], [])
    assert rows == alone


def test_a_unit_in_a_country_without_holidays_goes_on_and_a_check_says_so(deployed: Deployment) -> None:
    deliver_reference_data(deployed.landing)
    deliver(deployed.landing, BUSINESS_UNITS_FILE.path, BUSINESS_UNITS_CSV.replace(b"BU_CA,Canada", b"BU_CA,England"))
    result = deployed.run(LOAD_REFERENCE_DATA)
    assert result.success
    [check] = [one for one in result.get_asset_check_evaluations() if one.check_name == EVERY_COUNTRY_HAS_HOLIDAYS]
    assert not check.passed
    assert "'England'" in str(check.description)
    holidays = deployed.warehouse.read("sales_data.holidays").to_pylist()
    assert {row["country"] for row in holidays} == {"USA", "Mexico"}


@pytest.mark.parametrize("name", ["USA", "us", "United States", "UnitedStates", "united states of america"])
def test_a_country_may_be_written_in_any_usual_way(name: str) -> None:
    rows, _ = public_holidays([name], range(2022, 2023))
    assert {row["country"] for row in rows.to_pylist()} == {name}
    assert dt.date(2022, 7, 4) in rows["date"].to_pylist()


def test_holidays_are_those_of_country_and_year() -> None:
    rows = public_holidays(["USA", "New Zealand"], range(2022, 2024))[0].to_pylist()
    found = {(row["country"], str(row["date"]), row["name"]) for row in rows}
    assert ("USA", "2022-07-04", "Independence Day") in found
    assert ("New Zealand", "2023-02-06", "Waitangi Day") in found
    assert ("New Zealand", "2022-07-04", "Independence Day") not in found
    assert {str(row["date"])[:4] for row in rows} == {"2022", "2023"}


# Against what else is loaded -------------------------------------------------------------------------------------------


def refusal(landing: FolderLandingZone, warehouse: DuckDBWarehouse, kind: ReferenceFile, content: bytes) -> str:
    deliver(landing, kind.path, content)
    with pytest.raises(dg.Failure) as failure:
        materialized(kind, landing, warehouse, "run", NOW)
    return str(failure.value.description)


def take(landing: FolderLandingZone, warehouse: DuckDBWarehouse, kind: ReferenceFile, content: bytes) -> None:
    deliver(landing, kind.path, content)
    materialized(kind, landing, warehouse, "run", NOW)


def test_a_unit_with_loaded_sales_keeps_its_row(warehouse: DuckDBWarehouse, landing: FolderLandingZone) -> None:
    put_reference_data(warehouse)
    deliver_and_load(warehouse, landing, sales_path(), line())
    without = b"".join(one for one in BUSINESS_UNITS_CSV.splitlines(keepends=True) if not one.startswith(b"BU_US"))
    said = refusal(landing, warehouse, BUSINESS_UNITS_FILE, without)
    assert said.startswith("reference/business_units.csv: BU_US has 1 loaded days, but no row here; keep its row")
    renamed = BUSINESS_UNITS_CSV.replace(b"BU_US", b"US_01")
    assert "BU_US has 1 loaded days" in refusal(landing, warehouse, BUSINESS_UNITS_FILE, renamed)
    take(landing, warehouse, BUSINESS_UNITS_FILE, BUSINESS_UNITS_CSV.replace(b"BU_MX", b"MX_01"))
    assert "MX_01" in warehouse.read("sales_data.business_units")["business_unit_id"].to_pylist()


def test_the_loaded_days_of_a_unit_are_counted_without_reading_its_sales(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    put_reference_data(warehouse)
    deliver_and_load(warehouse, landing, sales_path(), line())
    deliver_and_load(warehouse, landing, sales_path("bad.csv", "canada"), line(2, business_unit="BU_CA", quantity="x"))
    with warehouse.transaction() as transaction:
        transaction.execute("delete from sales_data.sales_transactions")
    mexico = b"".join(
        one for one in BUSINESS_UNITS_CSV.splitlines(keepends=True) if not one.startswith((b"BU_US", b"BU_CA"))
    )
    said = refusal(landing, warehouse, BUSINESS_UNITS_FILE, mexico)
    assert said.startswith("reference/business_units.csv: BU_US has 1 loaded days, but no row here"), "BU_CA has none"


def test_the_newest_refused_version_of_a_reference_file_is_told_until_a_good_one_comes(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    def told() -> list[tuple[str, str]]:
        with warehouse.transaction() as transaction:
            return refused_reference_files(transaction)

    take(landing, warehouse, PRODUCTS_FILE, PRODUCTS_CSV)
    assert told() == []
    refusal(landing, warehouse, PRODUCTS_FILE, PRODUCTS_CSV.replace(b"4.25", b"0.055"))
    [(path, why)] = told()
    assert (path, why.startswith("line 3 (product_id 'P002'): price '0.055'")) == (PATH, True)
    take(landing, warehouse, PRODUCTS_FILE, PRODUCTS_CSV)
    assert told() == []


def test_declarations_are_optional_and_replaced_as_a_whole(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    def declared() -> dict[str, str | None]:
        with warehouse.transaction() as transaction:
            return {unit: found.usual.delimiter for unit, found in unit_declarations(transaction).items()}

    take(landing, warehouse, BUSINESS_UNITS_FILE, DECLARED_IN_COLUMNS)
    absent = materialized(UNIT_DECLARATIONS_FILE, landing, warehouse, "run", NOW)
    assert absent.metadata is not None
    assert "is optional" in str(absent.metadata["file"])
    assert declared() == {"BU_US": None, "BU_CA": ";", "BU_MX": None}
    take(landing, warehouse, UNIT_DECLARATIONS_FILE, b'[BU_US]\ndelimiter = "tab"\n[BU_MX]\ndelimiter = "pipe"\n')
    assert declared() == {"BU_US": "\t", "BU_CA": ";", "BU_MX": "|"}
    take(landing, warehouse, UNIT_DECLARATIONS_FILE, b'[BU_MX]\ndelimiter = "comma"\n')
    assert declared() == {"BU_US": None, "BU_CA": ";", "BU_MX": ","}
    take(landing, warehouse, UNIT_DECLARATIONS_FILE, b"# nothing is declared any more\n")
    assert declared() == {"BU_US": None, "BU_CA": ";", "BU_MX": None}


DECLARED_IN_COLUMNS = BUSINESS_UNITS_CSV.replace(b"time_zone\n", b"time_zone,delimiter\n").replace(
    b"America/New_York\n", b"America/New_York,\n"
).replace(b"America/Toronto\n", b"America/Toronto,semicolon\n").replace(b"Mexico_City\n", b"Mexico_City,\n")  # fmt: skip


def test_declarations_fit_the_units(warehouse: DuckDBWarehouse, landing: FolderLandingZone) -> None:
    take(landing, warehouse, BUSINESS_UNITS_FILE, DECLARED_IN_COLUMNS)
    unknown = refusal(landing, warehouse, UNIT_DECLARATIONS_FILE, b"[BU_XX]\n")
    assert "reference/units.toml: BU_XX: no business unit is called so (known: BU_CA, BU_MX, BU_US)" in unknown
    twice = refusal(landing, warehouse, UNIT_DECLARATIONS_FILE, b'[BU_CA]\ncurrency = "CAD"\n')
    assert "BU_CA declares delimiter in reference/business_units.csv and has a table in reference/units.toml" in twice
    take(landing, warehouse, UNIT_DECLARATIONS_FILE, b'[BU_US]\ncurrency = "USD"\n')
    more = DECLARED_IN_COLUMNS.replace(b"New_York,", b"New_York,comma")
    assert "BU_US declares delimiter in" in refusal(landing, warehouse, BUSINESS_UNITS_FILE, more)


def test_exchange_rates_are_one_per_currency_and_date(warehouse: DuckDBWarehouse, landing: FolderLandingZone) -> None:
    take(
        landing,
        warehouse,
        EXCHANGE_RATES_FILE,
        b"date,currency,rate\n2024-01-01,usd,1\n2024-01-01,MXN,0.0586\n2024-02-01,MXN,0.06\n",
    )
    rates = warehouse.read("sales_data.exchange_rates", order_by=["currency", "date"]).to_pylist()
    assert [(row["currency"], str(row["date"]), float(row["rate"])) for row in rates] == [
        ("MXN", "2024-01-01", 0.0586),
        ("MXN", "2024-02-01", 0.06),
        ("USD", "2024-01-01", 1.0),
    ]
    for rows, fault in {
        b"2024-01-01,MXN,0.05\n2024-01-01,mxn,0.06\n": "line 3 (date '2024-01-01'): MXN, 2024-01-01 stands more than once",
        b"2024-01-01,MXN,0\n": "line 2 (date '2024-01-01'): rate 0.00000000 is not above zero",
        b"2024-01-01,pesos,0.05\n": "line 2 (date '2024-01-01'): currency 'PESOS' is no code of three letters",
        b"01/02/2024,MXN,0.05\n": "line 2 (date '01/02/2024'): date '01/02/2024' is no date; write it like 2024-01-31",
    }.items():
        assert fault in refusal(landing, warehouse, EXCHANGE_RATES_FILE, b"date,currency,rate\n" + rows)


def test_the_catalogue_may_name_the_currency_of_its_prices(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    take(
        landing,
        warehouse,
        PRODUCTS_FILE,
        b"product_id,product_name,category,price,stock_quantity,currency\nP1,Latte,Coffee,3.5,1,usd\nP2,Tea,Tea,3,1,\n",
    )
    products = warehouse.read("sales_data.products", ["product_id", "currency"], order_by=["product_id"]).to_pylist()
    assert [row["currency"] for row in products] == ["USD", None]
