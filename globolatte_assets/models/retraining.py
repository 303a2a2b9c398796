"""When to train. A pure decision; the sensor that acts on it is `sensors.retraining`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from globolatte_assets.models.causes import DRIFT, PERFORMANCE

DRIFTED = "drifted"
BELOW_BAND = "below_band"


@dataclass(frozen=True)
class RetrainingRules:
    """The thresholds from which monitoring's findings are a reason to train.

    Attributes:
        drifted_windows, of_windows: so many of a scope's last windows drifted, the latest among them.
        windows_below_band: so many of a scope's windows in a row, up to the latest, were below the performance band. One is
            enough: in 82 windows of 24 stationary months none came nearer to the band than 0.07 nats (docs/monitoring.md).
        champion_age_days: the champion learned from nothing later than so many days before the latest sales.
        cooldown_days: the least days of new sales since the last training, whatever its outcome, before the next one.
    """

    drifted_windows: int = 2
    of_windows: int = 5
    windows_below_band: int = 1
    champion_age_days: int = 180
    cooldown_days: int = 28


RULES = RetrainingRules()


@dataclass(frozen=True)
class TrainingSituation:
    """The inputs of the decision. All ages are in days of business time: from business date to business date.

    Attributes:
        chain_is_complete: whether the last snapshot was followed through to a verdict; false after a run that died on the way.
        was_refused: whether a model of these very training examples was refused and there is no other that can be used.
        refusals: how many models in a row were refused, the latest among them, while there was none that can be used.
        unreadable: why the champion cannot be used (gone, damaged, of an earlier release); none if it can.
        monitoring_is_current: whether monitoring has looked at the latest training examples and accepted changes; until then nobody
            knows whether they are broken.
        broken: why the latest data are broken, one sentence each; empty if they are sound.
        drift, performance: statuses of the champion's windows by scope, oldest first (see
            `globolatte_ml.monitoring.verdicts.Status`).
        tried: by kind ("drift" or "performance") and scope, where models were trained for all that monitoring finds, without effect: the
            sentence that says so.
        refused_at_age: how old the champion was when the last training was refused; none if it was not.
        champion_age_days: from the last date that the champion learned from to the latest sales; none if unknown.
        days_since_training: from the last date of the latest snapshot, whatever its outcome, to the latest sales.
    """

    has_examples: bool
    has_champion: bool
    chain_is_complete: bool
    was_refused: bool = False
    refusals: int = 0
    unreadable: str | None = None
    monitoring_is_current: bool = True
    broken: Sequence[str] = ()
    drift: Mapping[str, Sequence[str]] = field(default_factory=dict)
    performance: Mapping[str, Sequence[str]] = field(default_factory=dict)
    tried: Mapping[tuple[str, str], str] = field(default_factory=dict)
    refused_at_age: int | None = None
    champion_age_days: int | None = None
    days_since_training: int | None = None


@dataclass(frozen=True)
class RetrainingDecision:
    """Whether to train, and the reason in one sentence. `not_repeated`: why there is no training although there is a cause, if one for it
    had no effect."""

    retrain: bool
    reason: str
    not_repeated: str | None = None


def decide_retraining(situation: TrainingSituation, rules: RetrainingRules = RULES) -> RetrainingDecision:
    """Decides whether to train: for a first champion, to finish a training that was cut off, or because the champion no longer fits.

    In this sequence, the first rule that applies decides: nothing to learn from: no; no champion, or none that can be read: yes, after
    refusals ever later;
    broken data: no, since a model would learn the fault; a training that was cut off: yes; data that monitoring has not seen: no;
    drift, performance, age: yes, unless a training for that had no effect, or it is too soon after the last training.
    """
    if not situation.has_examples:
        return RetrainingDecision(False, "There are no training examples yet.")
    if (waiting := _waits_after_refusals(situation, rules)) is not None:
        return RetrainingDecision(False, waiting)
    if not situation.has_champion:
        return RetrainingDecision(True, "There is no champion yet.")
    if situation.unreadable is not None:
        return RetrainingDecision(True, f"The champion cannot be read: {situation.unreadable}")
    if situation.broken:
        others = f" (and {len(situation.broken) - 1} more faults)" if len(situation.broken) > 1 else ""
        return RetrainingDecision(False, f"The latest data are broken: {situation.broken[0]}{others}.")
    if not situation.chain_is_complete:
        return RetrainingDecision(True, "The last training was cut off before its verdict.")
    if not situation.monitoring_is_current:
        return RetrainingDecision(
            False, "Monitoring has yet to look at the latest data, or at what was accepted since; the job monitor does."
        )
    return _decide_on_monitoring(situation, rules)


def _decide_on_monitoring(situation: TrainingSituation, rules: RetrainingRules) -> RetrainingDecision:
    reasons = [*_drifted(situation, rules), *_below_band(situation, rules), *_too_old(situation, rules)]
    if not reasons:
        return RetrainingDecision(False, "The champion still fits what is sold.")
    untried = [one for one in reasons if one.tried is None]
    if not untried:
        said = f"Not trained again: {reasons[0].tried}"
        return RetrainingDecision(False, f"{reasons[0].sentence} {said}", said)
    reason, days = untried[0].sentence, situation.days_since_training
    if days is not None and days < rules.cooldown_days:
        waiting = (
            f"only {days} days of sales are new since the last training, {rules.cooldown_days} are to be waited for"
        )
        return RetrainingDecision(False, f"{reason.removesuffix('.')}, but {waiting}.")
    return RetrainingDecision(True, reason)


def _waits_after_refusals(situation: TrainingSituation, rules: RetrainingRules) -> str | None:
    """Why no model is trained in place of those that were refused; none if one is. They were refused for what the sales are, which a day
    more hardly changes: the wait doubles with each refusal, up to `cooldown_days`."""
    if situation.was_refused:
        return "The first model was refused; new sales are to be waited for (see models/promotion)."
    days = situation.days_since_training
    if not situation.refusals or days is None:
        return None
    wait = min(2 ** (situation.refusals - 1), rules.cooldown_days)
    if days >= wait:
        return None
    refused = "The first model was" if situation.refusals == 1 else f"{situation.refusals} models in a row were"
    return f"{refused} refused (see models/promotion); the next is trained after {wait} days of new sales, so far there are {days}."


@dataclass(frozen=True)
class _Reason:
    """A reason to train; `tried` says that a training for it had no effect."""

    sentence: str
    tried: str | None


def _drifted(situation: TrainingSituation, rules: RetrainingRules) -> Iterator[_Reason]:
    for scope, statuses in situation.drift.items():
        latest = list(statuses)[-rules.of_windows :]
        drifted = latest.count(DRIFTED)
        if latest and latest[-1] == DRIFTED and drifted >= rules.drifted_windows:
            sentence = f"Data drifted in {drifted} of the last {len(latest)} windows of {scope}, the latest among them."
            yield _Reason(sentence, situation.tried.get((DRIFT, scope)))


def _below_band(situation: TrainingSituation, rules: RetrainingRules) -> Iterator[_Reason]:
    for scope, statuses in situation.performance.items():
        latest = list(statuses)[-rules.windows_below_band :]
        if len(latest) == rules.windows_below_band and set(latest) == {BELOW_BAND}:
            windows = "the latest window" if len(latest) == 1 else f"the last {len(latest)} windows"
            sentence = f"The champion was below its performance band in {windows} of {scope}."
            yield _Reason(sentence, situation.tried.get((PERFORMANCE, scope)))


def _too_old(situation: TrainingSituation, rules: RetrainingRules) -> Iterator[_Reason]:
    age, refused = situation.champion_age_days, situation.refused_at_age
    if age is None or age <= rules.champion_age_days:
        return
    tried = None
    if refused is not None and rules.champion_age_days < refused and age - refused <= rules.champion_age_days:
        tried = (
            f"at {refused} days a training for the same cause had no effect (its model was refused); the next one for it comes after "
            f"{rules.champion_age_days} more."
        )
    yield _Reason(
        f"Sales go on {age} days after the last that the champion learned from ({rules.champion_age_days} are allowed).",
        tried,
    )
