"""The training methods as values, the same for every platform."""

import tomllib
from collections.abc import Mapping
from dataclasses import field
from enum import StrEnum
from pathlib import Path

from pydantic import ConfigDict, ValidationError
from pydantic.dataclasses import dataclass

LOG_LOSS = "validation_log_loss"
"""The metric that a sweep minimizes: the log loss on the validation orders of the training span, never on the holdout."""


REFUSING = ConfigDict(extra="forbid")
"""The model configuration for values read from a file: an unknown name is an error."""


class MethodKind(StrEnum):
    """Which of them."""

    COMMAND = "command"
    SWEEP = "sweep"
    AUTOML = "automl"
    PIPELINE = "pipeline"


class Sampling(StrEnum):
    """How a sweep draws its trials."""

    GRID = "grid"
    RANDOM = "random"
    SOBOL = "sobol"
    BAYESIAN = "bayesian"


class DistributionKind(StrEnum):
    """The distribution from which a value of a search space is drawn."""

    CHOICE = "choice"
    UNIFORM = "uniform"
    LOGUNIFORM = "loguniform"
    NORMAL = "normal"
    LOGNORMAL = "lognormal"


@dataclass(frozen=True, config=REFUSING)
class Distribution:
    """One dimension of a search space. Bounds, mean and deviation are those of the value itself, not of its logarithm,

    but for `lognormal`, whose mean and deviation are the logarithm's, as everywhere. `step` rounds to its multiples: the
    q-variants. Raises `ValueError` that names what does not fit.
    """

    kind: DistributionKind
    values: tuple[float, ...] = ()
    low: float = 0.0
    high: float = 0.0
    mean: float = 0.0
    deviation: float = 0.0
    step: float | None = None

    def __post_init__(self) -> None:
        if self.kind is DistributionKind.CHOICE and not self.values:
            raise ValueError("a choice has no values; list at least one")
        if self.kind in (DistributionKind.UNIFORM, DistributionKind.LOGUNIFORM) and not self.low < self.high:
            raise ValueError(f"{self.kind} from {self.low} to {self.high} is empty; 'low' must be below 'high'")
        if self.kind is DistributionKind.LOGUNIFORM and self.low <= 0:
            raise ValueError(f"loguniform from {self.low}: 'low' must be above 0")
        if self.kind in (DistributionKind.NORMAL, DistributionKind.LOGNORMAL) and self.deviation <= 0:
            raise ValueError(f"{self.kind} with deviation {self.deviation}: it must be above 0")
        if self.step is not None and (self.step <= 0 or self.kind is DistributionKind.CHOICE):
            raise ValueError(f"step {self.step} of a {self.kind}: a step is above 0, and a choice has none")

    def rounded(self, value: float) -> float:
        """The value at its step."""
        return value if self.step is None else round(value / self.step) * self.step


def choice(*values: float) -> Distribution:
    """One of some values."""
    return Distribution(DistributionKind.CHOICE, values=values)


def loguniform(low: float, high: float, step: float | None = None) -> Distribution:
    """Evenly on a logarithmic scale between two values."""
    return Distribution(DistributionKind.LOGUNIFORM, low=low, high=high, step=step)


class EarlyTerminationKind(StrEnum):
    """The rule by which a trial is terminated early."""

    BANDIT = "bandit"
    MEDIAN = "median"
    TRUNCATION = "truncation"


@dataclass(frozen=True, config=REFUSING)
class EarlyTermination:
    """When a trial with intermediate results is terminated early. Our own training reports once, at its end, so it never is.

    `slack` (bandit): the share by which a trial may be worse than the best; `percentage` (truncation): how many are cut.
    """

    kind: EarlyTerminationKind
    every: int = 1
    after: int = 0
    slack: float = 0.1
    percentage: int = 20


@dataclass(frozen=True, config=REFUSING)
class CommandMethod:
    """One training job: our `train.py` with its own search for the penalty."""

    seed: int = 0
    kind: MethodKind = field(default=MethodKind.COMMAND, init=False)


DEFAULT_SPACE: Mapping[str, Distribution] = {
    "penalty": loguniform(0.001, 1.0),
    "half_life": choice(0.0, 30.0, 60.0, 120.0),
}
"""scikit-learn's C, and the half-life in days of an order's weight (0: all orders count the same)."""


@dataclass(frozen=True, config=REFUSING)
class SweepMethod:
    """Many training jobs over a search space; the one with the lowest `LOG_LOSS` is the result."""

    space: Mapping[str, Distribution] = field(default_factory=lambda: dict(DEFAULT_SPACE))
    sampling: Sampling = Sampling.BAYESIAN
    trials: int = 12
    concurrent: int = 4
    minutes: int = 60
    early_termination: EarlyTermination | None = None
    seed: int = 0
    kind: MethodKind = field(default=MethodKind.SWEEP, init=False)

    def __post_init__(self) -> None:
        unknown = sorted(set(self.space) - set(DEFAULT_SPACE))
        if unknown or not self.space:
            raise ValueError(f"the search space has {unknown or 'nothing'}; use {', '.join(DEFAULT_SPACE)}")
        kinds = {distribution.kind for distribution in self.space.values()}
        if self.sampling is Sampling.GRID and kinds != {DistributionKind.CHOICE}:
            raise ValueError("sampling 'grid' tries every combination: the search space may hold choices only")
        not_bayesian = [
            one.kind in (DistributionKind.NORMAL, DistributionKind.LOGNORMAL)
            or (one.kind is DistributionKind.LOGUNIFORM and one.step is not None)
            for one in self.space.values()
        ]
        if self.sampling is Sampling.BAYESIAN and any(not_bayesian):
            raise ValueError(
                "sampling 'bayesian' takes choice, uniform, quniform and loguniform; use 'random' for others"
            )
        if self.trials < 1 or self.concurrent < 1 or self.minutes < 1:
            raise ValueError("trials, concurrent and minutes are at least 1")


