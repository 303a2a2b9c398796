"""The next step of a rollout: a decision table, and what holds for any sequence of observations."""

import datetime as dt
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from globolatte_ml.rollout.evidence import ERRORS, HEALTH, QUALITY, Finding, MetricEvidence
from globolatte_ml.rollout.sample_ratio import Split, sample_ratio
from globolatte_ml.rollout.steps import (
    Candidate,
    Command,
    CommandKind,
    Observation,
    RolloutRules,
    RolloutState,
    Stage,
    Status,
    Traffic,
    next_rollout_step,
)

NOW = dt.datetime(2026, 12, 1, 6, tzinfo=dt.UTC)
RULES = RolloutRules()
SIGNED = RolloutRules(sign_off=True)


def says(rule, finding: Finding, n: int = 700) -> MetricEvidence:
    enough = {Finding.WORSE: (9.0, 0.0), Finding.NOT_WORSE: (0.0, 9.0), Finding.NO_EVIDENCE: (0.0, 1.0)}[finding]
    return MetricEvidence(rule, n, 0.01, *enough, finding, 0 if finding is not Finding.NO_EVIDENCE else 120)


OPEN, GOOD, BAD = (says(QUALITY, one) for one in (Finding.NO_EVIDENCE, Finding.NOT_WORSE, Finding.WORSE))
WELL = tuple(says(rule, Finding.NOT_WORSE) for rule in HEALTH)
UNKNOWN = tuple(says(rule, Finding.NO_EVIDENCE) for rule in HEALTH)
FAILING = (says(ERRORS, Finding.WORSE), *WELL[1:])
LOST, EVEN = sample_ratio([Split(0.1, 10, 990)]), sample_ratio([Split(0.1, 100, 900)])
NEW = Candidate("new", passed_gates=True)
IDLE = RolloutState(champion="old")


def at(stage: Stage, status: Status = Status.WAITING, **more) -> RolloutState:
    if stage in (Stage.FULL, Stage.WARM):
        return RolloutState("new", None, "old", stage, Status.HEALTHY, NOW, **more)
    return RolloutState("old", "new", None, stage, status, NOW, **more)


def seen(quality=GOOD, health=(), *, endpoint: bool = True, **more) -> Observation:
    return Observation(NOW, endpoint, NEW, quality, health, **more)


def told(kind: CommandKind, identifier: str = "1") -> Command:
    return Command(identifier, kind, "Ana", "the season begins")


