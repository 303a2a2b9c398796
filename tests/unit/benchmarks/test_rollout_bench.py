"""`globolatte bench rollout`, in small: what it asks, and that a missed goal fails it."""

import json
import math

import numpy as np
import pytest
from click.testing import CliRunner

from benchmarks import rollout
from benchmarks.rollout import Goal
from globolatte_cli.bench import bench


@pytest.fixture(scope="module")
def found() -> dict[str, Goal]:
    return {one.name: one for one in rollout.goals(30, orders=3_000, split_orders=20_000)}


def test_the_goals_are_met_in_small(found) -> None:
    by_chance = ("identical challengers", "worse by the margin")
    missed = [one for one in found.values() if not one.met and not one.name.startswith(by_chance)]
    assert missed == []
    # Of 30 rollouts, 5 % are one or two.
    assert all(one.measured <= 15.0 for one in found.values() if one.name.startswith(by_chance))


def test_thresholds_roll_back_healthy_challengers(found) -> None:
    assert found["fixed thresholds: healthy challengers rolled back"].measured > 50.0


def test_the_sequential_formula_on_a_split_needs_thousands_of_orders() -> None:
    needed = rollout.growthbook_orders(np.random.default_rng(1), 20, 0.06, 20_000)
    assert 2_000 < np.median(needed) < 20_000


def test_a_find_that_never_comes_is_infinite() -> None:
    assert rollout.first(np.array([False, True])) == 2.0
    assert rollout.first(np.array([False, False])) == math.inf


@pytest.mark.parametrize(("measured", "code"), [(4.0, 0), (6.0, 1)])
def test_a_missed_goal_fails_the_command(monkeypatch: pytest.MonkeyPatch, measured: float, code: int) -> None:
    one = Goal("rolled back", measured, "%", 5.0, rollouts=3)
    monkeypatch.setattr(rollout, "goals", lambda _: iter([one]))
    shown = CliRunner().invoke(bench, ["rollout", "--rollouts", "3"])
    assert shown.exit_code == code
    assert "at most 5" in shown.output
    as_json = CliRunner().invoke(bench, ["rollout", "--json"])
    assert json.loads(as_json.stdout)[0]["met"] is (code == 0)
