"""Sales under other paths than the usual ones: one folder for all units, the date in the name, or only in the rows."""

import datetime as dt
from dataclasses import replace

import dagster as dg
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from pydantic import ValidationError

from globolatte_assets.jobs import INGEST_SALES
from globolatte_ingest.deliveries import DeliveryPolicy, recent_deliveries
from globolatte_ingest.discovery import LoadRange, prefixes, unrecorded, work_in
from globolatte_ingest.ledger import Announcement, Ledger, Step
from globolatte_ingest.load import do_work
from globolatte_ingest.paths import MisplacedFile, PathRules, SalesFile, SalesLayout
from globolatte_ingest.requested_steps import CannotBeDoneError, requested_step, to_retry
from globolatte_ingest.waiting import what_waits
from resources.landing.folder import FolderLandingZone
from resources.landing.landing_zone import LandedFile
from resources.landing.path_patterns import PathPattern
from resources.settings.settings import Settings
from resources.warehouse.duckdb_file import DuckDBWarehouse
from sensors.landing import listing_of, look, path_rules, range_tags, retry_policy
from tests.builders import (
    DAY,
    NOW,
    RULES,
    UNITS,
    Deployment,
    csv,
    deliver,
    deployment,
    fetch,
    ledger,
    line,
    load_context,
    materialized,
    materialized_keys,
    put_reference_data,
    quarantine,
    sales,
)

FIRST = RULES.first_business_date
EXPORT, OTHER = "exports/week.csv", "exports/week2.csv"


def layout(*patterns: str) -> SalesLayout:
    return SalesLayout(tuple(map(PathPattern, patterns)), "canada", FIRST)


def rules(*patterns: str) -> PathRules:
    return PathRules(RULES.folders, FIRST, RULES.last_business_date, layout=layout(*patterns))


def of(unit: str, day: int, number: int = 1, **fields: str) -> dict[str, str]:
    """A line of a unit's day in January."""
    return line(number, business_unit=unit, transaction_date=f"2022-01-{day:02d}T09:15:00", **fields)


# What a path tells ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "path", "unit", "date"),
    [
        ("sales/{unit}/{date:%Y-%m-%d}_*.csv", "sales/usa/2022-01-31_shop 7.CSV", "usa", DAY),
        ("sales/{date:%Y/%m/%d}/*.csv", "sales/2022/01/31/all.csv", None, DAY),
        ("sales/{unit}/*.csv", "sales/usa/a.csv", "usa", None),
        ("exports/*.csv", "exports/a.csv", None, None),
        ("{unit}_{date:%d%m%y}*", "usa_310122.csv.gz", "usa", DAY),
        ("sales/{date:%Y}/{unit}-{date:%m-%d}.parquet", "sales/2022/usa-01-31.parquet", "usa", DAY),
        ("exports/till?_*.csv", "exports/till7_x.csv", None, None),
        ("till_*.csv", "till_7.csv", None, None),
        ("all.csv", "all.CSV", None, None),
        ("sales-{unit}/*", "sales-usa/a.csv", "usa", None),
        ("export_{date:%Y%m%d}.csv", "export_20220131.CSV", None, DAY),
    ],
)
def test_a_path_tells_what_its_pattern_says(pattern: str, path: str, unit: str | None, date: dt.date | None) -> None:
    placed = rules(pattern).place(LandedFile(path, "e", 1))
    assert placed == SalesFile(
        LandedFile(path, "e", 1),
        unit or "canada",
        date or FIRST,
        tells_unit=unit is not None,
        tells_date=date is not None,
    )


