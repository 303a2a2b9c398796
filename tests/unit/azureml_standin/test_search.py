"""Which values a sweep of the stand-in tries, and which trials end early."""

import itertools
import math
from typing import Any

import pytest

from tests.emulators.azureml.jobs.search import candidates, ends_early

pytestmark = pytest.mark.depth

RANDOM = {"samplingAlgorithmType": "Random", "seed": 7}


def drawn(space: dict[str, Any], number: int = 200) -> list[dict[str, Any]]:
    return list(itertools.islice(candidates(space, RANDOM), number))


def test_a_grid_is_everything_once_and_takes_choices_only() -> None:
    space = {"a": ["choice", [[1, 2]]], "b": ["choice", [["x", "y"]]]}
    assert len({str(value) for value in candidates(space, {"samplingAlgorithmType": "Grid"})}) == 4
    with pytest.raises(ValueError, match="choices only; a is uniform"):
        list(candidates({"a": ["uniform", [0, 1]]}, {"samplingAlgorithmType": "Grid"}))


def test_random_choices_do_not_repeat_and_end_when_all_are_tried() -> None:
    assert len(drawn({"a": ["choice", [[1, 2, 3]]]})) == 3


@pytest.mark.parametrize(
    ("expression", "fits"),
    [
        (["uniform", [1, 2]], lambda value: 1 <= value <= 2),
        (["quniform", [0, 10, 5]], lambda value: value in (0, 5, 10)),
        (["loguniform", [-3, -1]], lambda value: math.exp(-3) <= value <= math.exp(-1)),
        (["qloguniform", [0, 3, 2]], lambda value: value % 2 == 0 and value <= 22),
        (["normal", [10, 0.001]], lambda value: 9 < value < 11),
        (["qnormal", [10, 3, 5]], lambda value: value % 5 == 0),
        (["lognormal", [0, 0.001]], lambda value: 0.9 < value < 1.1),
        (["randint", [4]], lambda value: value in (0, 1, 2, 3)),
    ],
)
def test_draws_are_of_their_distribution(expression: list[Any], fits: Any) -> None:
    assert all(fits(one["x"]) for one in drawn({"x": expression}))


def test_draws_are_the_same_for_the_same_seed() -> None:
    assert drawn({"x": ["uniform", [0, 1]]}) == drawn({"x": ["uniform", [0, 1]]})


@pytest.mark.parametrize(
    ("policy", "own", "ends"),
    [
        ({"policyType": "Bandit", "slackFactor": 0.1, "evaluationInterval": 1}, [0.80], True),
        ({"policyType": "Bandit", "slackFactor": 0.1, "evaluationInterval": 1}, [0.85], False),
        ({"policyType": "Bandit", "slackAmount": 0.2, "evaluationInterval": 1}, [0.65], True),
        ({"policyType": "Bandit", "slackAmount": 0.2, "evaluationInterval": 1, "delayEvaluation": 1}, [0.65], False),
        ({"policyType": "Bandit", "slackAmount": 0.2, "evaluationInterval": 2}, [0.65], False),
        ({"policyType": "MedianStopping", "evaluationInterval": 1}, [0.4], True),
        ({"policyType": "MedianStopping", "evaluationInterval": 1}, [0.6], False),
        ({"policyType": "TruncationSelection", "truncationPercentage": 50, "evaluationInterval": 1}, [0.1], True),
        ({"policyType": "TruncationSelection", "truncationPercentage": 50, "evaluationInterval": 1}, [0.95], False),
        (None, [0.0], False),
    ],
)
def test_policies_end_what_falls_behind(policy: dict[str, Any] | None, own: list[float], ends: bool) -> None:
    others = [[0.9, 0.9], [0.5, 0.5], [0.3, 0.3]]
    assert ends_early(policy, own, others, maximize=True) is ends


def test_minimizing_turns_it_round() -> None:
    policy = {"policyType": "Bandit", "slackAmount": 0.1, "evaluationInterval": 1}
    assert ends_early(policy, [0.9], [[0.5]], maximize=False)
    assert not ends_early(policy, [0.4], [[0.5]], maximize=False)
