"""Files whose rows belong to several units: each row goes to its unit, and the ledger counts each unit's part."""

import datetime as dt
import random
from collections import Counter

import dagster as dg
import pyarrow as pa
import pytest

from globolatte_assets.jobs import INGEST_SALES
from globolatte_ingest.deliveries import DeliveryPolicy, recent_deliveries
from globolatte_ingest.discovery import LoadRange
from globolatte_ingest.ledger import Ledger, Step
from globolatte_ingest.quarantine_sheets import overview
from globolatte_ingest.requested_steps import retract, to_retry
from globolatte_ingest.waiting import what_waits
from resources.landing.folder import FolderLandingZone
from resources.landing.landing_zone import LandedFile
from resources.warehouse.duckdb_file import DuckDBWarehouse
from sensors.landing import range_tags
from tests.builders import (
    DAY,
    NOW,
    RULES,
    UNITS,
    Deployment,
    ask_for,
    csv,
    deliver,
    deliver_and_load,
    fetch,
    ledger,
    line,
    load,
    materialized,
    quarantine,
    sales,
    sales_path,
)

A, B, CANADIAN = sales_path("a.csv"), sales_path("b.csv"), sales_path("c.csv", "canada")
PARTS = "path, parts.business_unit, parts.status, rows_in_part, parts.rows_loaded, parts.rows_quarantined"


def of(unit: str, number: int, **fields: str) -> dict[str, str]:
    return line(number, business_unit=unit, **fields)


def parts(warehouse: DuckDBWarehouse) -> list[tuple[object, ...]]:
    return fetch(
        warehouse,
        f"select {PARTS} from sales_data.load_parts as parts inner join sales_data.load_ledger using (load_id) order by sequence, 2",
    )


