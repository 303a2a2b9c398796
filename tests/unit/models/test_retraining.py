"""When to train: one case per rule. Not here: how the situation is gathered."""

from dataclasses import replace

import pytest

from globolatte_assets.models.retraining import RetrainingRules, TrainingSituation, decide_retraining

CALM = TrainingSituation(
    has_examples=True,
    has_champion=True,
    chain_is_complete=True,
    drift={"chain": ["ok", "ok", "ok"]},
    performance={"chain": ["ok", "ok", "ok"]},
    champion_age_days=60,
    days_since_training=60,
)


def retrains(**changed: object) -> bool:
    return decide_retraining(replace(CALM, **changed)).retrain


def test_a_champion_that_fits_stays() -> None:
    assert not retrains()


def test_without_examples_nothing_is_trained() -> None:
    assert not retrains(has_examples=False, has_champion=False)


def test_a_first_champion_is_trained_whatever_the_data() -> None:
    assert retrains(has_champion=False)
    assert retrains(has_champion=False, broken=["half of the rows were quarantined"])


def test_a_training_that_was_cut_off_is_taken_up() -> None:
    assert retrains(chain_is_complete=False, days_since_training=0)


@pytest.mark.parametrize(
    "reason",
    [
        {"drift": {"chain": ["drifted", "drifted"]}},
        {"performance": {"chain": ["below_band", "below_band"]}},
        {"champion_age_days": 999},
        {"chain_is_complete": False},
    ],
)
def test_nothing_is_learned_from_broken_data(reason: dict[str, object]) -> None:
    decision = decide_retraining(replace(CALM, broken=["BU_US: 40% of 900 rows were quarantined"], **reason))
    assert not decision.retrain
    assert "40% of 900 rows" in decision.reason


def test_data_that_monitoring_has_not_seen_are_not_learned_from() -> None:
    assert not retrains(monitoring_is_current=False, champion_age_days=999)


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        (["drifted"], False),
        (["ok", "drifted"], False),
        (["drifted", "drifted"], True),
        (["drifted", "ok", "ok", "ok", "drifted"], True),
        (["drifted", "ok", "ok", "ok", "ok", "drifted"], False),
        (["drifted", "drifted", "ok"], False),
        (["drifted", "broken", "drifted"], True),
        (["drifted", "drifted", "broken"], False),
        ([], False),
    ],
)
def test_two_of_the_last_five_windows_and_the_latest_must_have_drifted(windows: list[str], expected: bool) -> None:
    assert retrains(drift={"chain": windows}) is expected


def test_a_units_drift_counts_too() -> None:
    assert retrains(drift={"chain": ["ok", "ok"], "BU_CA": ["drifted", "drifted"]})


def test_windows_of_different_scopes_do_not_add_up() -> None:
    assert not retrains(drift={"BU_US": ["ok", "drifted"], "BU_CA": ["ok", "drifted"]})


@pytest.mark.parametrize(
    ("windows", "expected"),
    [
        (["below_band"], False),
        (["below_band", "below_band"], True),
        (["below_band", "ok", "below_band"], False),
        (["below_band", "below_band", "ok"], False),
        (["below_band", "broken", "below_band"], False),
    ],
)
def test_so_many_windows_in_a_row_must_be_below_the_band(windows: list[str], expected: bool) -> None:
    situation = replace(CALM, performance={"chain": windows})
    assert decide_retraining(situation, RetrainingRules(windows_below_band=2)).retrain is expected


@pytest.mark.parametrize(
    ("windows", "expected"), [(["below_band"], True), (["below_band", "ok"], False), (["below_band", "broken"], False)]
)
def test_the_latest_window_below_the_band_is_enough(windows: list[str], expected: bool) -> None:
    assert retrains(performance={"chain": windows}) is expected


@pytest.mark.parametrize(("age", "expected"), [(None, False), (180, False), (181, True)])
def test_a_champion_may_grow_old_for_half_a_year(age: int | None, expected: bool) -> None:
    assert retrains(champion_age_days=age) is expected


@pytest.mark.parametrize(("days", "expected"), [(0, False), (27, False), (28, True), (None, True)])
def test_new_sales_are_waited_for_between_two_trainings(days: int | None, expected: bool) -> None:
    assert retrains(drift={"chain": ["drifted", "drifted"]}, days_since_training=days) is expected


def test_the_reason_names_the_drift_that_has_to_wait() -> None:
    waiting = replace(CALM, drift={"chain": ["drifted", "drifted"]}, days_since_training=3)
    reason = decide_retraining(waiting).reason
    assert "windows of chain" in reason
    assert "only 3 days" in reason


def test_the_rules_can_be_others() -> None:
    assert decide_retraining(CALM, RetrainingRules(champion_age_days=30)).retrain


def test_a_first_model_that_was_refused_is_not_trained_again_on_the_same_orders() -> None:
    assert not retrains(has_champion=False, was_refused=True)


@pytest.mark.parametrize("unusable", [{"has_champion": False}, {"unreadable": "it is gone"}])
@pytest.mark.parametrize(
    ("refusals", "days", "trains"),
    [(1, 0, 0), (1, 1, 1), (2, 1, 0), (2, 2, 1), (4, 7, 0), (4, 8, 1), (9, 27, 0), (9, 28, 1)],
)
def test_models_that_are_refused_one_after_the_other_are_trained_ever_later(
    unusable: dict[str, object], refusals: int, days: int, trains: int
) -> None:
    decision = decide_retraining(replace(CALM, **unusable, refusals=refusals, days_since_training=days))
    assert decision.retrain == bool(trains)
    assert decision.retrain or f"so far there are {days}" in decision.reason


# Trainings that had no effect are not repeated ---------------------------------------------------------------------------

DRIFTED_TWICE = {"chain": ["drifted", "drifted"]}


def test_a_training_that_had_no_effect_is_not_repeated_and_that_is_said() -> None:
    said = "weather of chain: the training had no effect."
    situation = replace(CALM, drift=DRIFTED_TWICE, tried={("drift", "chain"): said})
    decision = decide_retraining(situation)
    assert not decision.retrain
    assert decision.reason == (
        f"Data drifted in 2 of the last 2 windows of chain, the latest among them. Not trained again: {said}"
    )
    assert decision.not_repeated == f"Not trained again: {said}"


@pytest.mark.parametrize(
    "more",
    [
        {"performance": {"chain": ["below_band"]}},
        {"drift": {**DRIFTED_TWICE, "BU_CA": ["drifted", "drifted"]}},
        {"champion_age_days": 181},
    ],
)
def test_another_cause_is_trained_for(more: dict[str, object]) -> None:
    assert retrains(**{"drift": DRIFTED_TWICE, "tried": {("drift", "chain"): "In vain."}, **more})


@pytest.mark.parametrize(
    ("age", "refused_at", "expected"),
    [(210, 182, False), (362, 182, False), (363, 182, True), (181, 153, True), (181, None, True)],
)
def test_for_its_age_a_champion_is_challenged_once_in_half_a_year(
    age: int, refused_at: int | None, expected: bool
) -> None:
    assert retrains(champion_age_days=age, refused_at_age=refused_at) is expected
