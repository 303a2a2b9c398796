"""What monitoring found when a training began, and whether training for it had an effect: a training that had none is not repeated.

A cause is a column that drifted, or the performance band, in a scope's latest window. It was tried without effect if a model was trained
while it was there, and it is still there, about as strong: neither gone in a window since then, nor grown or shrunk beyond its margin.
"""

import datetime as dt
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from globolatte_assets.models.champion import Champion
from globolatte_assets.models.trainings import Training, trainings
from globolatte_ml.monitoring.verdicts import Status
from resources.warehouse.warehouse import Warehouse

DRIFT, PERFORMANCE = "drift", "performance"
FURTHER_DRIFT = 0.5
"""A column's distance moved if it did by this part of its threshold."""
FURTHER_LOSS = 0.1
"""A log loss moved if it did by this much, in nats per order; a window's own standard error is about 0.05."""
REMEDY = "if the change is meant, `globolatte monitoring accept` says so"


@dataclass(frozen=True)
class Cause:
    """A reason to train in a scope: a column that drifted by a distance, or (no column) a log loss outside the band."""

    kind: str
    scope: str
    column: str
    value: float
    margin: float

    def is_that(self, other: "Cause") -> bool:
        """Whether both are about the same thing, however strong."""
        return (self.kind, self.scope, self.column) == (other.kind, other.scope, other.column)

    def __str__(self) -> str:
        return f"{self.column} of {self.scope}" if self.column else f"log loss of {self.scope}"


@dataclass(frozen=True)
class Finding:
    """What monitoring found in one window: the causes; it says nothing where the data are broken."""

    kind: str
    scope: str
    last: dt.date
    is_broken: bool
    causes: tuple[Cause, ...]


def findings_of(warehouse: Warehouse, champion: Champion) -> list[Finding]:
    """What was found in the champion's windows, the earliest first."""
    of_champion = {"model_version": champion.version.version}
    names = ["scope", "window_to", "window_status", "column_name", "status", "statistic", "threshold"]
    windows: dict[tuple[str, dt.date], Finding] = {}
    for row in warehouse.read("monitoring.drift", names, of_champion).to_pylist():
        scope, last = row["scope"], row["window_to"]
        before = windows.get((scope, last))
        causes = before.causes if before else ()
        if row["status"] == Status.DRIFTED:
            found = Cause(DRIFT, scope, row["column_name"], row["statistic"], FURTHER_DRIFT * row["threshold"])
            causes = (*causes, found)
        windows[scope, last] = Finding(DRIFT, scope, last, row["window_status"] == Status.BROKEN, causes)
    below = [
        Finding(
            PERFORMANCE,
            row["scope"],
            row["window_to"],
            row["status"] == Status.BROKEN,
            (Cause(PERFORMANCE, row["scope"], "", row["log_loss"], FURTHER_LOSS),)
            if row["status"] == Status.BELOW_BAND
            else (),
        )
        for row in warehouse.read(
            "monitoring.performance", ["scope", "window_to", "status", "log_loss"], of_champion
        ).to_pylist()
    ]
    return sorted([*windows.values(), *below], key=lambda one: (one.last, one.scope))


def present_causes(findings: Sequence[Finding]) -> dict[tuple[str, str], tuple[Cause, ...]]:
    """The causes in the latest window of each kind and scope that has any."""
    latest = {(one.kind, one.scope): one for one in findings}
    return {key: one.causes for key, one in latest.items() if one.causes}


def as_text(findings: Sequence[Finding]) -> str:
    """The present causes for the record of a training."""
    return json.dumps([asdict(cause) for causes in present_causes(findings).values() for cause in causes])


def causes_of(training: Training) -> list[Cause]:
    """The causes that were there when a training began; none for one that began before they were recorded."""
    return [Cause(**one) for one in json.loads(training.causes or "[]")]


def tried_without_effect(findings: Sequence[Finding], trained: Sequence[Training]) -> Mapping[tuple[str, str], str]:
    """By kind and scope, where every present cause was tried without effect: the sentence that says so.

    `trained`: the trainings, the earliest first; those without a verdict have not been tried.
    """
    decided = [one for one in trained if one.decided_at is not None]
    sentences = {}
    for key, causes in present_causes(findings).items():
        of_scope = [one for one in findings if (one.kind, one.scope) == key and not one.is_broken]
        attempts = [_in_vain(cause, of_scope, decided) for cause in causes]
        in_vain = [one for one in attempts if one is not None]
        if len(in_vain) < len(causes):
            continue
        latest, what = max(in_vain, key=lambda one: one.started_at), ", ".join(map(str, causes))
        outcome = "its model was promoted, and it goes on" if latest.promoted else "its model was refused"
        sentences[key] = (
            f"{what}: the training on sales until {latest.last_business_date} for the same cause had no effect ({outcome}); it is not "
            f"repeated before the cause changes; {REMEDY}."
        )
    return sentences


def said_of(warehouse: Warehouse, champion: Champion) -> str | None:
    """What is not trained for again, and why; none if there is nothing of the kind."""
    return " ".join(tried_without_effect(findings_of(warehouse, champion), trainings(warehouse)).values()) or None


def _in_vain(cause: Cause, of_scope: Sequence[Finding], decided: Sequence[Training]) -> Training | None:
    """The latest training for a cause, if it had no effect."""
    for training, before in _attempts(cause, decided):
        since = [one for one in of_scope if one.last > training.last_business_date]
        went_away = any(not any(cause.is_that(other) for other in one.causes) for one in since)
        return None if went_away or abs(cause.value - before.value) > cause.margin else training
    return None


def _attempts(cause: Cause, decided: Sequence[Training]) -> Iterator[tuple[Training, Cause]]:
    for training in reversed(decided):
        for before in causes_of(training):
            if cause.is_that(before):
                yield training, before