def test_each_row_of_a_chain_file_goes_to_its_unit_and_each_part_has_its_counts(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    lines = [of("BU_US", 1), of("BU_CA", 1), of("BU_MX", 2, quantity="x"), of("BU_FR", 3), of("", 4)]
    report = deliver_and_load(warehouse, landing, A, *lines)
    assert (report.rows_loaded, report.rows_quarantined) == (3, 2)
    assert sales(warehouse, "row_number, business_unit, business_date") == [
        (1, "BU_US", DAY),
        (2, "BU_CA", DAY),
        (5, "BU_US", DAY),
    ]
    assert quarantine(warehouse, "row_number, quarantine.business_unit, reason") == [
        (3, "BU_MX", "bad_number"),
        (4, "BU_US", "unknown_business_unit"),
    ]
    assert parts(warehouse) == [
        (A, "BU_CA", "loaded", 1, 1, 0),
        (A, "BU_MX", "loaded", 1, 0, 1),
        (A, "BU_US", "loaded", 3, 2, 1),
    ]
    assert ledger(warehouse, "business_unit, rows_in_file, rows_loaded, rows_quarantined") == [("BU_US", 5, 3, 2)]


def test_a_file_of_one_unit_has_one_part_equal_to_its_entry_also_when_it_is_refused_held_replaced_or_retracted(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    deliver_and_load(warehouse, landing, A, line(1), line(2, quantity="x"))
    load(warehouse, landing, deliver(landing, A, b"oh no"))
    load(warehouse, landing, deliver(landing, A, csv(line(1, quantity="x"))), max_bad_share=0.2)
    deliver_and_load(warehouse, landing, A, line(1))
    assert [row[2:] for row in parts(warehouse)] == [
        ("superseded", 2, 1, 1),
        ("refused", None, None, None),
        ("superseded", 1, 0, 1),
        ("loaded", 1, 1, 0),
    ]
    counts = "business_unit, business_date, status, reason_code, reason, rows_in_{}, rows_loaded, rows_quarantined"
    assert fetch(
        warehouse, f"select load_id, {counts.format('part')} from sales_data.load_parts order by all"
    ) == fetch(warehouse, f"select load_id, {counts.format('file')} from sales_data.load_ledger order by all")


def test_a_file_whose_rows_all_name_another_unit_than_its_folder_s_waits_for_a_person(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    held = deliver(landing, A, csv(of("BU_CA", 1), of("BU_CA", 2), of("BU_CA", 3, quantity="x")))
    report = load(warehouse, landing, held)
    assert report.held == (
        (
            A,
            "all its rows name BU_CA, its folder belongs to BU_US; nothing is loaded: move the file to that unit's folder, or, if this is "
            "right, load it by `globolatte quarantine release`",
        ),
    )
    assert (sales(warehouse), ledger(warehouse, "status, reason_code")) == ([], [("held", "another_unit")])
    ask_for(warehouse, Step.APPROVE, A)
    load(warehouse, landing, held)
    assert sales(warehouse, "row_number, business_unit") == [(1, "BU_CA"), (2, "BU_CA")]


def test_rows_of_a_unit_that_is_not_known_yet_hold_no_file_of_several_units_and_wait_for_it(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    lines = [of("BU_US", 1), of("BU_CA", 2), of("BU_FR", 3), of("BU_FR", 4)]
    landed = deliver(landing, A, csv(*lines))
    assert load(warehouse, landing, landed, max_bad_share=0.2).held == ()
    assert quarantine(warehouse) == [(A, 3, "unknown_business_unit"), (A, 4, "unknown_business_unit")]
    with warehouse.transaction() as transaction:
        transaction.execute(
            "insert into sales_data.business_units (business_unit_id, country, unit_name, folder, time_zone) "
            "values ('BU_FR', 'France', 'France', 'france', 'UTC')"
        )
    ask_for(warehouse, Step.RETRY, A)
    load(warehouse, landing, landed, max_bad_share=0.2)
    assert sales(warehouse, "row_number, business_unit") == [(1, "BU_US"), (2, "BU_CA"), (3, "BU_FR"), (4, "BU_FR")]


def test_a_correction_that_takes_away_too_much_of_one_unit_holds_that_units_part_and_a_release_loads_it(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    american = [of("BU_US", number) for number in range(9)]
    limit = {"max_take_away": 0.5}
    load(warehouse, landing, deliver(landing, A, csv(*american, of("BU_CA", 1), of("BU_CA", 2))), **limit)
    without = deliver(landing, A, csv(*american[:8], of("BU_MX", 1)))
    report = load(warehouse, landing, without, **limit)
    assert (report.loaded, report.held) == (
        (A,),
        (
            (
                A,
                "held in part: its part of BU_CA: has 0 good rows, the version loaded before has 2: that takes away more than 50% of it "
                "(GLOBOLATTE_MAX_TAKE_AWAY). The version before stays: upload the file complete, or, if this is right, load it by "
                "`globolatte quarantine release`",
            ),
        ),
    )
    assert [row[1:] for row in parts(warehouse)] == [
        ("BU_CA", "loaded", 2, 2, 0),
        ("BU_US", "superseded", 9, 9, 0),
        ("BU_CA", "held", 0, 0, 0),
        ("BU_MX", "loaded", 1, 1, 0),
        ("BU_US", "loaded", 8, 8, 0),
    ]
    assert ledger(warehouse, "status, reason_code, rows_in_file, rows_loaded") == [
        ("loaded", None, 11, 2),
        ("loaded", None, 9, 9),
    ]
    ask_for(warehouse, Step.APPROVE, A)
    load(warehouse, landing, without, **limit)
    assert Counter(unit for (unit,) in sales(warehouse, "business_unit")) == {"BU_US": 8, "BU_MX": 1}
    assert [status for _, status in ledger(warehouse)] == ["superseded", "superseded", "loaded"]
    half = deliver(landing, A, csv(*american[:4], of("BU_MX", 1)))
    assert load(warehouse, landing, half, **limit).held == ()


def held_in_part(warehouse: DuckDBWarehouse, landing: FolderLandingZone) -> LandedFile:
    """A file of which the American rows are good, and two of three Canadian ones bad."""
    lines = [of("BU_US", 1), of("BU_CA", 1), of("BU_CA", 2, quantity="x"), of("BU_CA", 3, quantity="x")]
    held = deliver(landing, A, csv(*lines))
    load(warehouse, landing, held, max_bad_share=0.5)
    return held


def test_too_many_bad_rows_hold_one_units_part_and_everyone_who_reports_what_waits_says_so(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    held_in_part(warehouse, landing)
    assert sales(warehouse, "row_number, business_unit") == [(1, "BU_US")]
    assert parts(warehouse) == [(A, "BU_CA", "held", 3, 0, 2), (A, "BU_US", "loaded", 1, 1, 0)]
    assert ledger(warehouse, "status, rows_in_file, rows_loaded, rows_quarantined") == [("loaded", 4, 1, 2)]
    [item] = what_waits(warehouse, landing, RULES, NOW)
    assert (item.name, item.status) == ("held usa", "held")
    assert "held in part: its part of BU_CA: 2 of 3 rows are bad, more than 50%" in item.text
    with warehouse.transaction() as transaction:
        assert Ledger(transaction).unbalanced_files() == []
        assert [(file["status"], file["reasons"]) for file in overview(transaction)] == [
            ("held in part", "bad_number 2")
        ]
        assert to_retry(transaction, "usa") == [A]
        due = recent_deliveries(transaction, DeliveryPolicy(DAY), NOW.replace(tzinfo=dt.UTC))
    assert due["usa"].delivered == due["canada"].held == {DAY}
    assert not due["canada"].delivered


def test_a_version_whose_held_part_was_replaced_says_no_longer_that_it_is_held(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    held_in_part(warehouse, landing)
    lines = [of("BU_US", 1, quantity="x"), of("BU_CA", 1), of("BU_CA", 2)]
    load(warehouse, landing, deliver(landing, A, csv(*lines)), max_bad_share=0.5)
    first, second = ledger(warehouse, "status, reason")
    assert first == ("loaded", None)
    assert str(second[1]).startswith("held in part: its part of BU_US")
    assert fetch(
        warehouse,
        "select parts.business_unit, parts.status, parts.reason from sales_data.load_parts as parts inner join sales_data.load_ledger "
        "as ledger using (load_id) where superseded_by is not null and parts.status = 'loaded'",
    ) == [("BU_US", "loaded", None)]


@pytest.mark.parametrize("step", [Step.APPROVE, Step.RETRACT])
def test_a_held_part_has_delivered_nothing_until_it_is_released(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone, step: Step
) -> None:
    held = held_in_part(warehouse, landing)
    deliver_and_load(warehouse, landing, CANADIAN, of("BU_CA", 1), of("BU_CA", 4))
    assert sales(warehouse, "path, row_number") == [(CANADIAN, 1), (CANADIAN, 2), (A, 1)]
    ask_for(warehouse, step, A)
    if step == Step.APPROVE:
        load(warehouse, landing, held, max_bad_share=0.5)
        assert quarantine(warehouse) == [(A, 2, "duplicate_across_files"), (A, 3, "bad_number"), (A, 4, "bad_number")]
        assert ledger(warehouse, "path, status, rows_loaded, reason")[-1] == (
            A,
            "loaded",
            1,
            "approved by ana: because",
        )
    else:
        with warehouse.transaction() as transaction:
            retract(transaction, Ledger(transaction).open_steps(), "run", NOW)
        assert sales(warehouse, "path, row_number") == [(CANADIAN, 1), (CANADIAN, 2)]
        assert {status for _, _, status, *_ in parts(warehouse)} == {"retracted", "loaded"}


def test_a_part_of_several_is_released_with_its_corrected_rows(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    held = held_in_part(warehouse, landing)
    rows = pa.Table.from_pylist([{**of("BU_CA", number), "row_number": number + 1} for number in (2, 3)])
    ask_for(warehouse, Step.RELEASE, A, rows)
    load(warehouse, landing, held, max_bad_share=0.5)
    assert sales(warehouse, "row_number, business_unit") == [(1, "BU_US"), *((row, "BU_CA") for row in (2, 3, 4))]
    assert parts(warehouse)[2:] == [(A, "BU_CA", "loaded", 3, 3, 0), (A, "BU_US", "loaded", 1, 1, 0)]


def test_a_file_of_which_every_part_is_held_is_held(warehouse: DuckDBWarehouse, landing: FolderLandingZone) -> None:
    lines = [of(unit, number, quantity="x") for unit in ("BU_CA", "BU_MX") for number in (1, 2)]
    report = load(warehouse, landing, deliver(landing, A, csv(*lines)), max_bad_share=0.5)
    assert report.loaded == ()
    assert ledger(warehouse, "status, reason_code, rows_in_file, rows_loaded, rows_quarantined") == [
        ("held", "too_many_bad_rows", 4, 0, 4)
    ]
    assert {status for _, _, status, *_ in parts(warehouse)} == {"held"}


def test_a_line_id_is_owned_within_its_unit_whichever_file_brings_it(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    deliver_and_load(warehouse, landing, A, of("BU_US", 1), of("BU_CA", 1))
    deliver_and_load(warehouse, landing, CANADIAN, of("BU_CA", 1), of("BU_CA", 2))
    assert quarantine(warehouse) == [(CANADIAN, 1, "duplicate_across_files")]
    deliver_and_load(warehouse, landing, A, of("BU_US", 1))
    assert quarantine(warehouse) == []
    assert sales(warehouse, "path, row_number, business_unit") == [
        (CANADIAN, 1, "BU_CA"),
        (CANADIAN, 2, "BU_CA"),
        (A, 1, "BU_US"),
    ]


def test_random_chain_files_conserve_every_row_of_every_part(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    """Each line id of a unit is loaded once if any file that is loaded has it, and the parts add up to the files."""
    chance = random.Random(7)
    present: dict[str, list[dict[str, str]]] = {}
    for _ in range(6):
        batch = []
        for path, own in ((A, "BU_US"), (B, "BU_US"), (CANADIAN, "BU_CA")):
            if chance.random() < 0.6:
                lines = [of(own, 0), *(of(chance.choice([*UNITS.values()]), chance.randint(1, 4)) for _ in range(4))]
                present[path] = lines
                batch.append(deliver(landing, path, csv(*lines)))
        load(warehouse, landing, *batch)
        expected = {(row["business_unit"], row["transaction_id"]) for lines in present.values() for row in lines}
        found = sales(warehouse, "business_unit, transaction_id")
        assert (len(found), set(found)) == (len(expected), expected)
        with warehouse.transaction() as transaction:
            assert Ledger(transaction).unbalanced_files() == []


def test_every_partition_that_a_chain_file_touches_is_materialized_also_when_it_no_longer_does(
    ready: Deployment,
) -> None:
    deliver(ready.landing, A, csv(of("BU_US", 1), of("BU_CA", 1)))
    assert materialized(ingest(ready)) == [f"usa|{DAY}", f"canada|{DAY}"]
    deliver(ready.landing, A, csv(of("BU_US", 1), of("BU_MX", 1)))
    assert materialized(ingest(ready)) == [f"usa|{DAY}", f"mexico|{DAY}"], "what is held of Canada stays as it was"
    ask_for(ready.warehouse, Step.APPROVE, A)
    assert materialized(ingest(ready)) == [f"usa|{DAY}", f"canada|{DAY}", f"mexico|{DAY}"]
    assert materialized(ingest(ready)) == []


def ingest(ready: Deployment) -> dg.ExecuteInProcessResult:
    return ready.run(INGEST_SALES, range_tags(LoadRange("usa", DAY, DAY)))
