"""The ledger read back: what is known of a path, which loads crashed, what is loaded of a day, who owes Dagster what."""

import datetime as dt
from pathlib import Path

import pytest

from globolatte_ingest.ledger import (
    Announcement,
    Attempts,
    LoadedDay,
    announce,
    known_files,
    known_files_under,
    loaded_days,
    open_attempts,
    settle,
    take_over,
    unsettled_announcements,
)
from globolatte_ingest.ledger_writing import refuse_misplaced
from globolatte_ingest.paths import MisplacedFile
from resources.landing.folder import FolderLandingZone
from resources.landing.landing_zone import LandedFile
from resources.warehouse.duckdb_file import DuckDBWarehouse
from tests.builders import (
    DAY,
    NOW,
    InterferedWarehouse,
    csv,
    deliver,
    deliver_and_load,
    fetch,
    line,
    load,
    sales_path,
)

A, B = sales_path("a.csv"), sales_path("b.csv")
YESTERDAY = DAY - dt.timedelta(days=1)


class CrashError(Exception):
    """What a test throws into a load."""


def crash(warehouse: DuckDBWarehouse, landing: FolderLandingZone, file: LandedFile) -> None:
    """A load that crashes after its attempt is noted."""

    def before(_transaction: object, sql: str) -> None:
        if "fill batch_loads" in sql:
            raise CrashError

    with pytest.raises(CrashError):
        load(InterferedWarehouse(warehouse, before), landing, file)


def crashed(warehouse: DuckDBWarehouse) -> dict[tuple[str, str], Attempts]:
    with warehouse.transaction() as transaction:
        return open_attempts(transaction)


