"""The next step of a rollout: a pure decision over what is known now.

    gates -> mirror -> canary (10 %) -> half (50 %) -> full -> warm (the old model kept) -> removed

Quality is decided in the mirror, where both models score every order; canary and half decide about health, with quality still watched.
Without an endpoint in service the mirror leads straight to full. Nothing ships by time-out: a stage is left by evidence, by a person,
or backwards. A breach in any stage rolls back at once.

The state says everything: what should serve (`RolloutState.traffic`) is a function of it, so that whoever carries a step out writes the
state first and then makes it so, again and again; after a crash it goes on from the state that was stored.
"""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from globolatte_ml.rollout.evidence import HEALTH, Finding, MetricEvidence
from globolatte_ml.rollout.sample_ratio import SampleRatio


class Stage(StrEnum):
    """How far a challenger has come."""

    GATES = "gates"
    MIRROR = "mirror"
    CANARY = "canary"
    HALF = "half"
    FULL = "full"
    WARM = "warm"
    REMOVED = "removed"


class Status(StrEnum):
    """What a rollout is doing."""

    WAITING = "waiting for evidence"
    WAITING_FOR_SIGN_OFF = "waiting for sign-off"
    HEALTHY = "healthy"
    SAMPLE_RATIO_MISMATCH = "sample-ratio mismatch"
    NO_TRAFFIC = "no traffic"
    PAUSED = "paused"
    REFUSED = "refused"
    ROLLED_BACK = "rolled back"
    COMPLETED = "completed"


SHARES = {Stage.CANARY: 0.1, Stage.HALF: 0.5, Stage.FULL: 1.0, Stage.WARM: 1.0, Stage.REMOVED: 1.0}
ENDED = (Status.REFUSED, Status.ROLLED_BACK, Status.COMPLETED)
SHIPPED = (Stage.FULL, Stage.WARM)


class CommandKind(StrEnum):
    """What a person can request."""

    PAUSE = "pause"
    ADVANCE = "advance"
    ROLLBACK = "rollback"


@dataclass(frozen=True)
class Command:
    """A person's request; `id` makes it happen once, however often it is read."""

    id: str
    kind: CommandKind
    by: str
    why: str


@dataclass(frozen=True)
class Candidate:
    """The newest challenger by its content hash, with the verdict of the gates and their reasons."""

    content: str
    passed_gates: bool
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class RolloutRules:
    """What is set for a deployment.

    Attributes:
        sign_off: whether a person signs a challenger off before it gets traffic.
        minimum_customers: that each of canary and half must have answered, besides all evidence.
        warm: how long the old model is kept after the challenger has all traffic.
    """

    sign_off: bool = False
    minimum_customers: int = 50
    warm: dt.timedelta = dt.timedelta(days=7)


@dataclass(frozen=True)
class Observation:
    """What is known at a tick. All times are UTC.

    Attributes:
        quality: the paired log loss of challenger and champion; none before an order was scored by both.
        health: errors, invalid answers, slow answers; none of them before a request was answered by both.
        splits: the sample ratio of canary and half; none before.
        customers: that the challenger answered since its stage began.
        signed_off_by: who signed the challenger off.
        hold: why monitoring holds the rollout up, such as an estimated loss outside its band. It never moves one forward.
    """

    now: dt.datetime
    endpoint_in_service: bool
    candidate: Candidate | None = None
    quality: MetricEvidence | None = None
    health: tuple[MetricEvidence, ...] = ()
    splits: SampleRatio | None = None
    customers: int = 0
    signed_off_by: str | None = None
    hold: str | None = None
    command: Command | None = None


@dataclass(frozen=True)
class Traffic:
    """What should serve: content hashes, and the share of customers that the challenger answers.

    mirrored: whether the challenger gets a copy of the requests that it does not answer. warm: a model without traffic that is kept ready.
    """

    champion: str | None
    challenger: str | None = None
    share: float = 0.0
    mirrored: bool = False
    warm: str | None = None


