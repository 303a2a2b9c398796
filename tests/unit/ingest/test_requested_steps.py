"""What people request, done by the ingest job for exactly the file's partition: approve, release, retry, retract."""

import dagster as dg
import pyarrow as pa
import pytest

from globolatte_assets.jobs import INGEST_SALES
from globolatte_ingest.discovery import LoadRange
from globolatte_ingest.ledger import Ledger, Step
from globolatte_ingest.quarantine_sheets import quarantined_rows
from globolatte_ingest.reading.sales import SALES_COLUMNS
from globolatte_ingest.requested_steps import CannotBeDoneError, requested_step, to_retry
from sensors.landing import range_tags
from tests.builders import (
    DAY,
    NOW,
    Deployment,
    csv,
    deliver,
    ledger,
    line,
    materialized,
    quarantine,
    sales,
    sales_path,
)

A, B, C = sales_path("a.csv"), sales_path("b.csv"), sales_path("c.csv")
PARTITION = f"usa|{DAY}"


def ingest(ready: Deployment) -> dg.ExecuteInProcessResult:
    result = ready.run(INGEST_SALES, range_tags(LoadRange("usa", DAY, DAY)))
    assert result.success
    with ready.warehouse.transaction() as transaction:
        assert Ledger(transaction).unbalanced_files() == []
    return result


def request(ready: Deployment, step: Step, path: str = A, *corrected: dict[str, str]) -> str:
    """Requests a step; `corrected` are lines with a `row_number`."""
    rows = pa.Table.from_pylist([*corrected]) if corrected else None
    with ready.warehouse.transaction() as transaction:
        lying = quarantined_rows(transaction, path)["row_number"].to_pylist()
        numbers = rows["row_number"].to_pylist() if rows is not None else []
        step_of_file = requested_step(step, Ledger(transaction).history(path), "ana", "because", numbers, lying)
        Ledger(transaction).request(step_of_file, NOW, rows)
    return step_of_file.step_id


def outcome(ready: Deployment, step_id: str) -> str | None:
    return ready.warehouse.read("sales_data.ledger_steps", ["outcome"], {"step_id": step_id})["outcome"][0].as_py()


def bad(number: int, **fields: str) -> dict[str, str]:
    return line(number, **{"quantity": "x", **fields})


def transactions(ready: Deployment) -> list[tuple[object, ...]]:
    return sales(ready.warehouse, "path, row_number, transaction_id, quantity")


def test_approval_loads_the_good_rows_of_a_held_file(ready: Deployment) -> None:
    deliver(ready.landing, A, csv(line(1), bad(2)))
    assert materialized(ingest(ready)) == []
    step = request(ready, Step.APPROVE)
    assert materialized(ingest(ready)) == [PARTITION]
    assert transactions(ready) == [(A, 1, "T00000001", 1)]
    assert quarantine(ready.warehouse) == [(A, 2, "bad_number")]
    assert ledger(ready.warehouse, "status, reason, attempt")[1] == ("loaded", "approved by ana: because", 2)
    assert [status for _, status in ledger(ready.warehouse)] == ["superseded", "loaded"]
    assert outcome(ready, step) == "loaded (1 rows loaded, 1 quarantined)"
    assert materialized(ingest(ready)) == []


def test_an_approval_holds_for_the_same_content_when_it_comes_back_and_for_no_other(ready: Deployment) -> None:
    deliver(ready.landing, A, csv(line(1), bad(2)))
    ingest(ready)
    request(ready, Step.APPROVE)
    ingest(ready)
    deliver(ready.landing, A, csv(line(9)))
    ingest(ready)
    deliver(ready.landing, A, csv(line(1), bad(2)))
    ingest(ready)
    deliver(ready.landing, A, csv(line(3), bad(4)))
    ingest(ready)
    assert [status for _, status in ledger(ready.warehouse)] == ["superseded"] * 3 + ["loaded", "held"]
    assert transactions(ready) == [(A, 1, "T00000001", 1)]


def test_corrected_rows_are_put_back_in_their_places_and_the_rest_stays(ready: Deployment) -> None:
    deliver(ready.landing, A, csv(*(line(n) for n in range(1, 17)), bad(17), bad(18)) + b"broken\n")
    ingest(ready)
    corrected = [
        {**line(17, quantity="2"), "row_number": 17},
        {**bad(18, quantity="y"), "row_number": 18},
        {**line(19), "row_number": 19},
    ]
    step = request(ready, Step.RELEASE, A, *corrected)
    assert materialized(ingest(ready)) == [PARTITION]
    assert transactions(ready)[15:] == [(A, 16, "T00000016", 1), (A, 17, "T00000017", 2), (A, 19, "T00000019", 1)]
    assert quarantine(ready.warehouse, "row_number, line_number, reason, quantity_text, raw_text") == [
        (18, 19, "bad_number", "y", ",".join(bad(18).values()))
    ]
    assert ledger(ready.warehouse, "status, rows_in_file, rows_loaded, rows_quarantined") == [
        ("superseded", 19, 16, 3),
        ("loaded", 19, 18, 1),
    ]
    assert outcome(ready, step) == "loaded (18 rows loaded, 1 quarantined)"


