"""The scorecard's page: what the marts say of a unit, summed as they say it, with nothing in it that has to be fetched or hidden."""

import datetime as dt

import pytest

from globolatte_assets.pictures import drawn
from globolatte_ingest.reasons import ReasonCode, RowReason
from globolatte_ingest.scorecard import (
    WEEKS_SHOWN,
    Row,
    Scorecard,
    as_html,
    as_markdown,
    plot_of_weeks,
    scorecards,
)

MONDAY = dt.date(2022, 1, 3)
COUNTS = (
    *(
        "days_delivered",
        "days_timed",
        "days_late",
        "file_versions",
        "files_loaded",
        "files_superseded",
        "files_retracted",
    ),
    *("files_refused", "files_held", "corrections", "rows_loaded", "rows_quarantined", "rows_held"),
)
UNIT = {"business_unit_id": "BU_US", "unit_name": "Globo | Latte <USA>"}


def week(number: int = 0, **counts: float) -> Row:
    counted = dict.fromkeys(COUNTS, 0) | {"days_expected": 7, "hours_after_day": None, "most_hours_after_day": None}
    start = MONDAY + dt.timedelta(weeks=number)
    return {"business_unit": "BU_US", "week_start": start, **counted, **counts}


def fault(kind: str, reason: str, **more: object) -> Row:
    usual = {"file_count": 1, "row_count": 0, "example_file": "sales/usa/2022/01/05/a.csv", "example_line": None}
    return {"business_unit": "BU_US", "week_start": MONDAY, "kind": kind, "reason": reason, **usual, **more}


def card(*weeks: Row, faults: tuple[Row, ...] = ()) -> Scorecard:
    [made] = scorecards([UNIT], weeks, faults)
    return made


def test_a_unit_without_deliveries_has_no_scorecard() -> None:
    assert (
        scorecards([UNIT, {"business_unit_id": "BU_CA", "unit_name": "Canada"}], [week()], [])[0].name
        == UNIT["unit_name"]
    )
    assert scorecards([UNIT], [], []) == []


def test_a_week_says_what_came_how_late_and_what_was_wrong() -> None:
    page = as_markdown(
        card(
            week(
                days_delivered=6, days_timed=5, days_late=1, hours_after_day=3.25, most_hours_after_day=40.0, file_versions=8,
                corrections=1, files_refused=1, files_held=2, rows_loaded=1234, rows_quarantined=5, rows_held=60,
            )
        ),
        delivery_hours=12.0,
    )  # fmt: skip
    assert "| 2022-01-03 | 6 | 1 | 1 | 3.2, at most 40.0 | 8 | 1 | 1 | 2 | 1,234 | 5 | 60 |" in page
    assert "more than 12 hours after the date had ended" in page


def test_dates_that_came_as_history_are_not_timed() -> None:
    assert "| 2022-01-03 | 7 | 0 | – | – |" in as_markdown(card(week(days_delivered=7)), 12.0)


def test_all_weeks_add_up_however_many_are_shown() -> None:
    weeks = [
        week(
            number, days_delivered=7, days_timed=7, hours_after_day=number, most_hours_after_day=number, rows_loaded=10
        )
        for number in range(WEEKS_SHOWN + 4)
    ]
    page = as_markdown(card(*reversed(weeks)), 12.0)
    assert (
        f"| **all** | {7 * len(weeks)} | 0 | 0 | 14.5, at most 29.0 | 0 | 0 | 0 | 0 | {10 * len(weeks)} | 0 | 0 |"
        in page
    )
    assert "| the 4 before | 28 | 0 | 0 | 1.5, at most 3.0 | 0 | 0 | 0 | 0 | 40 | 0 | 0 |" in page
    assert page.count("| 2022-") == WEEKS_SHOWN


def test_faults_are_told_in_words_with_the_latest_place() -> None:
    later = {
        "week_start": MONDAY + dt.timedelta(weeks=1),
        "example_file": "sales/usa/2022/01/12/b*.csv",
        "example_line": 14,
    }
    page = as_markdown(
        card(
            week(),
            faults=(
                fault("quarantined", RowReason.BAD_NUMBER, file_count=2, row_count=1000, **later),
                fault("quarantined", RowReason.BAD_NUMBER, row_count=5, example_line=2),
                fault("refused", ReasonCode.OFFICE_FILE),
                fault("held", "a_code_of_tomorrow", row_count=9),
            ),
        ),
        12.0,
    )
    assert (
        "| rows quarantined | a quantity or an amount is no number as declared | 3 | 1,005 | 2022-01-10 | "
        r"sales/usa/2022/01/12/b\*.csv, line 14 |"
    ) in page
    assert (
        "| files refused | a workbook, zip or PDF instead of CSV | 1 | 0 | 2022-01-03 | sales/usa/2022/01/05/a.csv |"
        in page
    )
    assert "| files held | a code of tomorrow | 1 | 9 |" in page


def test_a_unit_without_faults_is_told_so() -> None:
    assert "Nothing: every file and every row was taken up." in as_markdown(card(week()), 12.0)


def test_the_page_is_self_contained_and_a_name_is_only_a_name() -> None:
    one = card(week(days_delivered=7, rows_quarantined=3), week(1, days_delivered=5, days_late=2, rows_held=4))
    plot = plot_of_weeks(one)
    assert plot.startswith(b"\x89PNG")
    page = as_html(one, 12.0, plot)
    assert page.startswith("<!doctype html>")
    assert 'src="data:image/png;base64,' in page
    assert not any(outside in page for outside in ("http://", "https://", "<script", "<link", "<USA>"))
    assert "Globo | Latte &lt;USA&gt;" in page


@pytest.mark.parametrize("weeks", [1, WEEKS_SHOWN + 30])
def test_few_and_many_weeks_can_be_drawn(weeks: int) -> None:
    assert plot_of_weeks(card(*(week(number) for number in range(weeks)))).startswith(b"\x89PNG")


def test_a_picture_that_fails_is_a_note() -> None:
    def fails() -> bytes:
        raise ValueError("'yerr' must not contain negative values")

    assert drawn(fails) == (None, "The picture could not be drawn: ValueError: 'yerr' must not contain negative values")
    assert drawn(lambda: b"picture") == (b"picture", "")
