"""Search spaces, sampling and early termination in azure-ai-ml's words."""

import math
from collections.abc import Mapping
from typing import Any

from resources.ml.training_method import (
    Distribution,
    DistributionKind,
    EarlyTermination,
    EarlyTerminationKind,
    Sampling,
    SweepMethod,
)


def search_space(space: Mapping[str, Distribution]) -> dict[str, Any]:
    """Each dimension as Azure's. Azure writes the bounds of a loguniform as logarithms."""
    return {name: _dimension(one) for name, one in space.items()}


def _dimension(one: Distribution) -> Any:
    from azure.ai.ml import sweep

    step: Any = one.step  # the SDK's annotation says int, Azure takes any number
    match one.kind:
        case DistributionKind.CHOICE:
            return sweep.Choice(values=list(one.values))
        case DistributionKind.UNIFORM:
            bounds = {"min_value": one.low, "max_value": one.high}
            return sweep.QUniform(**bounds, q=step) if step else sweep.Uniform(**bounds)
        case DistributionKind.LOGUNIFORM:
            bounds = {"min_value": math.log(one.low), "max_value": math.log(one.high)}
            return sweep.QLogUniform(**bounds, q=step) if step else sweep.LogUniform(**bounds)
        case DistributionKind.NORMAL:
            return (
                sweep.QNormal(mu=one.mean, sigma=one.deviation, q=step)
                if step
                else sweep.Normal(mu=one.mean, sigma=one.deviation)
            )
        case DistributionKind.LOGNORMAL:
            return (
                sweep.QLogNormal(mu=one.mean, sigma=one.deviation, q=step)
                if step
                else sweep.LogNormal(mu=one.mean, sigma=one.deviation)
            )


def sampling(method: SweepMethod) -> Any:
    """The sampling algorithm."""
    from azure.ai.ml import sweep

    match method.sampling:
        case Sampling.GRID:
            return sweep.GridSamplingAlgorithm()
        case Sampling.BAYESIAN:
            return sweep.BayesianSamplingAlgorithm()
        case Sampling.SOBOL:
            return sweep.RandomSamplingAlgorithm(rule="sobol", seed=method.seed)
        case Sampling.RANDOM:
            return sweep.RandomSamplingAlgorithm(rule="random", seed=method.seed)


def early_termination(rule: EarlyTermination) -> Any:
    """The early termination policy."""
    from azure.ai.ml import sweep

    when = {"evaluation_interval": rule.every, "delay_evaluation": rule.after}
    match rule.kind:
        case EarlyTerminationKind.BANDIT:
            return sweep.BanditPolicy(**when, slack_factor=rule.slack)
        case EarlyTerminationKind.MEDIAN:
            return sweep.MedianStoppingPolicy(**when)
        case EarlyTerminationKind.TRUNCATION:
            return sweep.TruncationSelectionPolicy(**when, truncation_percentage=rule.percentage)