@pytest.mark.parametrize(
    ("pattern", "path", "reason"),
    [
        ("exports/*.csv", "exports/a/b.csv", "path is none of exports/*.csv; move the file, or add a pattern to GLOBOLATTE_SALES_PATHS"),
        ("exports/*.csv", "sales/usa/a.csv", "lies neither under exports/ nor under reference/; move the file there, or remove it"),
        ("exports/*.csv", "exports/a.xlsx", "file type is none of .csv, .csv.gz, .parquet; export the sales as one of these"),
        ("sales/{unit}/{date}.csv", "sales/usa/2022-13-01.csv", "the path's year/month/day is no date; move the file to its business date"),
        ("till_*.csv", "till/a.csv", "path is none of till_*.csv; move the file, or add a pattern to GLOBOLATTE_SALES_PATHS"),
        ("{date}/*", "2022-03-01/a.csv", "business date 2022-03-01 lies in the future; it is looked at again on that day"),
        ("{unit}/*", "france/a.csv", "no business unit has the folder 'france' (known: canada, mexico, usa); correct the folder, or add "
         "the unit to GLOBOLATTE_BUSINESS_UNITS and reference/business_units.csv"),
    ],
)  # fmt: skip
def test_what_matches_no_pattern_is_misplaced_with_the_reason(pattern: str, path: str, reason: str) -> None:
    file = LandedFile(path, "e", 1)
    assert rules(pattern).place(file) == MisplacedFile(file, reason)