def test_corrections_stay_with_the_content_and_the_latest_of_a_row_counts(ready: Deployment) -> None:
    deliver(ready.landing, A, csv(*(line(n) for n in range(1, 10)), bad(10)))
    ingest(ready)
    request(ready, Step.RELEASE, A, {**line(10, quantity="y"), "row_number": 10})
    ingest(ready)
    request(ready, Step.RELEASE, A, {**line(10, quantity="7"), "row_number": 10})
    ingest(ready)
    deliver(ready.landing, A, csv(*(line(n) for n in range(1, 10)), bad(10)))
    ingest(ready)
    assert transactions(ready)[-1] == (A, 10, "T00000010", 7)
    deliver(ready.landing, A, csv(*(line(n) for n in range(1, 9)), bad(10)))
    ingest(ready)
    assert quarantine(ready.warehouse) == [(A, 9, "bad_number")]


def test_retry_validates_again_under_the_reference_data_of_now(ready: Deployment) -> None:
    deliver(ready.landing, A, csv(*(line(n) for n in range(1, 10)), line(10, product_id="P999")))
    ingest(ready)
    with ready.warehouse.transaction() as transaction:
        transaction.execute(
            "insert into sales_data.products (product_id, product_name, price) values ('P999', 'New', 1)"
        )
    request(ready, Step.RETRY)
    assert materialized(ingest(ready)) == [PARTITION]
    assert len(transactions(ready)) == 10
    assert quarantine(ready.warehouse) == []


def test_retraction_takes_the_rows_out_and_the_partition_materializes_anew(ready: Deployment) -> None:
    deliver(ready.landing, A, csv(line(1)))
    ingest(ready)
    step = request(ready, Step.RETRACT)
    assert materialized(ingest(ready)) == [PARTITION]
    assert transactions(ready) == []
    assert ledger(ready.warehouse, "status, reason") == [("retracted", "retracted by ana: because")]
    assert outcome(ready, step) == "1 rows taken out"
    assert materialized(ingest(ready)) == []
    deliver(ready.landing, A, csv(line(1)))
    assert materialized(ingest(ready)) == [], "the same bytes are no news"
    request(ready, Step.RETRY)
    assert materialized(ingest(ready)) == [PARTITION]
    assert transactions(ready) == [(A, 1, "T00000001", 1)]


def test_retraction_settles_ownership_again_and_forfeits_seniority(ready: Deployment) -> None:
    deliver(ready.landing, A, csv(line(1), line(2)))
    deliver(ready.landing, B, csv(line(1), line(3)))
    ingest(ready)
    assert quarantine(ready.warehouse) == [(B, 1, "duplicate_across_files")]
    request(ready, Step.RETRACT)
    ingest(ready)
    assert transactions(ready) == [(B, 1, "T00000001", 1), (B, 2, "T00000003", 1)]
    assert quarantine(ready.warehouse) == []
    request(ready, Step.RETRY)
    ingest(ready)
    assert transactions(ready) == [(A, 2, "T00000002", 1), (B, 1, "T00000001", 1), (B, 2, "T00000003", 1)]
    assert quarantine(ready.warehouse) == [(A, 1, "duplicate_across_files")]


@pytest.mark.parametrize("retracted", [(A, B), (A, C)], ids=["the-day-sent-twice", "another-file"])
def test_of_several_retractions_in_one_run_each_decides_for_itself(
    ready: Deployment, retracted: tuple[str, str]
) -> None:
    contents = {A: csv(line(1), line(2)), B: csv(line(1), line(2)), C: csv(line(3))}
    for path, content in contents.items():
        deliver(ready.landing, path, content)
        ingest(ready)
    for path in retracted:
        request(ready, Step.RETRACT, path)
    ingest(ready)
    left = {C: [(C, 1, "T00000003", 1)], B: [(B, 1, "T00000001", 1), (B, 2, "T00000002", 1)]}
    assert transactions(ready) == [row for path in left if path not in retracted for row in left[path]]
    assert quarantine(ready.warehouse) == []


