"""Files with too many bad rows: held until someone approves them, and nothing of them is loaded meanwhile."""

import datetime as dt
from dataclasses import replace

import pytest

from globolatte_ingest.ledger import Ledger, Step
from globolatte_ingest.reasons import ReasonCode
from globolatte_ingest.validation import FilePart, HoldLimits, held_for, held_for_taking_away, holds, parts_to_decide_on
from resources.landing.folder import FolderLandingZone
from resources.warehouse.duckdb_file import DuckDBWarehouse
from tests.builders import DAY, ask_for, csv, deliver, fetch, ledger, line, load, sales, sales_path

A, B = sales_path("a.csv"), sales_path("b.csv")


@pytest.mark.parametrize(
    ("rows", "bad", "limit", "is_held"),
    [
        (0, 0, 0.2, False),
        (5, 1, 0.2, False),
        (5, 2, 0.2, True),
        (1, 1, 1.0, False),
        (1000, 1, 0.0, True),
        (1000, 0, 0.0, False),
    ],
)
def test_a_file_is_held_when_more_than_the_allowed_share_of_its_rows_is_bad(
    rows: int, bad: int, limit: float, is_held: bool
) -> None:
    assert (held_for(rows, bad, limit) is not None) is is_held


@pytest.mark.parametrize(
    ("before", "rows", "limit", "is_held"),
    [
        (0, 0, 0.5, False),
        (10, 5, 0.5, False),
        (10, 4, 0.5, True),
        (10, 20, 0.5, False),
        (10, 0, 1.0, False),
        (1, 0, 0.5, True),
    ],
)
def test_a_correction_is_held_when_it_takes_away_more_than_the_allowed_share(
    before: int, rows: int, limit: float, is_held: bool
) -> None:
    assert (held_for_taking_away(before, rows, limit) is not None) is is_held


LIMITS = HoldLimits(max_bad_share=0.2, max_take_away=0.5)
US, CA = FilePart("BU_US", DAY, good=9, bad=1, named=10), FilePart("BU_CA", DAY, good=8, bad=2, named=10)
BAD, AWAY, STRAY = ReasonCode.TOO_MANY_BAD_ROWS, ReasonCode.TAKES_AWAY_TOO_MUCH, ReasonCode.ANOTHER_UNIT
OTHER = ReasonCode.OTHER_DATES


@pytest.mark.parametrize(
    ("parts", "held"),
    [
        ([US, CA], [None, None]),
        ([US, replace(CA, bad=3)], [None, BAD]),
        ([replace(US, bad=3), replace(CA, bad=3)], [BAD, BAD]),
        ([replace(US, good=0, bad=0, named=0), replace(CA, bad=3), replace(CA, business_unit="BU_MX", bad=3)], [BAD, BAD, BAD]),
        ([US, replace(CA, conflicts=1)], [None, BAD]),
        ([US, replace(CA, before=17)], [None, AWAY]),
        ([US, replace(CA, good=0, bad=0, named=0, before=1)], [None, AWAY]),
        ([replace(US, bad=9, unknown=9), CA], [None, None]),
        ([replace(US, bad=9, unknown=9)], [BAD]),
        ([replace(US, good=0, bad=0, named=0), CA], [STRAY, STRAY]),
        ([replace(US, good=0, bad=1, named=0), CA], [BAD, BAD]),
        ([replace(US, good=0, bad=0, named=0)], [None]),
    ],
    ids=[
        "nothing", "one-part", "every-part", "every-part-that-has-rows", "conflicts", "takes-away", "a-part-is-gone", "waits-for-its-unit",
        "of-one-unit", "another-unit", "another-unit-and-bad", "no-sales",
    ],
)  # fmt: skip
def test_each_part_is_held_by_the_first_rule_that_it_breaks(
    parts: list[FilePart], held: list[ReasonCode | None]
) -> None:
    assert [hold and hold.code for hold in holds(parts_to_decide_on(parts), "BU_US", LIMITS)] == held


NEXT = replace(US, business_date=DAY + dt.timedelta(days=1))


@pytest.mark.parametrize(
    ("parts", "limit", "held"),
    [
        ([replace(US, good=0, bad=0, before=9), NEXT], 0.5, [OTHER] * 2),
        ([replace(US, good=1, bad=0, before=9), replace(CA, good=0, bad=0, before=9), NEXT], 0.5, [OTHER] * 3),
        ([replace(US, good=0, bad=0, before=9), replace(NEXT, bad=9)], 0.5, [OTHER] * 2),
        ([replace(US, good=0, bad=0, before=9), replace(CA, before=8), NEXT], 0.5, [AWAY, None, None]),
        ([replace(US, good=5, before=9), NEXT], 0.5, [None, None]),
        ([replace(US, good=0, bad=0, before=9), replace(CA, before=0)], 0.5, [AWAY, None]),
        ([replace(US, good=0, bad=0, before=9), replace(NEXT, good=0)], 0.5, [AWAY, BAD]),
        ([replace(US, good=0, bad=0, before=9), NEXT], 1.0, [None, None]),
        ([US, NEXT], 0.5, [None, None]),
    ],
    ids=[
        "next-day", "with-some-late-rows", "and-bad", "one-unit-complete", "a-correction", "the-same-date", "no-good-row", "allowed",
        "first-delivery",
    ],
)  # fmt: skip
def test_a_version_in_the_place_of_other_dates_is_held_as_a_whole_where_the_path_tells_no_date(
    parts: list[FilePart], limit: float, held: list[ReasonCode | None]
) -> None:
    limits = HoldLimits(max_bad_share=0.2, max_take_away=limit)
    decided = holds(parts_to_decide_on(parts), "BU_US", limits, tells_date=False)
    assert [hold and hold.code for hold in decided] == held


