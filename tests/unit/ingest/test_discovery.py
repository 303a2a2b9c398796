"""What is pending: tables of listings, what the ledger knows, and what follows."""

import datetime as dt
from collections.abc import Callable, Sequence

import pyarrow as pa
import pytest

from globolatte_ingest.discovery import LoadRange, Pending, RetryPolicy, Turn, coalesce, find_pending, unrecorded
from globolatte_ingest.ledger import Attempts, CrashedLoad, Ledger, LedgerStatus
from globolatte_ingest.paths import SalesFile
from globolatte_ingest.reasons import ReasonCode
from resources.landing.landing_zone import LandedFile
from resources.warehouse.duckdb_file import DuckDBWarehouse
from tests.builders import DAY, NOW, RULES, sales_path

POLICY = RetryPolicy(max_attempts=3, base_seconds=60)
SECOND = dt.timedelta(seconds=1)
Known = tuple[LandedFile, LedgerStatus, ReasonCode | None]


def file(path: str, etag: str = "1") -> LandedFile:
    return LandedFile(path, etag, 100)


def sales_file(folder: str, day: int, name: str = "a.csv", etag: str = "1") -> SalesFile:
    date = dt.date(2022, 1, day)
    return SalesFile(file(sales_path(name, folder, date), etag), folder, date)


def known(path: str, etag: str = "1", status: str = "loaded", code: ReasonCode | None = None) -> list[Known]:
    return [(file(path, etag), LedgerStatus(status), code)]


@pytest.fixture
def pending(warehouse: DuckDBWarehouse) -> Callable[..., Pending]:
    """What follows from a listing when the ledger has `known`."""

    def find(*listing: LandedFile, known: Sequence[Known] = (), crashed: Sequence[CrashedLoad] = ()) -> Pending:
        with warehouse.transaction() as transaction:
            transaction.stage(
                "listed", pa.table({"place": [0], "path": ["x"], "etag": ["x"], "size_bytes": [0]})
            )  # defined before the first write
            ledger = Ledger(transaction)
            for version, status, code in known:
                ledger.write(ledger.new_entries([version], [""], status, "run", NOW, [(code, "why")]))
            return find_pending(unrecorded(transaction, listing), crashed, RULES, POLICY, NOW)

    return find


PATH = sales_path()
LOAD = Pending(ranges=(LoadRange("usa", DAY, DAY, (SalesFile(file(PATH), "usa", DAY),)),))
NOTHING = Pending()


@pytest.mark.parametrize(
    ("recorded", "expected"),
    [
        ([], LOAD),
        (known(PATH, etag="0"), LOAD),
        (known(PATH, etag="0", status="refused"), LOAD),
        (known(PATH), NOTHING),
        (known(PATH, status="refused", code=ReasonCode.EMPTY_FILE), NOTHING),
        (known(PATH, status="refused", code=ReasonCode.MISPLACED), LOAD),
        (known(sales_path("other.csv")), LOAD),
    ],
    ids=["new", "changed", "changed-after-refusal", "loaded", "refused", "once-misplaced", "another-known"],
)
def test_a_sales_file_is_pending_until_exactly_this_version_is_in_the_ledger(
    pending: Callable[..., Pending], recorded: list[Known], expected: Pending
) -> None:
    assert pending(file(PATH), known=recorded) == expected


def test_a_misplaced_file_is_pending_until_it_is_in_the_ledger(pending: Callable[..., Pending]) -> None:
    path = "sales/france/2022/01/31/a.csv"
    [item] = pending(file(path)).misplaced
    assert (item.file, "'france'" in item.reason) == (file(path), True)
    assert pending(file(path), known=known(path, status="refused", code=ReasonCode.MISPLACED)) == NOTHING
    assert pending(file(path, "2"), known=known(path, code=ReasonCode.MISPLACED)) == NOTHING
    assert len(pending(LandedFile(path, "2", 99), known=known(path, code=ReasonCode.MISPLACED)).misplaced) == 1


REFERENCE = ["reference/business_units.csv", "reference/customers.csv", "reference/products.csv"]


@pytest.mark.parametrize("path", REFERENCE)
def test_a_reference_file_is_pending_until_exactly_this_version_is_in_the_ledger(
    pending: Callable[..., Pending], path: str
) -> None:
    assert pending(file(path)) == Pending(reference=(file(path),))
    assert pending(file(path), known=known(path, etag="0")) == Pending(reference=(file(path),))
    assert pending(file(path), known=known(path)) == NOTHING
    assert pending(file(path), known=known(path, status="refused", code=ReasonCode.MISSING_COLUMN)) == NOTHING