def test_retracting_takes_a_held_version_with_it(ready: Deployment) -> None:
    deliver(ready.landing, A, csv(line(1)))
    ingest(ready)
    deliver(ready.landing, A, csv(bad(1)))
    ingest(ready)
    request(ready, Step.RETRACT)
    ingest(ready)
    assert [status for _, status in ledger(ready.warehouse)] == ["retracted", "retracted"]
    assert transactions(ready) == []


def test_a_step_about_a_version_that_was_replaced_does_nothing(ready: Deployment) -> None:
    deliver(ready.landing, A, csv(line(1), bad(2)))
    ingest(ready)
    step = request(ready, Step.APPROVE)
    deliver(ready.landing, A, csv(line(5)))
    ingest(ready)
    assert transactions(ready) == [(A, 1, "T00000005", 1)]
    assert outcome(ready, step) == "nothing done: the file was replaced or removed since"
    with ready.warehouse.transaction() as transaction:
        assert Ledger(transaction).open_steps() == []


def test_a_refused_file_can_be_tried_again(ready: Deployment) -> None:
    deliver(ready.landing, A, csv(line(1, payment_method="café")).decode().encode("latin-1"))
    ingest(ready)
    assert ledger(ready.warehouse, "status, reason_code") == [("refused", "not_text")]
    with ready.warehouse.transaction() as transaction:
        transaction.execute("update sales_data.business_units set encoding = 'latin-1' where folder = 'usa'")
    request(ready, Step.RETRY)
    ingest(ready)
    assert sales(ready.warehouse, "payment_method") == [("café",)]


def test_a_unit_tries_again_what_may_load_now_and_nothing_else(ready: Deployment) -> None:
    for name, content in (("a", b"\x00"), ("b", csv(line(1), bad(2))), ("c", csv(line(3))), ("d", csv(bad(4)))):
        deliver(ready.landing, sales_path(f"{name}.csv"), content)
    deliver(ready.landing, sales_path("e.csv", folder="canada"), b"\x00")
    ingest(ready)
    with ready.warehouse.transaction() as transaction:
        assert to_retry(transaction, "usa") == [sales_path(f"{name}.csv") for name in ("a", "b", "d")]
        assert to_retry(transaction, "canada") == []
    deliver(ready.landing, sales_path("b.csv"), csv(line(1), line(2)))
    ingest(ready)
    with ready.warehouse.transaction() as transaction:
        assert to_retry(transaction, "usa") == [sales_path("a.csv"), sales_path("d.csv")]


@pytest.mark.parametrize(
    ("contents", "step", "message"),
    [
        ([], Step.RETRACT, "is not in the ledger"),
        ([b"refused"], Step.RETRACT, "nothing of it is loaded or held"),
        ([csv(line(1))], Step.APPROVE, "only a held file can be approved"),
        ([csv(bad(1)), b"refused"], Step.APPROVE, "was replaced since by a version that is refused"),
    ],
    ids=["unknown", "refused", "not-held", "replaced"],
)
def test_what_makes_no_sense_is_refused_with_a_remedy(
    ready: Deployment, contents: list[bytes], step: Step, message: str
) -> None:
    for content in contents:
        deliver(ready.landing, A, content)
        ingest(ready)
    with pytest.raises(CannotBeDoneError, match=message):
        request(ready, step)


def test_only_rows_that_lie_in_quarantine_can_be_put_back(ready: Deployment) -> None:
    deliver(ready.landing, A, csv(*(line(n) for n in range(1, 10)), bad(10)))
    ingest(ready)
    with pytest.raises(CannotBeDoneError, match="row 1 does not lie in quarantine"):
        request(ready, Step.RELEASE, A, {**line(1, quantity="9"), "row_number": 1})


def test_a_step_is_found_as_work_to_do_when_nobody_did_it(ready: Deployment) -> None:
    from resources.environment import clock_of
    from sensors.landing import REQUESTED_BY_A_PERSON, listing_of, look

    deliver(ready.landing, A, csv(line(1)))
    ingest(ready)
    request(ready, Step.RETRACT)
    backlog = look(
        ready.instance,
        ready.settings,
        listing_of(ready.landing),
        ready.warehouse,
        clock_of(ready.settings),
        REQUESTED_BY_A_PERSON,
    )
    assert [(load.folder, load.first, load.last) for load in backlog.loads] == [("usa", DAY, DAY)]


def test_corrections_have_the_columns_of_a_sales_file(ready: Deployment) -> None:
    held = ready.warehouse.read("sales_data.row_corrections")
    assert set(SALES_COLUMNS) < set(held.column_names)
