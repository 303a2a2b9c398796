"""Identity is content: what the ledger has of a path is no news, whatever inode, time and etag say, and loads nothing again."""

import os
import shutil
from pathlib import Path

import pytest

from globolatte_ingest import discovery
from globolatte_ingest.discovery import Unrecorded, placed, unrecorded, without_known_content, work_in
from globolatte_ingest.ledger import Ledger, Step
from globolatte_ingest.load import do_work
from globolatte_ingest.reference import BUSINESS_UNITS_FILE, load_reference
from globolatte_ingest.waiting import what_waits
from resources.environment import clock_of
from resources.landing.folder import FolderLandingZone
from resources.landing.landing_zone import LandedFile, NoFile
from resources.warehouse.duckdb_file import DuckDBWarehouse
from sensors.landing import REQUESTED_BY_A_PERSON, Backlog, listing_of, look
from tests.builders import (
    DAY,
    NOW,
    RULES,
    Deployment,
    ask_for,
    csv,
    deliver,
    deliver_reference_data,
    fetch,
    ledger,
    line,
    load_context,
    put_reference_data,
    sales,
    sales_path,
)

A, B, C = (sales_path(name) for name in ("a.csv", "b.csv", "c.csv"))


@pytest.fixture(autouse=True)
def _reference_data(warehouse: DuckDBWarehouse) -> None:
    put_reference_data(warehouse)


def ingest(warehouse: DuckDBWarehouse, landing: FolderLandingZone, **more: object) -> list[str]:
    """The paths that a run of the day reads."""
    work = work_in(warehouse, landing, "usa", {DAY}, RULES, NOW)
    do_work(warehouse, landing, work, load_context(**more))
    return [item.file.path for item in work.files]


def move(landing: FolderLandingZone) -> None:
    """Every file gets another inode and another time, as after a restore or on a new disk."""
    root = Path(landing.folder)
    copy = root.with_name("restored")
    shutil.copytree(root, copy, copy_function=shutil.copyfile)
    shutil.rmtree(root)
    copy.rename(root)


def of_news(warehouse: DuckDBWarehouse, landing: FolderLandingZone) -> list[Unrecorded]:
    with warehouse.transaction() as transaction:
        return unrecorded(transaction, list(landing.files()))


