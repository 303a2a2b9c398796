"""Methods and search spaces as values, and the local study over them."""

from pathlib import Path

import optuna
import pytest

from resources.ml.local.methods import point_of, study_of
from resources.ml.training_method import (
    Algorithm,
    AutoMLMethod,
    CommandMethod,
    Distribution,
    DistributionKind,
    EarlyTermination,
    EarlyTerminationKind,
    Featurization,
    MethodKind,
    Metric,
    Sampling,
    SweepMethod,
    choice,
    loguniform,
    training_method,
)
from tests.builders import normal, uniform

CONTINUOUS = {"penalty": loguniform(0.001, 1.0), "half_life": uniform(10.0, 100.0, step=10.0)}


def points(method: SweepMethod) -> list[dict[str, float]]:
    """The points that a study proposes when strong penalties do best."""
    found = []

    def loss(trial: optuna.Trial) -> float:
        found.append(point_of(trial, method.space))
        return found[-1]["penalty"]

    study_of(method).optimize(loss, n_trials=method.trials)
    return found


@pytest.mark.parametrize("sampling", [Sampling.RANDOM, Sampling.SOBOL, Sampling.BAYESIAN])
def test_a_study_is_reproducible_and_stays_within_the_space(sampling: Sampling) -> None:
    method = SweepMethod(CONTINUOUS, sampling, trials=8, seed=3)
    found = points(method)
    assert found == points(method)
    assert found != points(SweepMethod(CONTINUOUS, sampling, trials=8, seed=4))
    assert all(0.001 <= point["penalty"] <= 1.0 for point in found)
    assert all(point["half_life"] in range(10, 101, 10) for point in found)


def test_a_grid_tries_every_combination_once() -> None:
    method = SweepMethod({"penalty": choice(0.1, 1.0), "half_life": choice(0.0, 30.0, 60.0)}, Sampling.GRID, trials=50)
    found = [tuple(point.values()) for point in points(method)]
    assert sorted(found) == [(p, h) for p in (0.1, 1.0) for h in (0.0, 30.0, 60.0)]


def test_a_normal_is_drawn_around_its_mean_and_at_its_step() -> None:
    space = {"penalty": choice(0.1), "half_life": normal(60.0, 10.0, step=5.0)}
    drawn = [point["half_life"] for point in points(SweepMethod(space, Sampling.RANDOM, trials=40))]
    assert all(value % 5 == 0 for value in drawn)
    assert 55 < sum(drawn) / len(drawn) < 65


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (choice, "a choice has no values"),
        (lambda: uniform(2.0, 1.0), "from 2.0 to 1.0 is empty"),
        (lambda: loguniform(0.0, 1.0), "'low' must be above 0"),
        (lambda: normal(0.0, 0.0), "it must be above 0"),
        (lambda: uniform(0.0, 1.0, step=0.0), "a step is above 0"),
        (lambda: SweepMethod({"depth": choice(1.0)}), r"has \['depth'\]; use penalty, half_life"),
        (lambda: SweepMethod(CONTINUOUS, Sampling.GRID), "choices only"),
        (lambda: SweepMethod({"penalty": normal(0.1, 0.01)}, Sampling.BAYESIAN), "use 'random'"),
        (lambda: SweepMethod(trials=0), "at least 1"),
        (lambda: AutoMLMethod(trial_minutes=0), "at least 1"),
        (lambda: AutoMLMethod(folds=1), "use 2 to 20"),
        (lambda: AutoMLMethod(blocked=tuple(Algorithm)), "every algorithm is blocked"),
    ],
)
def test_what_does_not_fit_is_refused_with_the_remedy(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_a_method_is_read_from_its_table_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "training.toml"
    file.write_text(
        """
        [command]
        seed = 5
        [sweep]
        sampling = "random"
        trials = 3
        early_termination = {kind = "bandit", slack = 0.2}
        [sweep.space]
        penalty = {kind = "lognormal", mean = -3.0, deviation = 1.0}
        half_life = {kind = "choice", values = [0, 60]}
        [automl]
        metric = "norm_macro_recall"
        folds = 3
        featurization = "auto"
        blocked = ["knn"]
        """
    )
    assert training_method(MethodKind.AUTOML, file) == AutoMLMethod(
        Metric.NORM_MACRO_RECALL, folds=3, featurization=Featurization.AUTO, blocked=(Algorithm.KNN,)
    )
    assert training_method(MethodKind.COMMAND, file) == CommandMethod(seed=5)
    sweep = training_method(MethodKind.SWEEP, file)
    assert isinstance(sweep, SweepMethod)
    assert sweep.space["penalty"] == Distribution(DistributionKind.LOGNORMAL, mean=-3.0, deviation=1.0)
    assert sweep.early_termination == EarlyTermination(EarlyTerminationKind.BANDIT, slack=0.2)
    file.write_text("[command]\nsteps = 5\n")
    with pytest.raises(ValueError, match=r"training.toml, \[command\]: .*steps"):
        training_method(MethodKind.COMMAND, file)
    assert training_method(MethodKind.SWEEP) == SweepMethod()
