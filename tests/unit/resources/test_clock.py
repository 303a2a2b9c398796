"""The one clock."""

import datetime as dt

import pytest

from resources.clock import Clock
from resources.environment import clock_of
from resources.settings.settings import Settings


def test_the_real_clock_gives_the_time_in_utc() -> None:
    before = dt.datetime.now(dt.UTC)
    now = Clock().now()
    assert before <= now <= dt.datetime.now(dt.UTC)
    assert now.utcoffset() == dt.timedelta(0)


def test_a_fixed_clock_stands_still() -> None:
    clock = Clock(fixed_at="2022-02-10T12:00:00+00:00")
    assert clock.now() == clock.now() == dt.datetime(2022, 2, 10, 12, tzinfo=dt.UTC)


def test_an_offset_is_turned_into_utc_and_left_out_of_timestamps() -> None:
    clock = Clock(fixed_at="2022-02-10T20:00:00-06:00")
    assert clock.now().isoformat() == "2022-02-11T02:00:00+00:00"
    assert clock.timestamp().isoformat() == "2022-02-11T02:00:00"


@pytest.mark.parametrize(
    ("moment", "time_zone", "today"),
    [
        ("2022-02-11T02:00:00+00:00", "UTC", "2022-02-11"),
        ("2022-02-11T02:00:00+00:00", "America/Mexico_City", "2022-02-10"),
        ("2022-02-11T02:00:00+00:00", "Pacific/Auckland", "2022-02-11"),
        ("2022-02-10T12:00:00+00:00", "Pacific/Auckland", "2022-02-11"),
        ("2022-07-01T03:30:00+00:00", "America/Toronto", "2022-06-30"),
        ("2022-07-01T04:30:00+00:00", "America/Toronto", "2022-07-01"),
        ("2022-12-01T04:30:00+00:00", "America/Toronto", "2022-11-30"),
    ],
)
def test_today_is_the_date_in_the_given_time_zone(moment: str, time_zone: str, today: str) -> None:
    assert Clock(fixed_at=moment).today(time_zone) == dt.date.fromisoformat(today)


def test_the_settings_fix_the_clock_or_leave_it_running() -> None:
    moment = dt.datetime(2022, 2, 10, 20, tzinfo=dt.timezone(dt.timedelta(hours=-6)))
    assert clock_of(Settings(now=moment)).now() == moment
    assert clock_of(Settings()).fixed_at is None