@pytest.mark.parametrize(
    ("state", "observation", "rules", "stage", "status"),
    [
        (RolloutState(), Observation(NOW, False), RULES, Stage.GATES, Status.COMPLETED),
        (RolloutState(), seen(None), RULES, Stage.REMOVED, Status.COMPLETED),
        (IDLE, seen(None), RULES, Stage.MIRROR, Status.WAITING),
        (IDLE, replace(seen(None), candidate=Candidate("x", False, ("Slow.",))), RULES, Stage.GATES, Status.REFUSED),
        (replace(IDLE, refused={"new": "worse"}), seen(GOOD), RULES, Stage.GATES, Status.COMPLETED),
        (at(Stage.MIRROR), seen(None), RULES, Stage.MIRROR, Status.NO_TRAFFIC),
        (at(Stage.MIRROR), seen(OPEN), RULES, Stage.MIRROR, Status.WAITING),
        (at(Stage.MIRROR), seen(GOOD, hold="the estimated log loss is high"), RULES, Stage.MIRROR, Status.WAITING),
        (at(Stage.MIRROR), seen(GOOD), RULES, Stage.CANARY, Status.HEALTHY),
        (at(Stage.MIRROR), seen(GOOD, endpoint=False), RULES, Stage.FULL, Status.HEALTHY),
        (at(Stage.MIRROR), seen(GOOD), SIGNED, Stage.MIRROR, Status.WAITING_FOR_SIGN_OFF),
        (at(Stage.MIRROR), seen(GOOD, endpoint=False), SIGNED, Stage.MIRROR, Status.WAITING_FOR_SIGN_OFF),
        (at(Stage.MIRROR), seen(OPEN), SIGNED, Stage.MIRROR, Status.WAITING),
        (at(Stage.MIRROR), seen(GOOD, signed_off_by="Ana"), SIGNED, Stage.CANARY, Status.HEALTHY),
        (at(Stage.MIRROR), seen(BAD), RULES, Stage.REMOVED, Status.ROLLED_BACK),
        (at(Stage.MIRROR), seen(OPEN, FAILING), RULES, Stage.REMOVED, Status.ROLLED_BACK),
        (at(Stage.CANARY), seen(GOOD, customers=0), RULES, Stage.CANARY, Status.NO_TRAFFIC),
        (at(Stage.CANARY), seen(GOOD, (), customers=60), RULES, Stage.CANARY, Status.WAITING),
        (at(Stage.CANARY), seen(GOOD, UNKNOWN, customers=60), RULES, Stage.CANARY, Status.WAITING),
        (at(Stage.CANARY), seen(GOOD, WELL[:2], customers=60), RULES, Stage.CANARY, Status.WAITING),
        (at(Stage.CANARY), seen(OPEN, WELL, customers=60), RULES, Stage.CANARY, Status.WAITING),
        (at(Stage.CANARY), seen(GOOD, WELL, customers=49), RULES, Stage.CANARY, Status.WAITING),
        (at(Stage.CANARY), seen(GOOD, WELL, customers=50, splits=EVEN), RULES, Stage.HALF, Status.HEALTHY),
        (
            at(Stage.CANARY),
            seen(GOOD, WELL, customers=50, splits=LOST),
            RULES,
            Stage.CANARY,
            Status.SAMPLE_RATIO_MISMATCH,
        ),
        (at(Stage.CANARY), seen(GOOD, FAILING, customers=9, splits=LOST), RULES, Stage.REMOVED, Status.ROLLED_BACK),
        (at(Stage.CANARY), seen(GOOD, endpoint=False), RULES, Stage.CANARY, Status.NO_TRAFFIC),
        (at(Stage.HALF), seen(GOOD, WELL, customers=50), RULES, Stage.FULL, Status.HEALTHY),
        (at(Stage.HALF), seen(BAD, WELL, customers=50), RULES, Stage.REMOVED, Status.ROLLED_BACK),
        (at(Stage.FULL), seen(None), RULES, Stage.WARM, Status.HEALTHY),
        (at(Stage.WARM), seen(None), RULES, Stage.WARM, Status.HEALTHY),
        (at(Stage.WARM), replace(seen(None), now=NOW + RULES.warm), RULES, Stage.REMOVED, Status.COMPLETED),
        (at(Stage.WARM), seen(BAD), RULES, Stage.REMOVED, Status.ROLLED_BACK),
        (at(Stage.MIRROR), seen(OPEN, command=told(CommandKind.PAUSE)), RULES, Stage.MIRROR, Status.PAUSED),
        (at(Stage.MIRROR, Status.PAUSED), seen(GOOD), RULES, Stage.MIRROR, Status.PAUSED),
        (at(Stage.MIRROR, Status.PAUSED), seen(BAD), RULES, Stage.REMOVED, Status.ROLLED_BACK),
        (
            at(Stage.MIRROR, Status.PAUSED),
            seen(GOOD, command=told(CommandKind.ADVANCE)),
            RULES,
            Stage.MIRROR,
            Status.WAITING,
        ),
        (at(Stage.MIRROR), seen(OPEN, command=told(CommandKind.ADVANCE)), RULES, Stage.CANARY, Status.HEALTHY),
        (
            at(Stage.MIRROR),
            seen(OPEN, command=told(CommandKind.ADVANCE)),
            SIGNED,
            Stage.MIRROR,
            Status.WAITING_FOR_SIGN_OFF,
        ),
        (at(Stage.MIRROR), seen(BAD, command=told(CommandKind.ADVANCE)), RULES, Stage.REMOVED, Status.ROLLED_BACK),
        (at(Stage.CANARY), seen(OPEN, command=told(CommandKind.ROLLBACK)), RULES, Stage.REMOVED, Status.ROLLED_BACK),
        (at(Stage.WARM), seen(OPEN, command=told(CommandKind.ROLLBACK)), RULES, Stage.REMOVED, Status.ROLLED_BACK),
        (at(Stage.WARM), seen(OPEN, command=told(CommandKind.ADVANCE)), RULES, Stage.REMOVED, Status.COMPLETED),
        (
            at(Stage.CANARY, last_command="1"),
            seen(OPEN, customers=5, command=told(CommandKind.ROLLBACK)),
            RULES,
            Stage.CANARY,
            Status.WAITING,
        ),
    ],
)
def test_the_next_step(state, observation, rules, stage, status) -> None:
    found = next_rollout_step(state, observation, rules)
    assert (found.stage, found.status) == (stage, status)
    assert found.sentence


def test_a_rollback_serves_the_champion_alone_and_remembers_the_challenger() -> None:
    found = next_rollout_step(at(Stage.HALF), seen(GOOD, FAILING, customers=3))
    assert found.traffic == Traffic("old")
    assert "errors" in found.sentence
    assert "boundary" in found.sentence
    again = next_rollout_step(found, seen(GOOD, WELL))
    assert again == found
    other = next_rollout_step(found, replace(seen(None), candidate=Candidate("other", True)))
    assert (other.stage, other.challenger) == (Stage.MIRROR, "other")


def test_a_model_that_fails_after_it_was_shipped_gives_way_to_the_old_one() -> None:
    found = next_rollout_step(at(Stage.WARM), seen(BAD))
    assert found.traffic == Traffic("old")
    assert set(found.refused) == {"new"}


