"""The ledger read back: what is known of a path, which loads crashed, what is loaded of a day, what is to be reported to Dagster."""

import datetime as dt
from pathlib import Path

import duckdb
import pytest

from globolatte_ingest.discovery import Unrecorded, unrecorded
from globolatte_ingest.ledger import Announcement, Attempts, Ledger, LoadedDay
from globolatte_ingest.paths import MisplacedFile
from resources.landing.folder import FolderLandingZone
from resources.landing.landing_zone import LandedFile
from resources.warehouse.duckdb_file import DuckDBWarehouse
from resources.warehouse.schema import MIGRATIONS, MISPLACED_BY_CODE, statements
from tests.builders import (
    DAY,
    NOW,
    InterferedWarehouse,
    csv,
    deliver,
    deliver_and_load,
    fetch,
    landed,
    line,
    load,
    sales_path,
    warehouse_in,
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
        return {(item.path, item.etag): item.attempts for item in Ledger(transaction).crashed_loads()}


def test_of_a_path_the_latest_version_is_known_whatever_became_of_it(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    deliver_and_load(warehouse, landing, A, line(1))
    deliver_and_load(warehouse, landing, A, line(2))
    refused = deliver(landing, A, b"oh no")
    load(warehouse, landing, refused)
    deliver_and_load(warehouse, landing, B, line(3))
    with warehouse.transaction() as transaction:
        latest = {file["path"]: file for file in Ledger(transaction).latest_versions()}
        assert unrecorded(transaction, [refused, landed(landing, B)]) == []
        earlier = refused._replace(etag="of an earlier version")
        assert [item.file for item in unrecorded(transaction, [earlier])] == [earlier]
    assert {path: file["status"] for path, file in latest.items()} == {A: "refused", B: "loaded"}
    assert "column" in str(latest[A]["reason"])


def test_listed_paths_are_compared_as_they_are_whatever_they_hold(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    odd = sales_path("100%_.csv", date=YESTERDAY)
    for path in (A, odd, sales_path("a.csv", "canada")):
        fields = {"business_unit": "BU_CA"} if "canada" in path else {}
        deliver_and_load(warehouse, landing, path, line(1, **fields))
    other = landed(landing, odd)._replace(path=sales_path("100 x.csv", date=YESTERDAY))
    with warehouse.transaction() as transaction:
        found = unrecorded(transaction, [landed(landing, odd), other, landed(landing, A)])
    assert found == [Unrecorded(other)]


def test_a_load_that_crashed_is_an_open_attempt_until_it_is_in_the_ledger(
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
    """Its load would otherwise be requested again at once and for ever."""
    file = deliver(landing, A, csv(line(1)))
    with warehouse.transaction() as transaction:
        Ledger(transaction).refuse_misplaced([MisplacedFile(file, "lies in the future")], "run", NOW)
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


def test_what_was_misplaced_before_there_were_reason_codes_is_still_looked_at_again(tmp_path: Path) -> None:
    warehouse = warehouse_in(tmp_path)
    before = MIGRATIONS.index(MISPLACED_BY_CODE)
    with duckdb.connect(warehouse.file) as connection:
        for migration in MIGRATIONS[:before]:
            for statement in statements(migration):
                connection.execute(statement)
        connection.execute(
            "create table sales_data.schema_versions as select range as version from range(1, ?)", [before + 1]
        )
        connection.execute(
            "insert into sales_data.load_ledger (load_id, sequence, path, etag, sha256, size_bytes, status, reason, attempt, run_id, "
            "recorded_at) select path, sequence, path, '1', '', 1, 'refused', reason, 1, 'r', now() from (values "
            "(1, ?, 'misplaced: lies in the future'), (2, ?, 'the file is empty')) as old (sequence, path, reason)",
            [A, B],
        )
    with warehouse.transaction() as transaction:
        found = unrecorded(transaction, [LandedFile(A, "1", 1), LandedFile(B, "1", 1)])
    assert found == [Unrecorded(LandedFile(A, "1", 1), was_misplaced=True)]


def days(warehouse: DuckDBWarehouse, first: dt.date = YESTERDAY, last: dt.date = DAY) -> list[LoadedDay]:
    with warehouse.transaction() as transaction:
        return Ledger(transaction).loaded_days("usa", first, last)


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
        return {item.run_id for item in Ledger(transaction).outstanding_announcements()}


def promise(run_id: str, first: int, last: int, folder: str = "usa") -> Announcement:
    return Announcement(run_id, folder, dt.date(2022, 1, first), dt.date(2022, 1, last))


def test_an_announcement_is_outstanding_until_it_is_marked_as_reported(warehouse: DuckDBWarehouse) -> None:
    with warehouse.transaction() as transaction:
        Ledger(transaction).announce(promise("one", 1, 9), NOW)
        Ledger(transaction).announce(promise("two", 11, 19), NOW)
        assert Ledger(transaction).outstanding_announcements() == [promise("one", 1, 9), promise("two", 11, 19)]
        Ledger(transaction).mark_reported(["one", "another"], NOW)
    assert announced(warehouse) == {"two"}
    assert fetch(warehouse, "select run_id from sales_data.announcements where settled_at is not null") == [("one",)]


@pytest.mark.parametrize(
    ("folder", "compared", "still_owed"),
    [
        ("usa", [*range(11, 20)], {"before", "elsewhere"}),
        ("usa", [*range(1, 32)], {"elsewhere"}),
        ("usa", [*range(12, 20)], {"before", "within", "elsewhere"}),
        ("usa", [*range(11, 19)], {"before", "within", "elsewhere"}),
        ("usa", [*range(11, 15), *range(16, 20)], {"before", "within", "elsewhere"}),
        ("usa", [1, *range(11, 20), 31], {"before", "elsewhere"}),
        ("canada", [*range(11, 20)], {"before", "within"}),
    ],
)
def test_a_run_takes_over_what_is_outstanding_of_the_days_that_it_compared(
    warehouse: DuckDBWarehouse, folder: str, compared: list[int], still_owed: set[str]
) -> None:
    with warehouse.transaction() as transaction:
        Ledger(transaction).announce(promise("before", 1, 9), NOW)
        Ledger(transaction).announce(promise("within", 11, 19), NOW)
        Ledger(transaction).announce(promise("elsewhere", 11, 19, "canada"), NOW)
        Ledger(transaction).take_over(folder, {dt.date(2022, 1, day) for day in compared}, NOW)
    assert announced(warehouse) == still_owed
