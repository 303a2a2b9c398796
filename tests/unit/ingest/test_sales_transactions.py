"""The asset `raw/sales_transactions` run through Dagster: which partitions it materializes, and what it says of them."""

import datetime as dt

import dagster as dg
import pytest

from globolatte_assets.jobs import INGEST_SALES, RECORD_MISPLACED_FILES
from globolatte_assets.keys import SALES_TRANSACTIONS
from globolatte_assets.metadata import load_report_metadata, load_report_of
from globolatte_assets.raw.sales_transactions import DATA_VERSION_TAG
from globolatte_ingest.discovery import LoadRange, prefixes, wanted_dates
from globolatte_ingest.ledger import Ledger
from globolatte_ingest.load import LoadReport
from sensors.landing import range_tags
from tests.builders import (
    DAY,
    Deployment,
    checks,
    csv,
    deliver,
    deliver_reference_data,
    failure_of,
    ledger,
    line,
    load,
    materialized,
    sales,
    sales_path,
)

JANUARY = LoadRange("usa", dt.date(2022, 1, 1), dt.date(2022, 1, 31))


def on(day: int, *numbers: int, **fields: str) -> bytes:
    """A USA file of a day in January."""
    return csv(*(line(number, transaction_date=f"2022-01-{day:02d}", **fields) for number in numbers))


def path(day: int, name: str = "sales.csv") -> str:
    return sales_path(name, date=dt.date(2022, 1, day))


def ingest(deployed: Deployment, load_range: LoadRange = JANUARY) -> dg.ExecuteInProcessResult:
    return deployed.run(INGEST_SALES, range_tags(load_range))


def data_versions(deployed: Deployment) -> dict[str, str]:
    """The data version that Dagster has of each materialized partition."""
    tags = deployed.instance.event_log_storage.get_latest_tags_by_partition(
        SALES_TRANSACTIONS, dg.DagsterEventType.ASSET_MATERIALIZATION, [DATA_VERSION_TAG]
    )
    return {partition: found[DATA_VERSION_TAG] for partition, found in tags.items()}


def test_exactly_the_days_with_a_loaded_file_are_materialized(ready: Deployment) -> None:
    deliver(ready.landing, path(3), on(3, 1, 2))
    deliver(ready.landing, path(5), on(5))
    deliver(ready.landing, path(7), b"refused")
    deliver(ready.landing, sales_path(date=dt.date(2022, 2, 1)), csv(line(1, transaction_date="2022-02-01")))
    deliver(ready.landing, sales_path(folder="canada"), csv(line(1, business_unit="BU_CA")))
    result = ingest(ready)
    assert result.success
    assert materialized(result) == ["usa|2022-01-03", "usa|2022-01-05"]
    assert ready.instance.get_materialized_partitions(SALES_TRANSACTIONS) == {"usa|2022-01-03", "usa|2022-01-05"}
    assert [status for _, status in ledger(ready.warehouse)] == ["loaded", "loaded", "refused"]


def test_a_materialization_says_what_was_loaded(ready: Deployment) -> None:
    deliver(ready.landing, path(3, "a.csv"), on(3, 1, 2, 4, 5, 6, 2))
    deliver(ready.landing, path(3, "b.csv"), on(3, 3))
    ingest(ready)
    [record] = ready.instance.fetch_materializations(SALES_TRANSACTIONS, limit=10).records
    materialization = record.asset_materialization
    assert {name: value.value for name, value in materialization.metadata.items()} == {
        "dagster/partition_row_count": 6,
        "rows_quarantined": 1,
        "files": f"{path(3, 'a.csv')}, {path(3, 'b.csv')}",
    }