@pytest.mark.parametrize(
    ("state", "traffic"),
    [
        (IDLE, Traffic("old")),
        (at(Stage.MIRROR), Traffic("old", "new", mirrored=True)),
        (at(Stage.CANARY), Traffic("old", "new", 0.1)),
        (at(Stage.HALF), Traffic("old", "new", 0.5)),
        (at(Stage.FULL), Traffic("new", warm="old")),
        (at(Stage.WARM), Traffic("new", warm="old")),
    ],
)
def test_what_serves_follows_from_the_state(state, traffic) -> None:
    assert state.traffic == traffic


def test_waiting_says_how_many_orders_are_missing() -> None:
    assert "about 120 orders are missing" in next_rollout_step(at(Stage.MIRROR), seen(OPEN)).sentence


def test_each_step_forward_says_metric_n_boundary_and_margin() -> None:
    sentence = next_rollout_step(at(Stage.CANARY), seen(GOOD, WELL, customers=50)).sentence
    for part in ("log loss", "on 700 orders", "boundary 20", "margin of +0.0200 nats", "slow answers", "+10.00 points"):
        assert part in sentence


findings = st.sampled_from(Finding)
health = st.tuples(*(findings.map(lambda finding, rule=rule: says(rule, finding)) for rule in HEALTH))
commands = st.builds(
    Command,
    id=st.text("abc", min_size=1, max_size=2),
    kind=st.sampled_from(CommandKind),
    by=st.just("Ana"),
    why=st.text(max_size=5),
)
observations = st.builds(
    Observation,
    now=st.datetimes(timezones=st.just(dt.UTC)),
    endpoint_in_service=st.booleans(),
    candidate=st.none() | st.builds(Candidate, st.sampled_from("nxyz"), st.booleans()),
    quality=st.none() | findings.map(lambda finding: says(QUALITY, finding)),
    health=st.just(()) | health,
    splits=st.sampled_from([None, EVEN, LOST]),
    customers=st.integers(0, 100),
    signed_off_by=st.sampled_from([None, "Ana"]),
    hold=st.sampled_from([None, "the estimated log loss is high"]),
    command=st.none() | commands,
)
rules_of_a_chain = st.sampled_from([RULES, SIGNED])


@given(st.lists(observations, max_size=40), rules_of_a_chain)
def test_no_sequence_of_observations_ships_without_evidence(sequence, rules) -> None:
    state, signed = IDLE, False
    for one in (replace(observation, command=None) for observation in sequence):
        before, state = state, next_rollout_step(state, one, rules)
        if state.stage is Stage.MIRROR and before.stage is not Stage.MIRROR:
            signed = False
        if before.stage is Stage.MIRROR and state.stage in (Stage.CANARY, Stage.FULL):
            signed = one.signed_off_by is not None
        moved = (before.stage, state.stage)
        if moved[1] in (Stage.CANARY, Stage.HALF, Stage.FULL) and moved[0] is not moved[1]:
            assert one.quality.finding is Finding.NOT_WORSE
            assert one.hold is None
            assert not any(metric.finding is Finding.WORSE for metric in one.health)
            assert signed or not rules.sign_off
        if moved[1] in (Stage.HALF, Stage.FULL) and moved[0] is not moved[1] and one.endpoint_in_service:
            assert {metric.rule for metric in one.health if metric.finding is Finding.NOT_WORSE} == set(HEALTH)
            assert one.customers >= rules.minimum_customers
            assert one.splits is not LOST


@given(st.lists(observations, max_size=40), rules_of_a_chain)
def test_a_rollout_goes_on_from_any_stored_state_as_if_nothing_had_happened(sequence, rules) -> None:
    kept = restarted = RolloutState()
    for one in sequence:
        kept = next_rollout_step(kept, one, rules)
        restarted = RolloutState.from_json(next_rollout_step(restarted, one, rules).to_json())
        assert restarted == kept
        assert restarted.traffic == kept.traffic


@given(st.lists(observations, max_size=40), rules_of_a_chain)
def test_a_breach_rolls_back_within_one_step_and_what_was_refused_never_serves_again(sequence, rules) -> None:
    state = IDLE
    for one in sequence:
        before, state = state, next_rollout_step(state, one, rules)
        serving = {state.champion, state.challenger} - {None}
        assert not serving & set(state.refused)
        under_way = before.challenger is not None or before.stage in (Stage.FULL, Stage.WARM)
        worse = [metric for metric in (one.quality, *one.health) if metric and metric.finding is Finding.WORSE]
        if under_way and worse:
            assert state.status is Status.ROLLED_BACK


@given(st.lists(observations, max_size=30), rules_of_a_chain)
def test_a_command_is_carried_out_once(sequence, rules) -> None:
    state = IDLE
    for one in sequence:
        state = next_rollout_step(state, one, rules)
        if one.command is not None:
            assert state.last_command == one.command.id
            quiet = next_rollout_step(state, replace(one, command=None), rules)
            assert next_rollout_step(state, one, rules) == quiet