class Metric(StrEnum):
    """The metric that AutoML maximizes. No gate uses it: a found model is evaluated on the holdout like any other."""

    ACCURACY = "accuracy"
    AUC_WEIGHTED = "auc_weighted"
    AVERAGE_PRECISION = "average_precision_score_weighted"
    NORM_MACRO_RECALL = "norm_macro_recall"
    PRECISION = "precision_score_weighted"


class Featurization(StrEnum):
    """Whether Azure's AutoML derives further columns from ours."""

    OFF = "off"
    AUTO = "auto"


class Algorithm(StrEnum):
    """The algorithms that AutoML may try. The first four are also available on one laptop."""

    LOGISTIC_REGRESSION = "logistic_regression"
    LIGHT_GBM = "light_gbm"
    RANDOM_FOREST = "random_forest"
    EXTREME_RANDOM_TREES = "extreme_random_trees"
    GRADIENT_BOOSTING = "gradient_boosting"
    DECISION_TREE = "decision_tree"
    KNN = "knn"
    SVM = "svm"
    LINEAR_SVM = "linear_svm"
    SGD = "sgd"
    BERNOULLI_NAIVE_BAYES = "bernoulli_naive_bayes"
    MULTINOMIAL_NAIVE_BAYES = "multinomial_naive_bayes"
    XG_BOOST = "xg_boost_classifier"


@dataclass(frozen=True, config=REFUSING)
class AutoMLMethod:
    """A search over algorithms and their settings for a classifier of our features, which takes the regression's place in the model.

    `folds`: of a cross-validation of the orders that it learns from; none: candidates are compared on the validation orders.
    `minutes`, `trial_minutes`, `concurrent`, `featurization` and `explain` (feature importances in the studio) are Azure's alone;
    `seed` is this machine's, where a number of trials bounds the search and never the time.
    """

    metric: Metric = Metric.AUC_WEIGHTED
    trials: int = 20
    concurrent: int = 4
    minutes: int = 60
    trial_minutes: int = 15
    folds: int | None = None
    featurization: Featurization = Featurization.OFF
    blocked: tuple[Algorithm, ...] = ()
    explain: bool = True
    seed: int = 0
    kind: MethodKind = field(default=MethodKind.AUTOML, init=False)

    def __post_init__(self) -> None:
        if min(self.trials, self.concurrent, self.minutes, self.trial_minutes) < 1:
            raise ValueError("trials, concurrent, minutes and trial_minutes are at least 1")
        if self.folds is not None and not 2 <= self.folds <= 20:
            raise ValueError(f"folds is {self.folds}; use 2 to 20, or leave it out to compare on the validation orders")
        if set(self.blocked) == set(Algorithm):
            raise ValueError("every algorithm is blocked; leave at least one")


@dataclass(frozen=True, config=REFUSING)
class PipelineMethod:
    """Steps as jobs of their own: prepare, train, evaluate.

    `responsible_ai`: on Azure ML its Responsible AI components follow, on a product: `focus`, or the one chosen most often. They are
    Azure's: one laptop has the asset `models/responsible_ai` alone.
    """

    seed: int = 0
    responsible_ai: bool = False
    focus: str | None = None
    kind: MethodKind = field(default=MethodKind.PIPELINE, init=False)


TrainingMethod = CommandMethod | SweepMethod | AutoMLMethod | PipelineMethod
METHODS: Mapping[MethodKind, type[TrainingMethod]] = {
    MethodKind.COMMAND: CommandMethod,
    MethodKind.SWEEP: SweepMethod,
    MethodKind.AUTOML: AutoMLMethod,
    MethodKind.PIPELINE: PipelineMethod,
}


def training_method(kind: MethodKind, file: Path | None = None) -> TrainingMethod:
    """The method with its defaults, or as the table of its name in a TOML file says.

    Raises `ValueError` that names the file and what is wrong in it.
    """
    if file is None:
        return METHODS[kind]()
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8")).get(kind.value, {})
        return METHODS[kind](**document)
    except (OSError, ValueError) as error:
        faults = error.errors() if isinstance(error, ValidationError) else []
        what = (
            "; ".join(": ".join([*map(str, one["loc"]), one["msg"].removeprefix("Value error, ")]) for one in faults)
            or error
        )
        raise ValueError(f"{file}, [{kind}]: {what}; see docs/azureml.md for what it may say") from error