def test_the_report_of_a_load_can_be_read_from_its_checks(ready: Deployment) -> None:
    odd = path(5, "a`: b.csv")
    deliver(ready.landing, path(3), on(3, 1, 2, 2, 4, 5, 6))
    deliver(ready.landing, path(4), on(4, 7, quantity="x"))
    deliver(ready.landing, odd, b"refused")
    [report] = [found for check in checks(ingest(ready)).values() if (found := load_report_of(check.metadata))]
    assert (report.loaded, report.rows_loaded) == ((path(3),), 5)
    assert [name for name, _ in report.refused] == [odd]
    assert [name for name, _ in report.held] == [path(4)]
    assert (report.rows_quarantined, report.reasons) == (1, {"duplicate_in_file": 1})


def test_a_report_is_read_as_it_was_written_also_without_a_field_that_came_later() -> None:
    report = LoadReport(("a",), (("b", "`: odd\n- `c`: d"),), (("e", "f"),), ("g",), 3, 4, {"bad_number": 4}, ("h",))
    [(name, entry)] = load_report_metadata(report).items()
    assert load_report_of({name: entry}) == report
    assert load_report_of({}) is None
    assert load_report_of({name: dg.MetadataValue.json({"loaded": ["a"], "of_a_later_version": 1})}) == LoadReport(
        ("a",)
    )


def test_a_second_run_loads_and_materializes_nothing_new(ready: Deployment) -> None:
    deliver(ready.landing, path(3), on(3, 1))
    ingest(ready)
    before = ledger(ready.warehouse, "load_id, status"), data_versions(ready)
    again = ingest(ready)
    assert again.success
    assert materialized(again) == []
    assert (ledger(ready.warehouse, "load_id, status"), data_versions(ready)) == before


def test_a_correction_materializes_exactly_its_day_under_a_new_data_version(ready: Deployment) -> None:
    for day in (3, 4):
        deliver(ready.landing, path(day), on(day, 1))
    ingest(ready)
    before = data_versions(ready)
    deliver(ready.landing, path(4), on(4, 2))
    assert materialized(ingest(ready)) == ["usa|2022-01-04"]
    after = data_versions(ready)
    assert after["usa|2022-01-03"] == before["usa|2022-01-03"]
    assert after["usa|2022-01-04"] != before["usa|2022-01-04"]


def test_earlier_content_that_comes_back_is_materialized_again(ready: Deployment) -> None:
    for numbers in ((1,), (2,), (1,)):
        deliver(ready.landing, path(3), on(3, *numbers))
        assert materialized(ingest(ready)) == ["usa|2022-01-03"]
    assert [transaction for *_, transaction in sales(ready.warehouse)] == ["T00000001"]


def test_a_refused_correction_materializes_nothing(ready: Deployment) -> None:
    deliver(ready.landing, path(3), on(3, 1))
    ingest(ready)
    deliver(ready.landing, path(3), b"refused")
    assert materialized(ingest(ready)) == []
    assert len(sales(ready.warehouse)) == 1


def test_a_single_partition_can_be_requested(ready: Deployment) -> None:
    for day in (3, 4):
        deliver(ready.landing, path(day), on(day, 1))
    result = ingest(ready, LoadRange("usa", dt.date(2022, 1, 4), dt.date(2022, 1, 4)))
    assert materialized(result) == ["usa|2022-01-04"]


def test_a_range_loads_nothing_outside_it(ready: Deployment) -> None:
    for day in (3, 4, 5, 6):
        deliver(ready.landing, path(day), on(day, 1))
    result = ingest(ready, LoadRange("usa", dt.date(2022, 1, 4), dt.date(2022, 1, 5)))
    assert materialized(result) == ["usa|2022-01-04", "usa|2022-01-05"]
    assert [row[0] for row in ledger(ready.warehouse)] == [path(4), path(5)]


def test_the_checks_pass_when_everything_was_certain(ready: Deployment) -> None:
    deliver(ready.landing, path(3), on(3, 1))
    found = checks(ingest(ready))
    assert {name: check.passed for name, check in found.items()} == {
        "no_file_refused": True,
        "no_file_held": True,
        "no_row_quarantined": True,
    }
    assert found["no_file_refused"].metadata["files_loaded"].value == 1