def test_what_could_not_be_looked_into_for_a_while_is_no_news_afterwards(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    deliver(landing, A, csv(line(1)))
    deliver(landing, B, csv(line(2)))
    deliver(landing, C, b"no,sales,file\n")
    assert ingest(warehouse, landing) == [A, B, C]
    ask_for(warehouse, Step.RETRACT, A)
    ingest(warehouse, landing)
    unreadable = [LandedFile(path, NoFile.UNREADABLE, 0) for path in (A, B, C)]
    with warehouse.transaction() as transaction:
        found = placed(unrecorded(transaction, unreadable), RULES)
        assert [item.file for item in found] == unreadable
        Ledger(transaction).refuse_misplaced(found, "run", NOW)
    with warehouse.transaction() as transaction:
        assert placed(unrecorded(transaction, unreadable), RULES) == []
        assert [Ledger(transaction).history(path).versions[-1]["status"] for path in (A, B, C)] == [
            "retracted",
            "loaded",
            "refused",
        ]
    while_it_lasts = what_waits(warehouse, landing, RULES, NOW, listing=unreadable)
    assert any("3 files misplaced" in item.text and "permission denied" in item.text for item in while_it_lasts)
    assert of_news(warehouse, landing) == []
    assert ingest(warehouse, landing) == []
    assert sales(warehouse) == [(B, 1, "T00000002")]
    waiting = [item.text for item in what_waits(warehouse, landing, RULES, NOW, listing=list(landing.files()))]
    assert [C in text for text in waiting] == [True], waiting
    ask_for(warehouse, Step.RETRY, A)
    assert ingest(warehouse, landing) == [A]


def test_a_moved_landing_zone_loads_nothing_again_and_a_retraction_holds(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    deliver(landing, A, csv(line(1)))
    deliver(landing, B, csv(line(2)))
    deliver(landing, C, b"no,sales,file\n")
    assert ingest(warehouse, landing) == [A, B, C]
    ask_for(warehouse, Step.RETRACT, A)
    ingest(warehouse, landing)
    before = ledger(warehouse, "path, status, etag")
    move(landing)
    assert len(of_news(warehouse, landing)) == 3, "the etags are others"
    assert ingest(warehouse, landing) == []
    assert ledger(warehouse, "path, status, etag") == before
    assert sales(warehouse) == [(B, 1, "T00000002")]
    assert fetch(warehouse, "select path from sales_data.load_attempts group by path having count(*) > 1") == []


def test_what_is_known_again_is_not_read_at_the_next_look(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    deliver(landing, A, csv(line(1)))
    ingest(warehouse, landing)
    for _ in range(2):
        move(landing)
        news = of_news(warehouse, landing)
        assert without_known_content(warehouse, landing, news, NOW) == []
        assert of_news(warehouse, landing) == []


def test_changed_content_of_the_same_size_and_time_is_news(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    deliver(landing, A, csv(line(1)))
    ingest(warehouse, landing)
    before = Path(landing.folder, A).stat()
    move(landing)
    Path(landing.folder, A).write_bytes(csv(line(2)))
    os.utime(Path(landing.folder, A), ns=(before.st_atime_ns, before.st_mtime_ns))
    assert ingest(warehouse, landing) == [A]
    assert sales(warehouse) == [(A, 1, "T00000002")]


def test_an_earlier_content_that_comes_back_is_news(warehouse: DuckDBWarehouse, landing: FolderLandingZone) -> None:
    for number in (1, 2, 1):
        deliver(landing, A, csv(line(number)))
        assert ingest(warehouse, landing) == [A]
    assert sales(warehouse) == [(A, 1, "T00000001")]


def test_steps_find_their_file_after_a_move(warehouse: DuckDBWarehouse, landing: FolderLandingZone) -> None:
    bad = csv(line(1), line(2, quantity="x"))
    deliver(landing, A, bad)
    ingest(warehouse, landing, max_bad_share=0.2)
    ask_for(warehouse, Step.APPROVE, A)
    move(landing)  # with a step that is not done yet
    assert ingest(warehouse, landing, max_bad_share=0.2) == [A]
    assert sales(warehouse) == [(A, 1, "T00000001")]
    move(landing)
    assert ingest(warehouse, landing) == []
    ask_for(warehouse, Step.RETRY, A)  # about the version under its earlier etag
    assert ingest(warehouse, landing) == [A]
    done = "select outcome from sales_data.ledger_steps order by sequence"
    assert fetch(warehouse, done) == [("loaded (1 rows loaded, 1 quarantined)",)] * 2
    assert ingest(warehouse, landing) == []


def test_a_retraction_ends_with_a_retry_and_not_with_the_same_bytes(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    deliver(landing, A, csv(line(1)))
    ingest(warehouse, landing)
    ask_for(warehouse, Step.RETRACT, A)
    ingest(warehouse, landing)
    deliver(landing, A, csv(line(1)))
    assert ingest(warehouse, landing) == []
    assert sales(warehouse) == []
    ask_for(warehouse, Step.RETRY, A)
    assert ingest(warehouse, landing) == [A]
    assert sales(warehouse) == [(A, 1, "T00000001")]


def test_a_tick_reads_so_many_bytes_and_leaves_the_others_to_the_run(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    files = [deliver(landing, path, csv(line(number))) for number, path in enumerate((A, B, C))]
    ingest(warehouse, landing)
    move(landing)
    left = without_known_content(warehouse, landing, of_news(warehouse, landing), NOW, files[0].size * 2)
    assert [item.file.path for item in left] == [C]


def test_a_misplaced_file_is_recorded_once_whatever_its_etag(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    deliver(landing, "sales/france/2022/01/31/a.csv", csv(line(1)))
    for expected in (1, 0, 0):
        with warehouse.transaction() as transaction:
            found = placed(unrecorded(transaction, list(landing.files())), RULES)
            Ledger(transaction).refuse_misplaced(found, "run", NOW)
        assert len(found) == expected
        move(landing)


def backlog(deployed: Deployment) -> Backlog:
    listing = listing_of(deployed.landing)
    clock = clock_of(deployed.settings)
    return look(deployed.instance, deployed.settings, listing, deployed.warehouse, clock, REQUESTED_BY_A_PERSON)


def test_a_copied_home_has_nothing_to_do(deployed: Deployment, warehouse: DuckDBWarehouse) -> None:
    deliver_reference_data(deployed.landing)
    deliver(deployed.landing, A, csv(line(1)))
    assert deployed.run("load_reference_data").success
    ingest(deployed.warehouse, deployed.landing)
    move(deployed.landing)
    found = backlog(deployed)
    assert (found.pending.reference, found.pending.ranges) == ((), ())


def test_a_reference_file_under_another_etag_is_known_after_it_was_read(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    deliver_reference_data(landing)
    load_reference(BUSINESS_UNITS_FILE, landing, warehouse, "run", NOW)
    move(landing)
    load_reference(BUSINESS_UNITS_FILE, landing, warehouse, "run", NOW)
    assert [path for path, _ in ledger(warehouse)] == [BUSINESS_UNITS_FILE.path]
    assert BUSINESS_UNITS_FILE.path not in {item.file.path for item in of_news(warehouse, landing)}


def test_a_file_that_cannot_be_read_now_is_left_to_the_run(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    gone = [Unrecorded(LandedFile(A, "1", 3), sha256="0" * 64)]
    assert without_known_content(warehouse, landing, gone, NOW) == gone


class CountedText(str):
    """A text that counts how often it is compared."""

    compared = 0
    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        CountedText.compared += 1
        return str.__eq__(self, other)


def test_many_files_that_are_known_again_are_taken_out_one_by_one_and_not_each_with_all(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(discovery, "_sha256_of", lambda _landing, _file: "content")
    news = [Unrecorded(LandedFile(CountedText(number), "etag", 1), sha256="content") for number in range(200)]
    assert without_known_content(warehouse, landing, news, NOW) == []
    assert CountedText.compared < len(news)
