from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from globolatte_assets.models.backtest import folds_table
from globolatte_ml.training import plots
from globolatte_ml.training.backtest import origins, rolling_origin


def days(first, last):
    return np.arange(np.datetime64(first), np.datetime64(last) + 1)


def test_folds_are_neighbours_end_with_the_last_date_and_leave_half_of_the_days_before():
    dates = days("2022-01-01", "2023-12-31")
    folds = origins(dates, 4)
    assert folds[-1] == (np.datetime64("2023-10-02"), np.datetime64("2023-12-31"))
    for (_, last), (first, _) in pairwise(folds):
        assert first == last + 1
    assert len(folds) == 4
    assert len(origins(dates, 8)) == 4


@pytest.mark.parametrize("count", [1, 7])
def test_too_few_days_have_no_fold(count):
    assert origins(days("2022-01-01", "2022-01-01") if count == 1 else days("2022-01-01", "2022-01-07")) == []


@pytest.fixture(scope="module")
def folds(snapshot):
    return list(rolling_origin(snapshot, 2))


def test_each_model_knows_its_past_alone_and_does_well_on_what_comes_next(folds, snapshot):
    assert len(folds) == 2
    assert folds[0].last < folds[1].origin
    for fold in folds:
        dates = snapshot.contexts.date
        assert fold.training_orders == (dates < np.datetime64(fold.origin)).sum()
        assert fold.orders == ((dates >= np.datetime64(fold.origin)) & (dates <= np.datetime64(fold.last))).sum()
        assert fold.model.log_loss < fold.popularity.log_loss
        assert fold.gain.low <= fold.gain.estimate <= fold.gain.high


def test_folds_are_shown(folds):
    assert folds_table(folds).count("\n") == 3
    assert plots.backtest_chart(folds).startswith(b"\x89PNG")
    assert plots.backtest_chart([]).startswith(b"\x89PNG")