def lines(good: int, bad: int, first: int = 1) -> list[dict[str, str]]:
    return [
        *(line(number) for number in range(first, first + good)),
        *(line(number, quantity="x") for number in range(first + good, first + good + bad)),
    ]


def test_of_a_held_file_nothing_is_loaded_and_everything_is_in_the_ledger(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    report = load(warehouse, landing, deliver(landing, A, csv(*lines(3, 1))), max_bad_share=0.2)
    assert ([path for path, _ in report.held], report.loaded, report.rows_loaded) == ([A], (), 0)
    assert ledger(warehouse, "path, status, reason_code, rows_in_file, rows_loaded, rows_quarantined") == [
        (A, "held", "too_many_bad_rows", 4, 0, 1)
    ]
    assert sales(warehouse) == []
    assert fetch(warehouse, "select row_number, line_number, reason from sales_data.quarantine") == [
        (4, 5, "bad_number")
    ]
    with warehouse.transaction() as transaction:
        assert Ledger(transaction).unbalanced_files() == []


@pytest.mark.parametrize(
    "content",
    [
        csv(*lines(3, 0)) + b"short\n",
        csv(line(1), line(2), line(3), line(1)),
        csv(*lines(3, 0)) + b'T00000009,O1,BU_US,P001,C0001,1,3.50,2022-01-31,"ca"rd,Sunny\n',
    ],
    ids=["wrong-field-count", "duplicate-in-file", "unparseable"],
)
def test_whatever_is_wrong_with_a_row_counts(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone, content: bytes
) -> None:
    assert load(warehouse, landing, deliver(landing, A, content), max_bad_share=0.2).held
    assert not load(warehouse, landing, deliver(landing, B, content), max_bad_share=0.25).held


def test_a_day_sent_again_under_another_name_is_not_held(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    content = csv(*lines(3, 0))
    for path in (A, B):
        assert load(warehouse, landing, deliver(landing, path, content), max_bad_share=0.2).loaded == (path,)
    assert [path for path, *_ in sales(warehouse)] == [A] * 3


def test_a_held_correction_leaves_the_last_good_version_in_place(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    for content in (lines(2, 0), lines(1, 1), lines(2, 2)):
        load(warehouse, landing, deliver(landing, A, csv(*content)), max_bad_share=0.2)
    assert [status for _, status in ledger(warehouse)] == ["loaded", "superseded", "held"]
    assert len(sales(warehouse)) == 2
    load(warehouse, landing, deliver(landing, A, csv(*lines(1, 0, first=9))), max_bad_share=0.2)
    assert [status for _, status in ledger(warehouse)] == ["superseded", "superseded", "superseded", "loaded"]
    assert [transaction for *_, transaction in sales(warehouse)] == ["T00000009"]


def test_a_held_file_owns_no_transaction(warehouse: DuckDBWarehouse, landing: FolderLandingZone) -> None:
    batch = [deliver(landing, A, csv(*lines(3, 3))), deliver(landing, B, csv(*lines(3, 0)))]
    load(warehouse, landing, *batch, max_bad_share=0.2)
    assert [path for path, *_ in sales(warehouse)] == [B] * 3


def test_a_correction_that_takes_away_too_much_waits_for_a_person(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    """A day without sales is a valid first delivery; a header alone in place of a good day's file is not certain to be meant."""
    limit = {"max_take_away": 0.5}
    load(warehouse, landing, deliver(landing, B, csv()), deliver(landing, A, csv(*lines(10, 0))), **limit)
    assert ledger(warehouse) == [(B, "loaded"), (A, "loaded")]
    for content, good in ((csv(), 0), (csv(*lines(4, 0)), 4)):
        report = load(warehouse, landing, deliver(landing, A, content), **limit)
        assert report.held == (
            (
                A,
                f"has {good} good rows, the version loaded before has 10: that takes away more than 50% of it (GLOBOLATTE_MAX_TAKE_AWAY). "
                "The version before stays: upload the file complete, or, if this is right, load it by `globolatte quarantine release`",
            ),
        )
        assert len(sales(warehouse)) == 10
    assert ledger(warehouse, "status, reason_code")[-1] == ("held", "takes_away_too_much")
    load(warehouse, landing, deliver(landing, A, csv(*lines(5, 0))), **limit)
    assert len(sales(warehouse)) == 5
    held = deliver(landing, A, csv(*lines(1, 0)))
    load(warehouse, landing, held, **limit)
    ask_for(warehouse, Step.APPROVE, A)
    load(warehouse, landing, held, **limit)
    assert len(sales(warehouse)) == 1
    assert ledger(warehouse, "status, reason")[-1] == ("loaded", "approved by ana: because")