def test_a_refused_file_fails_its_check_with_the_reason(ready: Deployment) -> None:
    deliver(ready.landing, path(3), on(3, 1).replace(b"quantity", b"amount"))
    result = ingest(ready)
    check = checks(result)["no_file_refused"]
    assert result.success
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    expected = f"- `{path(3)}`: column 'quantity' is missing; the header has 'transaction_id', "
    assert str(check.metadata["refused"].value).startswith(expected)
    assert checks(result)["no_row_quarantined"].passed


def test_quarantined_rows_fail_their_check_with_their_reasons(ready: Deployment) -> None:
    deliver(ready.landing, path(3), on(3, *range(1, 15), 1) + b"short\nshorter\n")
    deliver(ready.landing, path(4), csv(line(1, transaction_date="2022-01-04", note="x"), columns=(*line(), "note")))
    check = checks(ingest(ready))["no_row_quarantined"]
    assert (check.passed, check.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert {name: value.value for name, value in check.metadata.items()} == {
        "rows_loaded": 15,
        "rows_quarantined": 3,
        "reasons": "| reason | rows |\n|---|---|\n| duplicate_in_file | 1 |\n| wrong_field_count | 2 |",
        "notes": "none",
        "ignored_columns": "note",
        "not_read": "none",
    }


# What a kill swallows --------------------------------------------------------------------------------------------------


def announced(deployed: Deployment) -> list[str]:
    with deployed.warehouse.transaction() as transaction:
        return [item.run_id for item in Ledger(transaction).outstanding_announcements()]


def test_a_materialization_that_a_kill_swallowed_is_emitted_by_the_next_run_over_the_range(ready: Deployment) -> None:
    files = [deliver(ready.landing, path(day), on(day, 1)) for day in (3, 4)]
    load(ready.warehouse, ready.landing, *files, run_id="killed")
    assert data_versions(ready) == {}
    result = ingest(ready)
    assert materialized(result) == ["usa|2022-01-03", "usa|2022-01-04"]
    assert checks(result)["no_file_refused"].metadata["files_loaded"].value == 0
    assert materialized(ingest(ready)) == []


def test_a_swallowed_correction_is_emitted_too(ready: Deployment) -> None:
    deliver(ready.landing, path(3), on(3, 1))
    ingest(ready)
    load(ready.warehouse, ready.landing, deliver(ready.landing, path(3), on(3, 2)), run_id="killed")
    assert materialized(ingest(ready)) == ["usa|2022-01-03"]


def test_a_run_announces_what_is_outstanding_before_it_reports(ready: Deployment) -> None:
    deliver(ready.landing, path(3), on(3, 1))
    result = ingest(ready)
    assert announced(ready) == [result.run_id]


def test_a_run_that_finds_nothing_outstanding_takes_over_what_earlier_runs_announced(ready: Deployment) -> None:
    """A run that was killed after its last event is failed, and yet Dagster knows everything."""
    deliver(ready.landing, path(3), on(3, 1))
    ingest(ready)
    ingest(ready)
    assert announced(ready) == []


# Errors ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("missing", "message"),
    [
        (
            "business_units",
            "sales_data.business_units is empty: put reference/business_units.csv into the landing zone",
        ),
        ("products", "sales_data.products is empty: put reference/products.csv into the landing zone"),
    ],
)
def test_sales_before_reference_data_are_a_clear_error_and_are_not_validated(
    ready: Deployment, missing: str, message: str
) -> None:
    deliver(ready.landing, path(3), on(3, 1))
    with ready.warehouse.transaction() as transaction:
        transaction.execute(f"delete from sales_data.{missing}")
    result = ingest(ready)
    assert not result.success
    assert failure_of(result).startswith(message)
    assert ledger(ready.warehouse) == []


def test_a_unit_that_reference_data_does_not_know_is_a_clear_error(ready: Deployment) -> None:
    with ready.warehouse.transaction() as transaction:
        transaction.execute("delete from sales_data.business_units where folder = 'usa'")
    result = ingest(ready)
    assert not result.success
    assert failure_of(result).startswith("reference/business_units.csv has no unit with the folder 'usa'; add its row")