def test_of_two_patterns_that_match_the_first_counts() -> None:
    path = "sales/usa/2022-01-31.csv"
    first = rules("sales/{unit}/{date}.csv", "sales/{unit}/*").place(LandedFile(path, "e", 1))
    second = rules("sales/{unit}/*", "sales/{unit}/{date}.csv").place(LandedFile(path, "e", 1))
    assert (first.tells_date, second.tells_date) == (True, False)


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        ("exports/{store}/*.csv", "has {store}; what a path may tell is {unit} and {date:%Y-%m-%d}, anything else is *"),
        ("exports/{unit", "has a brace that is not closed or opened; write {unit} and {date:%Y-%m-%d}"),
        ("/exports/*.csv", "is no path within the landing zone; write it with single slashes between names, like sales/{unit}/*.csv"),
        ("exports/{date:%Y-%m}.csv", "tells no whole date (%Y, %m); its date needs %Y (or %y), %m and %d, each once"),
        ("exports/{date:%Y-%m-%d-%H}.csv", "has %H in its date; write the date with %Y (or %y), %m and %d, and * for a time beside it"),
        ("exports/*.xlsx", "ends like no sales file; end it with * or one of .csv, .csv.gz, .parquet"),
        ("reference/*.csv", "lies under reference/, where the reference files are; put sales elsewhere, like sales/*.csv"),
        ("exports/**", "has **; one * is any text within one name, so write a folder as /*/"),
        ("{unit}/{unit}/*", "has {unit} twice; put * for the second"),
    ],
)  # fmt: skip
def test_a_wrong_pattern_is_refused_at_start(pattern: str, fault: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Settings(sales_paths=f"exports/*.csv; {pattern}")
    assert f"GLOBOLATTE_SALES_PATHS: pattern {pattern!r} {fault}" in str(refused.value)


def test_the_setting_is_several_patterns_and_reaches_child_processes() -> None:
    settings = Settings(sales_paths="sales/{unit}/{date}.csv; exports/*.csv")
    assert settings.sales_paths == ("sales/{unit}/{date}.csv", "exports/*.csv")
    again = Settings(sales_paths=settings.environment_variables()["GLOBOLATTE_SALES_PATHS"])
    assert again.sales_paths == settings.sales_paths
    assert Settings().sales_paths == ("sales/{unit}/{date:%Y/%m/%d}/*",)


@pytest.mark.parametrize(
    ("patterns", "folder", "days", "paths", "expected"),
    [
        (["sales/{unit}/{date}_*"], "usa", [3, 4], None, ["sales/usa/2022-01-"]),
        (["sales/{unit}/{date}_*"], "usa", [3], None, ["sales/usa/2022-01-03_"]),
        (["s/{date:%d%m%Y}*"], "canada", [3, 4], None, ["s/03012022", "s/04012022"]),
        (["s/{date:%d%m%Y}*"], "usa", [3], None, []),
        (["exports/*.csv"], "canada", [1], None, ["exports/"]),
        (["exports/*.csv"], "canada", [1], ["exports/a.csv", "elsewhere"], ["exports/a.csv"]),
        (["exports/*.csv"], "canada", [2], None, []),
        (["sales/{unit}/*/{date}.csv"], "usa", [2], None, ["sales/usa/"]),
        (["sales/{unit}/{date}.csv", "exports/*"], "canada", [1], None, ["sales/canada/2022-01-01", "exports/"]),
    ],
)
def test_a_run_lists_the_files_of_its_dates(
    patterns: list[str], folder: str, days: list[int], paths: list[str] | None, expected: list[str]
) -> None:
    dates = [dt.date(2022, 1, day) for day in days]
    assert prefixes(folder, dates, layout(*patterns), paths) == expected


A_PART = {"unit": st.sampled_from(sorted(RULES.folders)), "*": st.text("ab 1.", max_size=3), "?": st.sampled_from("a1")}
DATES = st.dates(FIRST, RULES.last_business_date)
NAMES = st.sampled_from(
    [
        "sales",
        "till_7",
        "sales-{unit}",
        "{unit}",
        "{date}",
        "{date:%Y/%m/%d}",
        "export_{date:%Y%m%d}",
        "{unit}_{date:%d%m%y}_*",
        "a*",
    ]
)
ENDS = st.sampled_from(
    ["*.csv", "till_*.csv.gz", "?.parquet", "*", "all.csv", "{date}.csv", "{unit}.CSV", "export_{date:%d.%m.%Y}.csv"]
)


@st.composite
def made_paths(draw: st.DrawFn) -> tuple[PathPattern, str, str, dt.date]:
    """A pattern, and a path that was made from it for a unit and a date."""
    pieces = [*draw(st.lists(NAMES, max_size=2)), draw(ENDS)]
    assume("/".join(pieces).count("{unit") < 2 and "/".join(pieces).count("{date") < 2)
    pattern, unit, date = PathPattern("/".join(pieces)), draw(A_PART["unit"]), draw(DATES)
    parts = [
        unit if piece.kind == "unit"
        else draw(A_PART[piece.text]) if piece.kind == "wild"
        else piece.text if piece.kind == "text"
        else f"{date:%{piece.kind}}"
        for piece in pattern.pieces
    ]  # fmt: skip
    path = "".join(parts) + ("" if pattern.suffix else ".csv")
    if pattern.suffix:
        cut = len(path) - len(pattern.suffix)
        path = path[:cut] + draw(st.sampled_from([str.lower, str.upper, str]))(path[cut:])
    return pattern, path, unit, date


@given(made=made_paths())
def test_a_path_that_was_made_from_a_pattern_is_placed_and_listed_by_the_run_that_loads_it(
    made: tuple[PathPattern, str, str, dt.date],
) -> None:
    pattern, path, unit, date = made
    placed = rules(pattern.text).place(LandedFile(path, "e", 1))
    assert isinstance(placed, SalesFile), placed
    assert placed.folder == (unit if pattern.tells_unit else "canada")
    assert placed.date == (date if pattern.tells_date else FIRST)
    assert path.startswith(tuple(prefixes(placed.folder, [placed.date], layout(pattern.text))))


# Loads ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("till_*.csv", "till_7.csv"),
        ("sales-{unit}/*", "sales-canada/a.csv"),
        ("export_{date:%Y%m%d}.csv", "export_20220101.CSV"),
    ],
)
def test_a_run_finds_and_loads_what_lies_under_a_first_name_of_text_and_placeholders(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone, pattern: str, path: str
) -> None:
    deliver(landing, path, csv(of("BU_CA", 1)))
    take_in(warehouse, landing, pattern)
    assert sales(warehouse, "path, business_unit, business_date") == [(path, "BU_CA", FIRST)]