def test_of_a_path_the_latest_version_is_known_whatever_became_of_it(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    deliver_and_load(warehouse, landing, A, line(1))
    deliver_and_load(warehouse, landing, A, line(2))
    refused = deliver(landing, A, b"oh no")
    load(warehouse, landing, refused)
    deliver_and_load(warehouse, landing, B, line(3))
    known = known_files(warehouse)
    assert {path: (file.etag, file.status) for path, file in known.items()} == {
        A: (refused.etag, "refused"),
        B: (next(iter(landing.files(B))).etag, "loaded"),
    }
    assert "column" in str(known[A].reason)


def test_known_files_can_be_asked_for_by_prefix(warehouse: DuckDBWarehouse, landing: FolderLandingZone) -> None:
    odd = sales_path("100%_.csv", date=YESTERDAY)
    for path in (A, odd, sales_path("a.csv", "canada")):
        fields = {"business_unit": "BU_CA"} if "canada" in path else {}
        deliver_and_load(warehouse, landing, path, line(1, **fields))
    with warehouse.transaction() as transaction:
        under = {prefix: set(known_files_under(transaction, prefix)) for prefix in ("sales/usa/", odd, "sales/usa/%")}
    assert under == {"sales/usa/": {A, odd}, odd: {odd}, "sales/usa/%": set()}


def test_a_load_that_crashed_is_an_open_attempt_until_it_is_on_the_record(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    file = deliver(landing, A, csv(line(1)))
    deliver_and_load(warehouse, landing, B, line(2))
    crash(warehouse, landing, file)
    crash(warehouse, landing, file)
    assert crashed(warehouse) == {(A, file.etag): Attempts(2, NOW)}
    load(warehouse, landing, file)
    assert crashed(warehouse) == {}


def test_a_version_that_was_misplaced_once_has_open_attempts_too(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    """Its load would otherwise be asked for again at once and for ever."""
    file = deliver(landing, A, csv(line(1)))
    refuse_misplaced(warehouse, [MisplacedFile(file, "lies in the future")], "run", NOW)
    assert crashed(warehouse) == {}
    crash(warehouse, landing, file)
    assert crashed(warehouse) == {(A, file.etag): Attempts(1, NOW)}
    load(warehouse, landing, file)
    assert crashed(warehouse) == {}


def test_a_version_that_comes_back_and_crashes_has_open_attempts_too(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    file = deliver(landing, A, csv(line(1)))
    load(warehouse, landing, file)
    kept = Path(landing.folder, "kept.csv")
    Path(landing.folder, A).rename(kept)
    deliver_and_load(warehouse, landing, A, line(2))
    kept.replace(Path(landing.folder, A))
    crash(warehouse, landing, file)
    assert crashed(warehouse) == {(A, file.etag): Attempts(2, NOW)}


def days(warehouse: DuckDBWarehouse, first: dt.date = YESTERDAY, last: dt.date = DAY) -> list[LoadedDay]:
    with warehouse.transaction() as transaction:
        return loaded_days(transaction, "usa", first, last)


def test_a_loaded_day_adds_up_its_files(warehouse: DuckDBWarehouse, landing: FolderLandingZone) -> None:
    deliver_and_load(warehouse, landing, A, line(1), line(1))
    deliver_and_load(warehouse, landing, B, line(2), line(3), line(1))
    load(warehouse, landing, deliver(landing, sales_path("c.csv"), b"refused"))
    deliver_and_load(warehouse, landing, sales_path("a.csv", "canada"), line(1, business_unit="BU_CA"))
    [day] = days(warehouse)
    assert day == LoadedDay("usa", DAY, (A, B), 3, 2, day.data_version)


def test_only_days_with_a_loaded_file_within_the_range_are_loaded_days(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    deliver_and_load(warehouse, landing, A)
    load(warehouse, landing, deliver(landing, sales_path(date=YESTERDAY), b"refused"))
    assert [day.date for day in days(warehouse)] == [DAY]
    assert days(warehouse, YESTERDAY, YESTERDAY) == []


def test_a_day_s_data_version_changes_with_its_loaded_content_and_with_nothing_else(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    versions = []
    for content in (csv(line(1)), b"refused", csv(line(2)), csv(line(1))):
        load(warehouse, landing, deliver(landing, A, content))
        versions.append(days(warehouse)[0].data_version)
    deliver_and_load(warehouse, landing, B)
    versions.append(days(warehouse)[0].data_version)
    first, after_refusal, corrected, back, second_file = versions
    assert after_refusal == first
    assert len({first, corrected, back, second_file}) == 4


def announced(warehouse: DuckDBWarehouse) -> set[str]:
    with warehouse.transaction() as transaction:
        return {item.run_id for item in unsettled_announcements(transaction)}


def promise(run_id: str, first: int, last: int, folder: str = "usa") -> Announcement:
    return Announcement(run_id, folder, dt.date(2022, 1, first), dt.date(2022, 1, last))


def test_a_run_owes_its_announcement_until_it_is_settled(warehouse: DuckDBWarehouse) -> None:
    with warehouse.transaction() as transaction:
        announce(transaction, promise("one", 1, 9), NOW)
        announce(transaction, promise("two", 11, 19), NOW)
        assert unsettled_announcements(transaction) == [promise("one", 1, 9), promise("two", 11, 19)]
        settle(transaction, ["one", "another"], NOW)
    assert announced(warehouse) == {"two"}
    assert fetch(warehouse, "select run_id from sales_data.announcements where settled_at is not null") == [("one",)]


@pytest.mark.parametrize(
    ("folder", "first", "last", "still_owed"),
    [
        ("usa", 11, 19, {"before", "elsewhere"}),
        ("usa", 1, 31, {"elsewhere"}),
        ("usa", 12, 19, {"before", "within", "elsewhere"}),
        ("usa", 11, 18, {"before", "within", "elsewhere"}),
        ("canada", 11, 19, {"before", "within"}),
    ],
)
def test_whoever_has_looked_at_a_whole_range_takes_over_what_is_owed_within_it(
    warehouse: DuckDBWarehouse, folder: str, first: int, last: int, still_owed: set[str]
) -> None:
    with warehouse.transaction() as transaction:
        announce(transaction, promise("before", 1, 9), NOW)
        announce(transaction, promise("within", 11, 19), NOW)
        announce(transaction, promise("elsewhere", 11, 19, "canada"), NOW)
        take_over(transaction, folder, dt.date(2022, 1, first), dt.date(2022, 1, last), NOW)
    assert announced(warehouse) == still_owed