@pytest.mark.parametrize("path", ["reference/README.txt", "reference/prices.csv", "reference/old/products.csv"])
def test_another_file_beside_the_reference_files_is_misplaced_and_holds_nothing_up(
    pending: Callable[..., Pending], path: str
) -> None:
    found = pending(file(path), file(PATH))
    assert found.reference == ()
    assert [item.file.path for item in found.misplaced] == [path]
    assert "reference/" in found.misplaced[0].reason
    assert found.ranges == LOAD.ranges
    assert pending(file(path), known=known(path, status="refused", code=ReasonCode.MISPLACED)) == NOTHING


@pytest.mark.parametrize("path", ["notes.txt", "truth/orders.csv", "Sales/usa/2022/01/31/a.csv"])
def test_a_file_outside_sales_and_reference_is_misplaced_and_not_passed_over(
    pending: Callable[..., Pending], path: str
) -> None:
    [item] = pending(file(path)).misplaced
    assert (item.file, item.reason) == (
        file(path),
        "lies neither under sales/ nor under reference/; move the file there, or remove it",
    )


@pytest.mark.parametrize(
    ("count", "seconds_ago", "due"),
    [
        (1, 59, False),
        (1, 60, True),
        (2, 60, False),
        (2, 119, False),
        (2, 120, True),
        (3, 10_000_000, False),
        (4, 10_000_000, False),
    ],
)
def test_a_crashed_load_is_due_again_after_a_wait_that_doubles_until_attempts_are_used_up(
    count: int, seconds_ago: int, due: bool
) -> None:
    assert (POLICY.turn(Attempts(count, NOW - seconds_ago * SECOND), NOW) is Turn.DUE) is due


def test_a_file_that_was_never_tried_is_due() -> None:
    assert POLICY.turn(None, NOW) is Turn.DUE


def test_crashed_loads_wait_or_are_exhausted_and_the_others_go_ahead(pending: Callable[..., Pending]) -> None:
    new, due, waiting, exhausted = (sales_file("usa", day) for day in (1, 2, 3, 4))
    tried = [
        CrashedLoad(due.file.path, "1", Attempts(1, NOW - 60 * SECOND)),
        CrashedLoad(waiting.file.path, "1", Attempts(2, NOW - 60 * SECOND)),
        CrashedLoad(exhausted.file.path, "1", Attempts(3, NOW - 60 * SECOND)),
        CrashedLoad(new.file.path, "0", Attempts(3, NOW)),  # an earlier version of it
    ]
    found = pending(*(item.file for item in (new, due, waiting, exhausted)), crashed=tried)
    assert found == Pending(ranges=coalesce([new, due]), waiting=(waiting,), exhausted=(exhausted,))
    assert found.file_count == 2


USA = [sales_file("usa", day) for day in (1, 2, 3, 5)]
CANADA = [sales_file("canada", 9)]


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ([], []),
        (USA[:1], [("usa", 1, 1, 1)]),
        (USA, [("usa", 1, 5, 4)]),
        (USA[::-1], [("usa", 1, 5, 4)]),
        ([USA[0], *CANADA, USA[3]], [("canada", 9, 9, 1), ("usa", 1, 5, 2)]),
        ([sales_file("usa", 1, "b.csv"), sales_file("usa", 1, "a.csv")], [("usa", 1, 1, 2)]),
    ],
)
def test_a_backlog_is_one_range_for_each_unit(
    files: list[SalesFile], expected: list[tuple[str, int, int, int]]
) -> None:
    ranges = coalesce(files)
    assert [(load.folder, load.first.day, load.last.day, len(load.files)) for load in ranges] == expected
    assert sorted(item.file for load in ranges for item in load.files) == sorted(item.file for item in files)


def test_a_range_is_named_by_its_file_versions_whatever_their_order() -> None:
    [usual], [reverse] = coalesce(USA), coalesce(USA[::-1])
    [changed] = coalesce([*USA[:3], sales_file("usa", 5, etag="2")])
    [fewer] = coalesce(USA[:3])
    assert usual.digest == reverse.digest
    assert len({usual.digest, changed.digest, fewer.digest}) == 3


def test_a_range_without_files_is_named_by_unit_and_dates() -> None:
    ranges = [LoadRange("usa", DAY, DAY), LoadRange("canada", DAY, DAY), LoadRange("usa", DAY - dt.timedelta(1), DAY)]
    assert len({load.digest for load in ranges}) == 3