@dataclass(frozen=True)
class RolloutState:
    """Where the chain's rollout is; all that the next step needs to know of the past.

    Attributes:
        champion: content hash of the model that batches, audiences and customers off the canary get.
        challenger: of the rollout's model, until the rollout has ended.
        previous: of the old champion, while it is kept warm.
        entered: when the stage began.
        refused: content hashes of all challengers that were refused or rolled back, with the sentence that says why.
        last_command: id of the command that was carried out last.
        sentence: why it is where it is.
    """

    champion: str | None = None
    challenger: str | None = None
    previous: str | None = None
    stage: Stage = Stage.GATES
    status: Status = Status.COMPLETED
    entered: dt.datetime | None = None
    refused: Mapping[str, str] = field(default_factory=dict)
    last_command: str | None = None
    sentence: str = "No rollout yet."

    @property
    def traffic(self) -> Traffic:
        """What should serve in this state."""
        if self.challenger is None:
            return Traffic(self.champion, warm=self.previous)
        if self.stage is Stage.MIRROR:
            return Traffic(self.champion, self.challenger, mirrored=True)
        return Traffic(self.champion, self.challenger, SHARES.get(self.stage, 0.0))

    def to_json(self) -> str:
        """Everything, as text of one line."""
        document = asdict(self) | {"entered": self.entered and self.entered.isoformat(), "refused": dict(self.refused)}
        return json.dumps(document, sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> "RolloutState":
        """What `to_json` wrote."""
        stored: dict[str, Any] = json.loads(text)
        entered = stored["entered"] and dt.datetime.fromisoformat(stored["entered"])
        return cls(
            **{**stored, "stage": Stage(stored["stage"]), "status": Status(stored["status"]), "entered": entered}
        )


def next_rollout_step(state: RolloutState, seen: Observation, rules: RolloutRules = RolloutRules()) -> RolloutState:
    """The state after this tick. The same if nothing is to be done; at most one stage forward."""
    command = seen.command if seen.command is not None and seen.command.id != state.last_command else None
    if command is not None:
        state = replace(state, last_command=command.id)
    if state.stage in SHIPPED:
        return _after_shipping(state, seen, rules, command)
    if state.challenger is None:
        return _begin(state, seen)
    if command is not None and command.kind is CommandKind.ROLLBACK:
        return _roll_back(state, seen.now, _by(command))
    breach = _breach(seen)
    if breach is not None:
        return _roll_back(state, seen.now, breach)
    if command is not None and command.kind is CommandKind.PAUSE:
        return _here(
            state, Status.PAUSED, f"{_by(command)} The challenger stays at {state.stage} until a person advances it."
        )
    if command is not None:
        return _advanced_by_person(state, seen, rules, command)
    if state.status is Status.PAUSED:
        return state
    return _stage_step(state, seen, rules)


def _begin(state: RolloutState, seen: Observation) -> RolloutState:
    """No rollout is under way: perhaps one begins."""
    candidate = seen.candidate
    if candidate is None or candidate.content == state.champion or candidate.content in state.refused:
        return state
    reasons = " ".join(candidate.reasons)
    if not candidate.passed_gates:
        sentence = f"The gates refused it. {reasons}".strip()
        return replace(
            state,
            stage=Stage.GATES,
            status=Status.REFUSED,
            entered=seen.now,
            refused={**state.refused, candidate.content: sentence},
            sentence=sentence,
        )
    if state.champion is None:
        return replace(
            state,
            champion=candidate.content,
            stage=Stage.REMOVED,
            status=Status.COMPLETED,
            entered=seen.now,
            sentence="A first model is champion at once: there is none to compare it with.",
        )
    sentence = "It passed the gates; from now on both models score every order."
    return replace(
        state,
        challenger=candidate.content,
        stage=Stage.MIRROR,
        status=Status.WAITING,
        entered=seen.now,
        sentence=sentence,
    )


def _breach(seen: Observation) -> str | None:
    """The first metric that shows the challenger to be worse, in words."""
    metrics = (*(() if seen.quality is None else (seen.quality,)), *seen.health)
    worse = [one.sentence for one in metrics if one.finding is Finding.WORSE]
    return " ".join(worse) if worse else None


def _stage_step(state: RolloutState, seen: Observation, rules: RolloutRules) -> RolloutState:
    """Wait where evidence or traffic is missing, or go one stage forward."""
    if seen.quality is None or seen.quality.n == 0:
        return _here(
            state, Status.NO_TRAFFIC, "No order was scored by both models yet; nothing is concluded from that."
        )
    in_traffic = state.stage in (Stage.CANARY, Stage.HALF)
    if in_traffic and not seen.endpoint_in_service:
        return _here(
            state,
            Status.NO_TRAFFIC,
            f"The endpoint is not in service at {state.stage}; what it shows of the challenger's health is waited for.",
        )
    if in_traffic and seen.customers == 0:
        return _here(
            state,
            Status.NO_TRAFFIC,
            f"The challenger answered no customer at {state.stage} yet; nothing is concluded from that.",
        )
    if in_traffic and seen.splits is not None and seen.splits.mismatch:
        return _here(
            state,
            Status.SAMPLE_RATIO_MISMATCH,
            f"{seen.splits.sentence} Requests are lost or misrouted: find out where, then advance or roll back.",
        )
    missing = _missing(seen.quality, seen.health, seen, in_traffic, rules)
    if missing:
        return _here(state, Status.WAITING, missing)
    if seen.hold is not None:
        return _here(state, Status.WAITING, f"Held up: {seen.hold}")
    evidence = _evidence(seen.quality, *(seen.health if in_traffic else ()))
    if _needs_sign_off(state, seen, rules):
        return _here(
            state, Status.WAITING_FOR_SIGN_OFF, f"{evidence} A person's sign-off is wanted before it gets traffic."
        )
    return _forward(state, seen, evidence)


def _missing(
    quality: MetricEvidence, health: Sequence[MetricEvidence], seen: Observation, in_traffic: bool, rules: RolloutRules
) -> str | None:
    """What is still to be shown at this stage, in words."""
    wanted = [quality, *(health if in_traffic else ())]
    open_questions = [one.sentence for one in wanted if one.finding is not Finding.NOT_WORSE]
    unmeasured = [rule.metric for rule in HEALTH if rule not in {one.rule for one in health}]
    if in_traffic and unmeasured:
        open_questions.append(f"Not measured yet: {', '.join(unmeasured)}.")
    few = rules.minimum_customers - seen.customers
    if in_traffic and few > 0:
        open_questions.append(f"The challenger answered {seen.customers} customers at this stage; {few} are missing.")
    return " ".join(open_questions) or None


def _needs_sign_off(state: RolloutState, seen: Observation, rules: RolloutRules) -> bool:
    return state.stage is Stage.MIRROR and rules.sign_off and seen.signed_off_by is None


def _forward(state: RolloutState, seen: Observation, why: str) -> RolloutState:
    """One stage further."""
    if state.stage is Stage.HALF or not seen.endpoint_in_service:
        return replace(
            state,
            champion=state.challenger,
            challenger=None,
            previous=state.champion,
            stage=Stage.FULL,
            status=Status.HEALTHY,
            entered=seen.now,
            sentence=why,
        )
    stage = Stage.CANARY if state.stage is Stage.MIRROR else Stage.HALF
    return replace(state, stage=stage, status=Status.HEALTHY, entered=seen.now, sentence=why)


def _advanced_by_person(state: RolloutState, seen: Observation, rules: RolloutRules, command: Command) -> RolloutState:
    """A paused rollout goes on where it was; any other goes one stage further without the evidence that is missing.

    It never goes on without a sign-off that is wanted.
    """
    if state.status is Status.PAUSED:
        return _here(state, Status.WAITING, _by(command))
    if _needs_sign_off(state, seen, rules):
        return _here(
            state,
            Status.WAITING_FOR_SIGN_OFF,
            f"{_by(command)} It stays in the mirror: a person's sign-off is wanted first.",
        )
    return _forward(
        state, seen, f"{_by(command)} What was shown until then: {_evidence(seen.quality, *seen.health) or 'nothing.'}"
    )


def _after_shipping(
    state: RolloutState, seen: Observation, rules: RolloutRules, command: Command | None
) -> RolloutState:
    """The challenger is champion; the old one is kept until it has proved itself, and comes back after a breach."""
    breach = _breach(seen)
    if command is not None and command.kind is CommandKind.ROLLBACK:
        return _roll_back(state, seen.now, _by(command))
    if breach is not None:
        return _roll_back(state, seen.now, breach)
    if command is not None and command.kind is CommandKind.PAUSE:
        return _here(state, Status.PAUSED, f"{_by(command)} The old model stays warm until a person advances.")
    if command is None and state.status is Status.PAUSED:
        return state
    if state.stage is Stage.FULL:
        return replace(
            state,
            stage=Stage.WARM,
            status=Status.HEALTHY,
            entered=seen.now,
            sentence=f"All customers get the new champion; the old one is kept warm for {rules.warm.days} days.",
        )
    if command is None and (state.entered is None or seen.now < state.entered + rules.warm):
        return state
    sentence = "The old model is removed." if command is None else f"{_by(command)} The old model is removed."
    return replace(
        state, previous=None, stage=Stage.REMOVED, status=Status.COMPLETED, entered=seen.now, sentence=sentence
    )


def _roll_back(state: RolloutState, now: dt.datetime, why: str) -> RolloutState:
    """The champion serves alone, the old one if it was replaced already; the challenger is remembered."""
    shipped = state.stage in SHIPPED
    failed = state.champion if shipped else state.challenger
    return replace(
        state,
        champion=state.previous if shipped else state.champion,
        challenger=None,
        previous=None,
        stage=Stage.REMOVED,
        status=Status.ROLLED_BACK,
        entered=now,
        refused={**state.refused, str(failed): why},
        sentence=f"Rolled back at {state.stage}. {why}",
    )


def _here(state: RolloutState, status: Status, sentence: str) -> RolloutState:
    """The same stage, with what it waits for."""
    return replace(state, status=status, sentence=sentence)


def _evidence(*metrics: MetricEvidence | None) -> str:
    return " ".join(one.sentence for one in metrics if one is not None)


def _by(command: Command) -> str:
    return f"{command.by} requested {command.kind}: {command.why.rstrip('.')}."