# Misplaced files -------------------------------------------------------------------------------------------------------


def test_misplaced_files_are_recorded_in_the_ledger_with_the_reason_and_not_again(ready: Deployment) -> None:
    deliver_reference_data(ready.landing)
    deliver(ready.landing, "sales/france/2022/01/31/a.csv", on(31, 1))
    deliver(ready.landing, "reference/prices.csv", b"x")
    deliver(ready.landing, path(3), on(3, 1))
    first, second = (ready.run(RECORD_MISPLACED_FILES) for _ in range(2))
    counts = [
        result.asset_materializations_for_node("raw__misplaced_files")[0].metadata["refused"].value
        for result in (first, second)
    ]
    assert counts == [2, 0]
    assert ledger(ready.warehouse, "path, status, business_unit, rows_in_file, rows_loaded") == [
        ("reference/prices.csv", "refused", None, None, None),
        ("sales/france/2022/01/31/a.csv", "refused", None, None, None),
    ]
    reasons = [str(reason) for (reason,) in ledger(ready.warehouse, "reason")]
    assert reasons[0].startswith("misplaced: is none of reference/business_units.csv")
    assert reasons[1].startswith("misplaced: no business unit has the folder 'france'")


def test_a_file_of_the_future_is_loaded_when_its_day_has_come(ready: Deployment) -> None:
    tomorrow = dt.date(2022, 2, 11)
    file = sales_path(date=tomorrow)
    deliver(ready.landing, file, csv(line(1, transaction_date=str(tomorrow))))
    ready.run(RECORD_MISPLACED_FILES)
    load_range = LoadRange("usa", tomorrow, tomorrow)
    assert materialized(ingest(ready, load_range)) == []
    later = ready.at(dt.datetime(2022, 2, 11, 6, tzinfo=dt.UTC))
    assert materialized(ingest(later, load_range)) == ["usa|2022-02-11"]
    assert ledger(later.warehouse) == [(file, "refused"), (file, "loaded")]


# The small decisions ---------------------------------------------------------------------------------------------------


def test_partition_keys_become_dates_by_folder() -> None:
    assert wanted_dates(["usa|2022-01-31", "canada|2022-01-01", "usa|2022-02-01"]) == {
        "usa": {DAY, dt.date(2022, 2, 1)},
        "canada": {dt.date(2022, 1, 1)},
    }


@pytest.mark.parametrize(
    ("days", "expected"),
    [
        (["2022-01-31"], ["sales/usa/2022/01/31/"]),
        (["2022-01-30", "2022-01-31"], ["sales/usa/2022/01/"]),
        (["2022-01-31", "2022-02-01"], ["sales/usa/2022/01/31/", "sales/usa/2022/02/01/"]),
        (["2023-01-31", "2022-01-31"], ["sales/usa/2022/01/31/", "sales/usa/2023/01/31/"]),
        (["2022-02-01", "2022-01-01", "2022-01-02"], ["sales/usa/2022/01/", "sales/usa/2022/02/01/"]),
    ],
)
def test_as_little_of_the_landing_zone_is_listed_as_the_dates_allow(days: list[str], expected: list[str]) -> None:
    assert prefixes("usa", [dt.date.fromisoformat(day) for day in days]) == expected


@pytest.mark.parametrize(("tags", "said"), [({"dagster/backfill": "b"}, True), ({}, False)])
def test_a_backfill_over_days_without_news_says_why_it_ends_as_failed(
    ready: Deployment, tags: dict[str, str], *, said: bool
) -> None:
    deliver(ready.landing, sales_path(), csv(line(1)))
    wanted = range_tags(LoadRange("usa", DAY - dt.timedelta(days=2), DAY))
    result = ready.run(INGEST_SALES, {**wanted, **tags})
    assert result.success
    assert materialized(result) == [f"usa|{DAY}"]
    messages = [entry.user_message for entry in ready.instance.all_logs(result.run_id)]
    assert any("usa: 2 of the 3 days of this backfill had nothing new" in message for message in messages) is said