def take_in(warehouse: DuckDBWarehouse, landing: FolderLandingZone, *patterns: str, **more: object) -> None:
    """What a run over the files without a date does."""
    own = rules(*(patterns or ("exports/*.csv",)))
    work = work_in(warehouse, landing, "canada", {FIRST}, own)
    last_dates = dict.fromkeys(UNITS, RULES.last_business_date)
    do_work(warehouse, landing, work, load_context(first_date=FIRST, last_dates=last_dates, **more))
    with warehouse.transaction() as transaction:
        assert Ledger(transaction).unbalanced_files() == []
        assert unrecorded(transaction, list(landing.files())) == []


def request(warehouse: DuckDBWarehouse, step: Step, path: str) -> None:
    with warehouse.transaction() as transaction:
        history = Ledger(transaction).history(path)
        Ledger(transaction).request(requested_step(step, history, "ana", layout=layout("exports/*.csv")), NOW)


PARTS = "select business_unit, business_date, rows_in_part, rows_loaded, rows_quarantined from sales_data.load_parts inner join "
OF_LOADED = PARTS + "(select load_id from sales_data.load_ledger where status = 'loaded') using (load_id) order by all"


def test_each_row_goes_to_its_unit_and_date_and_each_part_has_its_counts(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    lines = [
        of("BU_US", 3), of("BU_US", 4), of("BU_CA", 4), of("BU_MX", 4, quantity="x"), of("", 4, 7), line(8, transaction_date="x"),
    ]  # fmt: skip
    deliver(landing, EXPORT, csv(*lines))
    take_in(warehouse, landing)
    third, fourth = dt.date(2022, 1, 3), dt.date(2022, 1, 4)
    assert sales(warehouse, "row_number, business_unit, business_date") == [
        (1, "BU_US", third),
        (2, "BU_US", fourth),
        (3, "BU_CA", fourth),
    ]
    assert quarantine(warehouse, "row_number, quarantine.business_unit, quarantine.business_date, reason") == [
        (4, "BU_MX", fourth, "bad_number"),
        (5, "BU_US", fourth, "unknown_business_unit"),
        (6, "BU_US", fourth, "bad_date"),
    ]
    assert fetch(warehouse, OF_LOADED) == [
        ("BU_CA", fourth, 1, 1, 0),
        ("BU_MX", fourth, 1, 0, 1),
        ("BU_US", third, 1, 1, 0),
        ("BU_US", fourth, 3, 1, 2),
    ]
    assert ledger(warehouse, "business_unit, business_date, rows_in_file, rows_loaded, rows_quarantined") == [
        ("BU_US", fourth, 6, 3, 3)
    ]


def test_a_date_that_no_path_could_have_is_quarantined(warehouse: DuckDBWarehouse, landing: FolderLandingZone) -> None:
    lines = [of("BU_US", 3), line(2, transaction_date="2021-12-31T10:00"), line(3, transaction_date="2022-02-11T10:00")]
    deliver(landing, EXPORT, csv(*lines))
    take_in(warehouse, landing)
    assert quarantine(warehouse, "row_number, quarantine.business_date, quarantine.reason, detail") == [
        (2, dt.date(2022, 1, 3), "date_out_of_range", "business date 2021-12-31 is before the first one, 2022-01-01; correct the row, or "
         "set GLOBOLATTE_FIRST_BUSINESS_DATE"),
        (3, dt.date(2022, 1, 3), "date_out_of_range", "business date 2022-02-11 lies in the future; correct the row, or "
         "`globolatte quarantine retry` this file after that day"),
    ]  # fmt: skip


def test_a_file_without_a_unit_in_its_path_has_to_have_the_column(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    lines = [{name: value for name, value in of("BU_US", 3).items() if name != "business_unit"}]
    columns = list(lines[0])
    deliver(landing, EXPORT, "\n".join([",".join(columns), ",".join(lines[0].values())]).encode())
    take_in(warehouse, landing)
    assert ledger(warehouse, "status, reason_code") == [("refused", "missing_column")]
    deliver(landing, "exports/usa/a.csv", "\n".join([",".join(columns), ",".join(lines[0].values())]).encode())
    own = rules("exports/{unit}/*.csv")
    do_work(warehouse, landing, work_in(warehouse, landing, "usa", {FIRST}, own), load_context())
    assert sales(warehouse, "path, business_unit, business_date") == [
        ("exports/usa/a.csv", "BU_US", dt.date(2022, 1, 3))
    ]


def test_a_correction_may_touch_other_dates_and_a_line_id_is_owned_within_its_date(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    deliver(landing, EXPORT, csv(of("BU_US", 3), of("BU_US", 20), of("BU_CA", 20)))
    take_in(warehouse, landing)
    deliver(landing, OTHER, csv(of("BU_US", 3), of("BU_US", 9), of("BU_MX", 9)))
    take_in(warehouse, landing)
    assert quarantine(warehouse) == [(OTHER, 1, "duplicate_across_files")]
    deliver(landing, EXPORT, csv(of("BU_US", 5), of("BU_CA", 20)))
    take_in(warehouse, landing)
    assert quarantine(warehouse) == []
    found = "path, row_number, business_unit, extract(day from business_date)"
    others = [(OTHER, 1, "BU_US", 3), (OTHER, 2, "BU_US", 9), (OTHER, 3, "BU_MX", 9)]
    assert sales(warehouse, found) == [(EXPORT, 1, "BU_US", 5), (EXPORT, 2, "BU_CA", 20), *others]
    request(warehouse, Step.RETRACT, EXPORT)
    take_in(warehouse, landing)
    assert sales(warehouse, found) == others
    request(warehouse, Step.RETRY, EXPORT)
    take_in(warehouse, landing)
    assert len(sales(warehouse)) == 5


def test_a_path_that_tells_its_date_by_the_patterns_of_now_replaces_what_it_had_of_other_dates(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    path = f"exports/usa_{DAY}.csv"
    deliver(landing, path, csv(of("BU_US", 30), of("BU_US", 31)))
    take_in(warehouse, landing)
    deliver(landing, path, csv(of("BU_US", 31, 2)))
    dated = rules("exports/{unit}_{date}.csv")
    do_work(warehouse, landing, work_in(warehouse, landing, "usa", {DAY}, dated), load_context())
    assert sales(warehouse, "business_date, transaction_id") == [(DAY, "T00000002")]
    with warehouse.transaction() as transaction:
        assert Ledger(transaction).unbalanced_files() == []


def test_a_file_of_one_unit_and_date_equals_the_one_under_a_usual_path(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    deliver(landing, EXPORT, csv(of("BU_US", 3), of("BU_US", 3, 2, quantity="x")))
    deliver(landing, "exports/none.csv", csv())
    take_in(warehouse, landing)
    third = dt.date(2022, 1, 3)
    assert ledger(warehouse, "path, status, business_unit, business_date") == [
        ("exports/none.csv", "loaded", None, NOW.date()),
        (EXPORT, "loaded", "BU_US", third),
    ]
    assert fetch(warehouse, OF_LOADED) == [("BU_US", third, 2, 1, 1)]


def test_a_day_without_rows_within_a_file_of_several_days_is_delivered(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    """The rows of a unit are on most days of its span: nothing was sold on the others. One stray row covers nothing, nor does a file
    cover days of which another file is held, or those of another unit.
    """
    days = [of("BU_US", day) for day in (1, 2, 4, 5)] + [of("BU_MX", day) for day in (1, 9)]
    deliver(landing, EXPORT, csv(*days))
    take_in(warehouse, landing)
    now = dt.datetime(2022, 1, 12, 12, tzinfo=dt.UTC)
    with warehouse.transaction() as transaction:
        due = recent_deliveries(transaction, DeliveryPolicy(FIRST), now)
    assert {date.day for date in due["usa"].delivered} == {1, 2, 3, 4, 5}
    assert {date.day for date in due["mexico"].delivered} == {1, 9}
    assert due["canada"].delivered == frozenset()
    request(warehouse, Step.RETRACT, EXPORT)
    take_in(warehouse, landing)
    with warehouse.transaction() as transaction:
        assert recent_deliveries(transaction, DeliveryPolicy(FIRST), now)["usa"].delivered == frozenset()


def test_what_tells_no_unit_is_no_unit_s_delivery_and_stands_in_the_ledger(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    damaged, none_good = "exports/damaged.csv", "exports/none_good.csv"
    deliver(landing, EXPORT, csv())
    deliver(landing, damaged, b"\x00")
    deliver(landing, none_good, csv(of("BU_US", 9, quantity="x")))
    take_in(warehouse, landing)
    assert ledger(warehouse, "path, status, business_unit") == [
        (damaged, "refused", None),
        (none_good, "loaded", "BU_CA"),
        (EXPORT, "loaded", None),
    ]
    parts = "select path, parts.business_unit, parts.status from sales_data.load_parts as parts inner join sales_data.load_ledger using "
    assert fetch(warehouse, f"{parts} (load_id)") == [(none_good, "BU_US", "loaded")]
    with warehouse.transaction() as transaction:
        due = recent_deliveries(transaction, DeliveryPolicy(FIRST), NOW.replace(tzinfo=dt.UTC))
    assert not due["canada"].delivered | due["canada"].refused
    own = rules("exports/*.csv")
    assert [(item.name, item.status) for item in what_waits(warehouse, landing, own, NOW)] == [
        ("refused exports not_text", "refused")
    ]
    deliver(landing, EXPORT, csv(of("BU_MX", 9)))
    take_in(warehouse, landing)
    deliver(landing, OTHER, csv())
    take_in(warehouse, landing)
    request(warehouse, Step.RETRACT, OTHER)
    take_in(warehouse, landing)
    assert ledger(warehouse)[2:] == [(EXPORT, "superseded"), (EXPORT, "loaded"), (OTHER, "retracted")]


def test_a_header_alone_that_takes_away_what_other_units_have_is_held_for_them_alone(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    deliver(landing, EXPORT, csv(of("BU_US", 3), of("BU_MX", 4)))
    take_in(warehouse, landing)
    deliver(landing, EXPORT, csv())
    take_in(warehouse, landing, max_take_away=0.5)
    assert ledger(warehouse) == [(EXPORT, "loaded"), (EXPORT, "held")]
    held = "select business_unit from sales_data.load_parts where status = 'held' order by all"
    assert fetch(warehouse, held) == [("BU_MX",), ("BU_US",)]
    request(warehouse, Step.APPROVE, EXPORT)
    take_in(warehouse, landing, max_take_away=0.5)
    assert [status for _, status in ledger(warehouse)] == ["superseded", "superseded", "loaded"]
    assert sales(warehouse) == []


def test_a_step_is_done_where_its_path_belongs_now_whatever_the_home_partition_was_when_it_was_requested(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    deliver(landing, EXPORT, csv(of("BU_US", 3)))
    take_in(warehouse, landing)
    request(warehouse, Step.RETRY, EXPORT)
    later, other_home = FIRST + dt.timedelta(days=1), "brazil"
    moved = replace(
        rules("exports/*.csv"), layout=replace(layout("exports/*.csv"), home_folder=other_home, home_date=later)
    )
    assert work_in(warehouse, landing, "canada", {FIRST}, moved).steps == []
    work = work_in(warehouse, landing, other_home, {later}, moved)
    assert ([step.path for step in work.steps], work.overtaken) == ([EXPORT], [])
    assert work.span == (later, later)


def test_a_unit_tries_again_what_has_waiting_rows_of_it_wherever_the_file_lies(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    good, held, unknown = EXPORT, OTHER, "exports/week3.csv"
    deliver(landing, good, csv(of("BU_MX", 3), of("BU_US", 3, 2, quantity="x")))
    deliver(landing, held, csv(of("BU_MX", 3, 3, quantity="x"), *(of("BU_US", 3, number) for number in (4, 5, 6))))
    deliver(landing, unknown, csv(of("BU_FR", 4), of("BU_US", 4, 2)))
    take_in(warehouse, landing, max_bad_share=0.5)
    at = layout("exports/*.csv")

    def found(folder: str) -> list[str]:
        with warehouse.transaction() as transaction:
            return to_retry(transaction, folder, at)

    assert found("mexico") == [held]
    assert found("usa") == [good, unknown]
    assert found("france") == []
    with warehouse.transaction() as transaction:
        transaction.execute(
            "insert into sales_data.business_units (business_unit_id, country, unit_name, folder, time_zone) "
            "values ('BU_FR', 'France', 'France', 'france', 'UTC')"
        )
    assert found("france") == [unknown]


def test_a_file_that_is_overwritten_each_day_is_held_once_and_takes_nothing_away(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    here = "sales_data.load_parts where status in ('loaded', 'held')"
    for day in (3, 4, 5, 6):
        late = [of("BU_US", day - 1, day - 1)] if day == 5 else []  # sold after midnight
        deliver(landing, EXPORT, csv(*late, *(of("BU_US", day, 10 * day + number) for number in range(3))))
        take_in(warehouse, landing, max_take_away=0.5)
        assert sales(warehouse, "row_number, extract(day from business_date)") == [(1, 3), (2, 3), (3, 3)]
        parts = 0 if day == 3 else 2 + len(late)
        assert fetch(warehouse, f"select count(*) from {here} and status = 'held'") == [(parts,)]
    assert [status for _, status in ledger(warehouse)] == ["loaded", "superseded", "superseded", "held"]
    [(code, reason)] = fetch(warehouse, "select reason_code, reason from sales_data.load_ledger where status = 'held'")
    assert code == "other_dates"
    assert reason == (
        "takes away more than 50% (GLOBOLATTE_MAX_TAKE_AWAY) of each date that is loaded from this path (2022-01-03), and has rows of "
        "2022-01-06. What is loaded stays, and nothing of this version is loaded: give each day's file a name of its own, and declare "
        "{date} in GLOBOLATTE_SALES_PATHS if the name tells it; or, if this version does replace what is loaded, `globolatte retract` the "
        "file, then `globolatte quarantine retry` it"
    )
    refusal = "a release would take away what is loaded of other dates; give each day's file a name of its own"
    with pytest.raises(CannotBeDoneError, match=refusal):
        request(warehouse, Step.APPROVE, EXPORT)
    for step in (Step.RETRACT, Step.RETRY):
        request(warehouse, step, EXPORT)
        take_in(warehouse, landing, max_take_away=0.5)
    assert sales(warehouse, "row_number, extract(day from business_date)") == [(1, 6), (2, 6), (3, 6)]


# In a deployment --------------------------------------------------------------------------------------------------------


@pytest.fixture
def exporting(tmp_path: object, instance: dg.DagsterInstance) -> Deployment:
    deployed = deployment(tmp_path, instance, sales_paths="exports/*.csv", max_take_away=1.0)
    put_reference_data(deployed.warehouse)
    return deployed


def pending(deployed: Deployment) -> tuple[LoadRange, ...]:
    from resources.environment import clock_of

    settings, clock = deployed.settings, clock_of(deployed.settings)
    listing = listing_of(deployed.landing)
    return look(deployed.instance, settings, listing, deployed.warehouse, clock, retry_policy(settings)).loads


def test_every_partition_that_a_new_or_replaced_version_touches_is_materialized(exporting: Deployment) -> None:
    def ingest() -> list[str | None]:
        [load] = pending(exporting)
        assert range_tags(load)["dagster/asset_partition_range_start"] == f"canada|{FIRST}"
        result = exporting.run(INGEST_SALES, range_tags(load))
        assert result.success
        return sorted(materialized(result))

    deliver(exporting.landing, EXPORT, csv(of("BU_US", 3), of("BU_CA", 4)))
    assert ingest() == ["canada|2022-01-04", "usa|2022-01-03"]
    deliver(exporting.landing, EXPORT, csv(of("BU_US", 3), of("BU_MX", 9)))
    deliver(exporting.landing, OTHER, csv(of("BU_MX", 9, 2)))
    assert ingest() == ["canada|2022-01-04", "mexico|2022-01-09", "usa|2022-01-03"]
    request(exporting.warehouse, Step.RETRACT, OTHER)
    assert ingest() == ["mexico|2022-01-09"]
    assert pending(exporting) == ()


def test_materializations_that_a_kill_swallowed_are_emitted_by_the_next_run(exporting: Deployment) -> None:
    deliver(exporting.landing, EXPORT, csv(of("BU_US", 3), of("BU_CA", 4)))
    from resources.environment import clock_of

    own = path_rules(exporting.settings, clock_of(exporting.settings), {})
    work = work_in(exporting.warehouse, exporting.landing, "canada", {FIRST}, own)
    do_work(exporting.warehouse, exporting.landing, work, load_context("a run that died"))
    [load] = pending(exporting)
    assert (load.first, load.last, load.files) == (FIRST, FIRST, ())
    result = exporting.run(INGEST_SALES, range_tags(load))
    assert sorted(materialized(result)) == ["canada|2022-01-04", "usa|2022-01-03"]
    assert {"raw/canada_deliveries", "raw/usa_deliveries"} <= materialized_keys(result)
    assert pending(exporting) == ()


def test_only_the_days_that_files_touch_are_compared_with_what_was_reported(
    exporting: Deployment, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    storage = type(exporting.instance.event_log_storage)
    answer = storage.get_latest_tags_by_partition

    def listening(self: object, *arguments: object, **more: object) -> object:
        asked.extend(map(str, arguments[3]))
        return answer(self, *arguments, **more)

    for days in (range(3, 26), (4, 24)):
        [path] = [EXPORT] if days == (4, 24) else [OTHER]
        deliver(exporting.landing, path, csv(*(of("BU_US", day, len(path) + day) for day in days)))
        [load] = pending(exporting)
        with monkeypatch.context() as patch:
            asked.clear()
            patch.setattr(storage, "get_latest_tags_by_partition", listening)
            result = exporting.run(INGEST_SALES, range_tags(load))
        assert sorted(asked) == sorted(materialized(result)) == [f"usa|2022-01-{day:02d}" for day in days]


def test_what_a_killed_run_announced_stays_outstanding_until_its_days_are_compared(
    tmp_path: object, instance: dg.DagsterInstance
) -> None:
    deployed = deployment(tmp_path, instance, sales_paths="sales/{date}/*.csv")
    put_reference_data(deployed.warehouse)
    dates = [dt.date(2022, 1, day) for day in (3, 4, 5)]

    def put(day: int) -> None:
        deliver(deployed.landing, f"sales/2022-01-{day:02d}/all.csv", csv(of("BU_US", day)))

    put(4)
    own = rules("sales/{date}/*.csv")
    work = work_in(deployed.warehouse, deployed.landing, "canada", {dates[1]}, own)
    do_work(deployed.warehouse, deployed.landing, work, load_context("killed"))
    with deployed.warehouse.transaction() as transaction:  # it died after its last commit, before its events
        Ledger(transaction).take_over("canada", dates, NOW)
        Ledger(transaction).announce(Announcement("killed", "usa", dates[1], dates[1]), NOW)
    put(3)
    put(5)
    result = deployed.run(INGEST_SALES, range_tags(LoadRange("canada", dates[0], dates[2])))
    assert materialized(result) == ["usa|2022-01-03", "usa|2022-01-05"]
    [load] = pending(deployed)
    assert materialized(deployed.run(INGEST_SALES, range_tags(load))) == ["usa|2022-01-04"]
    assert pending(deployed) == ()
