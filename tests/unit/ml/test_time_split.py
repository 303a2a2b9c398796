from __future__ import annotations

import numpy as np
import pytest

from globolatte_ml.data.orders import time_split

NEW_YEAR = np.datetime64("2022-01-01T00:00:00", "us")


def days(*offsets):
    return NEW_YEAR + (np.array(offsets, dtype=float) * 86400e6).astype("timedelta64[us]")


@pytest.mark.parametrize(("span", "holdout_days"), [(8, 1), (15, 1), (16, 2), (80, 10), (730, 91)])
def test_the_holdout_is_the_last_eighth_in_whole_days(span, holdout_days):
    assert time_split(days(*range(span))).tolist() == [False] * (span - holdout_days) + [True] * holdout_days


def test_a_business_date_is_never_divided():
    ordered_at = days(0, 9.01, 9.5, 9.99)
    assert time_split(ordered_at).tolist() == [False, True, True, True]


def test_a_short_span_is_cut_at_a_point_of_time():
    assert time_split(days(0, 0.5, 0.874, 0.876, 1)).tolist() == [False, False, False, True, True]


def test_the_sequence_of_orders_does_not_matter():
    assert time_split(days(79, 0, 40, 75)).tolist() == [True, False, False, True]


@pytest.mark.parametrize("ordered_at", [days(3), days(3, 3, 3), days()])
def test_without_a_span_there_is_no_holdout(ordered_at):
    assert not time_split(ordered_at).any()


def test_two_orders_are_one_to_learn_from_and_one_to_evaluate_by():
    assert time_split(days(0, 0.1)).tolist() == [False, True]


def with_fresh(fresh_days, per_day, old_days=400):
    """Old days with one order each, then fresh ones with `per_day`."""
    fresh = np.repeat(np.arange(old_days, old_days + fresh_days), per_day)
    return days(*np.concatenate([np.arange(old_days), fresh])), (NEW_YEAR + np.timedelta64(old_days, "D"))


@pytest.mark.parametrize(
    ("fresh_days", "per_day", "holdout_days"),
    [(30, 20, 15), (31, 20, 15), (30, 1, 15), (1, 20, 1), (200, 20, 75)],
    ids=[
        "half of a month",
        "the earlier part is the longer",
        "few orders too",
        "one day",
        "never more than the eighth",
    ],
)
def test_what_is_new_to_a_champion_is_halved(fresh_days, per_day, holdout_days):
    ordered_at, fresh_from = with_fresh(fresh_days, per_day)
    dates = ordered_at.astype("datetime64[D]")
    holdout = time_split(ordered_at, fresh_from)
    assert len(np.unique(dates[holdout])) == holdout_days
    assert dates[holdout].min() > dates[~holdout].max()


def test_with_nothing_new_the_last_eighth_is_held_out():
    ordered_at = days(*range(80))
    np.testing.assert_array_equal(time_split(ordered_at, np.datetime64("2023-01-01")), time_split(ordered_at))


def test_a_sale_after_midnight_stands_on_the_side_of_its_evening():
    ordered_at = days(*range(16), 14.02, 15.05)
    business_dates = days(*range(16), 13, 14).astype("datetime64[D]")
    late, early = time_split(ordered_at, business_dates=business_dates)[[-1, -2]]
    assert (late, early) == (True, False)
    holdout = time_split(ordered_at, np.datetime64("2022-01-10"), business_dates)
    assert not set(business_dates[holdout].tolist()) & set(business_dates[~holdout].tolist())
    assert time_split(ordered_at).tolist()[-2:] == [True, True]
