from __future__ import annotations

from dataclasses import replace

import pytest

from globolatte_ml.model.metrics import Interval, Metrics
from globolatte_ml.training.evaluation import POPULARITY, Evaluation, GroupMetrics
from globolatte_ml.training.promotion import Gates, promotion_verdict
from globolatte_ml.training.proofs import Proofs
from globolatte_ml.training.training_job import train_and_evaluate

PROOFS = Proofs(8000, True, 300, 0, 400.0, 900_000)
GROUP = GroupMetrics(500, 1.2, 0.5, 0.02)


def evaluated(
    version="new",
    loss=1.2,
    popularity=1.7,
    calibration=0.01,
    orders=1000,
    holdout="h",
    popular_hits=0.3,
    gain=None,
    proofs=PROOFS,
    group=GROUP,
):
    return Evaluation(
        model_version=version,
        holdout_id=holdout,
        training_orders=7000,
        holdout_orders=orders,
        holdout_from="2023-10-01",
        holdout_to="2023-12-31",
        n_products=6,
        model=Metrics(loss, 0.5, 0.8, calibration) if orders else None,
        baselines={POPULARITY: Metrics(popularity, popular_hits, 0.6, 0.01)} if orders else {},
        gain_over_popularity=None,
        by_business_unit={"BU_CA": group} if group else {},
        by_season={},
        by_history={},
        reliability=(),
        gain_over_champion=gain,
        proofs=proofs,
    )


CHAMPION = evaluated("old", loss=1.25)
CASES = {
    "a first good model is promoted": (evaluated(), None, True, "there is no champion to beat"),
    "a better challenger is promoted": (evaluated(), CHAMPION, True, "a gain of 0.0500, at least the required 0.0005"),
    "a worse challenger is refused": (evaluated(loss=1.3), CHAMPION, False, "Failed: log loss 1.3000 against"),
    "a draw keeps the champion": (evaluated(loss=1.2498), CHAMPION, False, "a gain of 0.0002, less than the required"),
    "the same model has nothing to gain": (evaluated("old"), CHAMPION, False, "same model (old), nothing to promote"),
    "a model below popularity is refused": (evaluated(loss=1.8), None, False, "is not below the 1.7000 of the popularity"),
    "a tie with popularity is not enough": (evaluated(loss=1.7), None, False, "is not below the 1.7000 of the popularity"),
    "few orders excuse more miscalibration": (evaluated(calibration=0.08, orders=120), None, True, "within the limit of 0.0865"),
    "a miscalibrated model is refused": (evaluated(calibration=0.08), None, False, "0.0800 is above the limit of 0.0626"),
    "different holdouts are not compared": (evaluated(holdout="x"), CHAMPION, False, "evaluated on another holdout"),
    "a first model with few orders serves unproven": (evaluated(orders=99), None, True, "99 holdout orders, at least 100"),
    "a first model without holdout serves unproven": (evaluated(orders=0), None, True, "there is no champion yet"),
    "few orders never replace a champion": (evaluated(orders=99), CHAMPION, False, "the champion stays"),
    "nothing can beat popularity where one product sells": (
        evaluated(loss=0.0, popularity=0.0, popular_hits=1.0), None, True, "ties 0.0000"),
    "a gain that may be a loss is refused": (
        evaluated(gain=Interval(0.05, -0.04, 0.14)), CHAMPION, False, "its lower end is not above -0.0300"),
    "a gain that is hardly a loss is enough": (
        evaluated(gain=Interval(0.05, -0.01, 0.11)), CHAMPION, True, "between -0.0100 and +0.1100"),
    "a group that is served badly refuses it": (
        evaluated(group=GroupMetrics(400, 1.2, 0.5, 0.08)), None, False, "'BU_CA' is served worst, with a calibration error of 0.0800"),
    "a small group proves nothing": (evaluated(group=GroupMetrics(99, 1.2, 0.5, 0.5)), None, True, "Not evaluated: no region"),
    "a state that knows the future refuses it": (
        evaluated(proofs=replace(PROOFS, states_differ=1)), None, False, "Failed: leakage: 1 of 300"),
    "another hash refuses it": (
        evaluated(proofs=replace(PROOFS, same_hash_again=False)), None, False, "shuffled, the content hash is another"),
    "a slow model is refused": (evaluated(proofs=replace(PROOFS, microseconds=2e4 + 1)), None, False, "Failed: latency"),
    "a huge model is refused": (evaluated(proofs=replace(PROOFS, bytes=2 * 10**8)), None, False, "size: 200.0 MB"),
    "models without proofs are not held up": (evaluated(proofs=None), None, True, "Not evaluated: the training job stored no proofs"),
    "but one must not lose to it there": (evaluated(loss=0.1, popularity=0.0, popular_hits=1.0), None, False, "not below"),
}  # fmt: skip


@pytest.mark.parametrize(("challenger", "champion", "promoted", "sentence"), CASES.values(), ids=CASES.keys())
def test_verdict(challenger, champion, promoted, sentence):
    verdict = promotion_verdict(challenger, champion)
    assert verdict.promoted is promoted
    assert sentence in "\n".join(verdict.reasons)
    assert all(reason.startswith(("Passed: ", "Failed: ", "Not evaluated: ")) for reason in verdict.reasons)
    assert promoted is not any(reason.startswith("Failed: ") for reason in verdict.reasons)


def test_there_is_one_sentence_per_gate():
    assert len(promotion_verdict(evaluated(loss=1.8, calibration=0.08), CHAMPION).reasons) == 10


def test_the_limits_are_arguments():
    assert promotion_verdict(evaluated(calibration=0.08), None, Gates(maximum_calibration_error=0.1)).promoted
    assert not promotion_verdict(evaluated(), CHAMPION, Gates(minimum_gain_over_champion=0.06)).promoted


def test_a_one_product_catalogue_is_promotable(build, read):
    evaluation = train_and_evaluate(read(build.chain(n_orders=1000, n_products=1))).evaluation
    assert evaluation.holdout_orders >= 100
    assert promotion_verdict(evaluation, None).promoted
