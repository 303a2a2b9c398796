from __future__ import annotations

import pytest

from globolatte_ml.baselines import POPULARITY
from globolatte_ml.evaluation import Evaluation, Metrics
from globolatte_ml.promotion import Gates, promotion_verdict
from globolatte_ml.training import train


def judged(version="new", loss=1.2, popularity=1.7, calibration=0.01, orders=1000, holdout="h", popular_hits=0.3):
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
        by_business_unit={},
        by_season={},
        by_history={},
        reliability=(),
    )


CHAMPION = judged("old", loss=1.25)
CASES = {
    "a first good model is promoted": (judged(), None, True, "there is no champion to beat"),
    "a better challenger is promoted": (judged(), CHAMPION, True, "a gain of 0.0500, at least the required 0.0005"),
    "a worse challenger is refused": (judged(loss=1.3), CHAMPION, False, "Failed: log loss 1.3000 against"),
    "a draw keeps the champion": (judged(loss=1.2498), CHAMPION, False, "a gain of 0.0002, less than the required"),
    "the same model has nothing to gain": (judged("old"), CHAMPION, False, "same model (old), nothing to promote"),
    "a model below popularity is refused": (judged(loss=1.8), None, False, "is not below the 1.7000 of the popularity"),
    "a tie with popularity is not enough": (judged(loss=1.7), None, False, "is not below the 1.7000 of the popularity"),
    "few orders excuse more miscalibration": (judged(calibration=0.08, orders=120), None, True, "within the limit of 0.0865"),
    "a miscalibrated model is refused": (judged(calibration=0.08), None, False, "0.0800 is above the limit of 0.0626"),
    "different holdouts are not compared": (judged(holdout="x"), CHAMPION, False, "judged on another holdout"),
    "a first model with few orders serves unproven": (judged(orders=99), None, True, "99 holdout orders, at least 100"),
    "a first model without holdout serves unproven": (judged(orders=0), None, True, "there is no champion yet"),
    "few orders never replace a champion": (judged(orders=99), CHAMPION, False, "the champion stays"),
    "nothing can beat popularity where one product sells": (
        judged(loss=0.0, popularity=0.0, popular_hits=1.0), None, True, "ties 0.0000"),
    "but one must not lose to it there": (judged(loss=0.1, popularity=0.0, popular_hits=1.0), None, False, "not below"),
}  # fmt: skip


@pytest.mark.parametrize(("challenger", "champion", "promoted", "sentence"), CASES.values(), ids=CASES.keys())
def test_verdict(challenger, champion, promoted, sentence):
    verdict = promotion_verdict(challenger, champion)
    assert verdict.promoted is promoted
    assert sentence in "\n".join(verdict.reasons)
    assert all(reason.startswith(("Passed: ", "Failed: ", "Not judged: ")) for reason in verdict.reasons)
    assert promoted is not any(reason.startswith("Failed: ") for reason in verdict.reasons)


def test_there_is_one_sentence_per_gate():
    assert len(promotion_verdict(judged(loss=1.8, calibration=0.08), CHAMPION).reasons) == 4


def test_the_limits_are_arguments():
    assert promotion_verdict(judged(calibration=0.08), None, Gates(maximum_calibration_error=0.1)).promoted
    assert not promotion_verdict(judged(), CHAMPION, Gates(minimum_gain_over_champion=0.06)).promoted


def test_metadata_is_plain_and_lists_the_reasons():
    metadata = promotion_verdict(judged(), CHAMPION).as_metadata()
    assert metadata["promoted"] is True
    assert metadata["reasons"].count("\n- ") == 3


def test_a_one_product_catalogue_is_promotable(build, read):
    evaluation = train(read(build.chain(n_orders=1000, n_products=1))).evaluation
    assert evaluation.holdout_orders >= 100
    assert promotion_verdict(evaluation, None).promoted
