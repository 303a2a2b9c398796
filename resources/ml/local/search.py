"""A search space tried out by Optuna, seeded: the local counterpart of an Azure ML sweep."""

import itertools
from typing import TYPE_CHECKING

from resources.ml.training_method import Distribution, DistributionKind, Sampling, SweepMethod

if TYPE_CHECKING:
    from optuna.samplers import BaseSampler
    from optuna.trial import Trial


class Study:
    """Gives points of a method's search space and takes in how each did."""

    def __init__(self, method: SweepMethod) -> None:
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._method = method
        self._study = optuna.create_study(direction="minimize", sampler=_sampler(method))
        self._trial: Trial | None = None
        self._grid = itertools.product(*(one.values for one in method.space.values()))

    @property
    def trials(self) -> int:
        """How many trials there are: a grid has no more than its combinations."""
        method = self._method
        return min(method.trials, method.grid_size) if method.sampling is Sampling.GRID else method.trials

    def ask(self) -> dict[str, float]:
        """The next point. A grid's come in their order: Optuna's sampler of grids serves its own loop only."""
        if self._method.sampling is Sampling.GRID:
            self._trial = self._study.ask()
            return dict(zip(self._method.space, next(self._grid), strict=True))
        self._trial = self._study.ask()
        return {name: _suggest(self._trial, name, one) for name, one in self._method.space.items()}

    def tell(self, value: float) -> None:
        """What became of the point given last; the lower, the better."""
        if self._trial is None:
            raise ValueError("nothing was asked; call ask() before tell()")
        self._study.tell(self._trial, value)


def _sampler(method: SweepMethod) -> "BaseSampler":
    from optuna import samplers

    if method.sampling is Sampling.RANDOM:
        return samplers.RandomSampler(seed=method.seed)
    if method.sampling is Sampling.SOBOL:
        return samplers.QMCSampler(qmc_type="sobol", scramble=True, seed=method.seed, warn_independent_sampling=False)
    return samplers.TPESampler(seed=method.seed)


def _suggest(trial: "Trial", name: str, one: Distribution) -> float:
    """A value of one dimension. A normal is drawn through its quantile function, which every sampler can serve."""
    if one.kind is DistributionKind.CHOICE:
        return float(trial.suggest_categorical(name, list(one.values)))
    if one.kind in (DistributionKind.UNIFORM, DistributionKind.LOGUNIFORM):
        log = one.kind is DistributionKind.LOGUNIFORM
        return one.rounded(trial.suggest_float(name, one.low, one.high, log=log))
    from math import exp
    from statistics import NormalDist

    tail = 1e-6
    drawn = NormalDist(one.mean, one.deviation).inv_cdf(trial.suggest_float(name, tail, 1 - tail))
    return one.rounded(exp(drawn) if one.kind is DistributionKind.LOGNORMAL else drawn)
