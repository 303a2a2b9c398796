"""Where the reconciliation looks, as tables; and which crashed loads it tries again."""

import datetime as dt

import pytest

from globolatte_ingest.discovery import (
    RetryPolicy,
    given_up,
    months_before,
    next_look,
    places_to_try_again,
    recent_crashes,
    stray_folders,
)
from globolatte_ingest.ledger import Attempts, CrashedLoad
from resources.landing.landing_zone import Level
from resources.warehouse.duckdb_file import DuckDBWarehouse
from tests.builders import NOW, csv, deliver, landing_in, line, load, sales_path

FIRST, TODAY = dt.date(2022, 11, 10), dt.date(2023, 3, 4)


@pytest.mark.parametrize(
    ("first", "day", "months"),
    [
        ("2022-11-10", "2023-02-26", ["2023-02", "2023-01", "2022-12", "2022-11"]),
        ("2022-11-10", "2023-02-01", ["2023-01", "2022-12", "2022-11"]),
        ("2022-11-10", "2022-11-11", ["2022-11"]),
        ("2022-11-10", "2022-11-10", []),
        ("2022-11-10", "2022-01-01", []),
    ],
)
def test_older_months_reach_from_the_first_date_to_before_the_window(first: str, day: str, months: list[str]) -> None:
    assert months_before(dt.date.fromisoformat(first), dt.date.fromisoformat(day)) == months


def test_a_look_is_the_last_days_one_older_month_and_the_reference_data() -> None:
    look = next_look(["canada", "usa"], FIRST, TODAY, 3, "2023-02")
    assert look.prefixes == (
        "reference/",
        "sales/canada/2023/03/02/",
        "sales/canada/2023/03/03/",
        "sales/canada/2023/03/04/",
        "sales/usa/2023/03/02/",
        "sales/usa/2023/03/03/",
        "sales/usa/2023/03/04/",
        "sales/canada/2023/01/",
        "sales/usa/2023/01/",
    )
    assert look.levels == ("", "sales/", "sales/canada/", "sales/usa/", "sales/canada/2023/", "sales/usa/2023/")


def test_days_of_the_month_whose_turn_it_is_are_not_listed_twice() -> None:
    look = next_look(["usa"], FIRST, dt.date(2023, 3, 2), 4, None)
    assert look.month == "2023-02"
    assert look.prefixes == ("reference/", "sales/usa/2023/03/01/", "sales/usa/2023/03/02/", "sales/usa/2023/02/")


def test_every_older_month_has_its_turn_and_then_the_latest_again() -> None:
    month, seen = None, []
    for _ in range(6):
        month = next_look(["usa"], FIRST, TODAY, 7, month).month
        seen.append(month)
    assert seen == ["2023-02", "2023-01", "2022-12", "2022-11", "2023-02", "2023-01"]


def test_how_much_is_looked_at_does_not_grow_with_history() -> None:
    young = next_look(["usa"], dt.date(2022, 11, 1), TODAY, 7, None)
    old = next_look(["usa"], dt.date(1990, 1, 1), TODAY, 7, None)
    assert len(young.prefixes + young.levels) == len(old.prefixes + old.levels)


def test_a_chain_that_opened_yesterday_has_no_older_month() -> None:
    look = next_look(["usa"], dt.date(2023, 3, 3), TODAY, 7, "2021-01")
    assert look.month is None
    assert look.prefixes == ("reference/", "sales/usa/2023/03/03/", "sales/usa/2023/03/04/")


@pytest.mark.parametrize(
    ("prefix", "names", "strays"),
    [
        ("", ["sales/", "reference/", "Sales/", "usa/"], ["Sales/", "usa/"]),
        ("sales/", ["usa/", "france/", "USA/"], ["sales/france/", "sales/USA/"]),
        ("sales/usa/", ["2022/", "22/", "latest/"], ["sales/usa/22/", "sales/usa/latest/"]),
        (
            "sales/usa/2022/",
            ["01/", "12/", "13/", "1/", "00/"],
            ["sales/usa/2022/13/", "sales/usa/2022/1/", "sales/usa/2022/00/"],
        ),
    ],
)
def test_folders_in_which_no_file_can_be_in_place_are_strays(prefix: str, names: list[str], strays: list[str]) -> None:
    level = Level(tuple(prefix + name for name in names))
    assert stray_folders(prefix, level, ["usa", "canada"]) == strays


# Crashed loads ---------------------------------------------------------------------------------------------------------


def attempt(warehouse: DuckDBWarehouse, path: str, etag: str, number: int, at: dt.datetime) -> None:
    with warehouse.transaction() as transaction:
        transaction.execute("insert into sales_data.load_attempts values (?, ?, ?, 'r', ?)", (path, etag, number, at))


def crashed(warehouse: DuckDBWarehouse) -> list[tuple[str, str, int]]:
    with warehouse.transaction() as transaction:
        return [(item.path, item.etag, item.attempts.count) for item in recent_crashes(transaction, NOW)]


def test_an_attempt_without_an_entry_is_a_crashed_load_until_one_succeeds(warehouse: DuckDBWarehouse, tmp_path) -> None:
    landing = landing_in(tmp_path)
    file = deliver(landing, sales_path(), csv(line(1)))
    attempt(warehouse, file.path, file.etag, 1, NOW - dt.timedelta(minutes=5))
    attempt(warehouse, file.path, file.etag, 2, NOW - dt.timedelta(minutes=1))
    assert crashed(warehouse) == [(file.path, file.etag, 2)]
    load(warehouse, landing, file)
    assert crashed(warehouse) == []


def test_a_crashed_version_that_a_later_one_replaced_is_let_be(warehouse: DuckDBWarehouse, tmp_path) -> None:
    landing = landing_in(tmp_path)
    attempt(warehouse, sales_path(), "older", 1, NOW - dt.timedelta(minutes=1))
    load(warehouse, landing, deliver(landing, sales_path(), csv(line(1))))
    assert crashed(warehouse) == []


def test_a_crashed_correction_of_a_loaded_file_is_tried_again(warehouse: DuckDBWarehouse, tmp_path) -> None:
    landing = landing_in(tmp_path)
    load(warehouse, landing, deliver(landing, sales_path(), csv(line(1))))
    attempt(warehouse, sales_path(), "newer", 1, NOW + dt.timedelta(minutes=1))
    assert crashed(warehouse) == [(sales_path(), "newer", 1)]


def test_attempts_of_long_ago_are_history(warehouse: DuckDBWarehouse) -> None:
    attempt(warehouse, sales_path(), "x", 1, NOW - dt.timedelta(days=31))
    assert crashed(warehouse) == []


def test_due_crashes_name_their_folders_once_and_within_the_bound() -> None:
    policy = RetryPolicy(max_attempts=3, base_seconds=60)

    def item(path: str, count: int, seconds_ago: int) -> CrashedLoad:
        return CrashedLoad(path, "e", Attempts(count, NOW - dt.timedelta(seconds=seconds_ago)))

    items = [
        item("sales/usa/2022/01/01/a.csv", 1, 60),
        item("sales/usa/2022/01/01/b.csv", 1, 60),
        item("sales/usa/2022/01/02/a.csv", 1, 59),
        item("sales/usa/2022/01/03/a.csv", 2, 120),
        item("sales/usa/2022/01/04/a.csv", 3, 9999),
    ]
    assert places_to_try_again(items, policy, NOW, 9) == ["sales/usa/2022/01/01/", "sales/usa/2022/01/03/"]
    assert places_to_try_again(items, policy, NOW, 1) == ["sales/usa/2022/01/01/"]
    assert given_up(items, policy) == [items[-1]]
