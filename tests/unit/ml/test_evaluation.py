from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from globolatte_ml.data.orders import time_split
from globolatte_ml.training.evaluation import (
    FAVOURITE,
    POPULARITY,
    REGIONAL_POPULARITY,
    UNIFORM,
    Evaluation,
    baseline_probabilities,
    evaluate_model,
)
from globolatte_ml.training.training_job import train_and_evaluate


@pytest.fixture(scope="module")
def evaluation(model, snapshot):
    return evaluate_model(model, snapshot)


def test_every_baseline_is_a_positive_distribution(snapshot):
    holdout = time_split(snapshot.ordered_at)
    answers = baseline_probabilities(snapshot, holdout)
    assert list(answers) == [UNIFORM, POPULARITY, REGIONAL_POPULARITY, FAVOURITE]
    for answer in answers.values():
        assert answer.shape == (holdout.sum(), len(snapshot.products))
        assert (answer > 0).all()
        np.testing.assert_allclose(answer.sum(axis=1), 1.0)


def test_baselines_do_not_see_the_holdout(snapshot):
    holdout = time_split(snapshot.ordered_at)
    swapped = snapshot.y.copy()
    swapped[holdout] = snapshot.products[0]
    before, after = (baseline_probabilities(s, holdout) for s in (snapshot, replace(snapshot, y=swapped)))
    for name in before:
        np.testing.assert_array_equal(before[name], after[name])


def test_knowing_the_customer_beats_knowing_the_chain(evaluation):
    scores = {name: metrics.log_loss for name, metrics in evaluation.baselines.items()}
    assert evaluation.model.log_loss < scores[FAVOURITE] < scores[POPULARITY] < scores[UNIFORM]
    assert scores[UNIFORM] == pytest.approx(np.log(5))
    assert evaluation.gain_over_popularity.low > 0
    gain = scores[POPULARITY] - evaluation.model.log_loss
    assert evaluation.gain_over_popularity.estimate == pytest.approx(gain)


def test_groups_add_up_to_the_whole(evaluation):
    for groups in (evaluation.by_business_unit, evaluation.by_season, evaluation.by_history):
        assert sum(group.orders for group in groups.values()) == evaluation.holdout_orders
        mean = sum(group.orders * group.log_loss for group in groups.values()) / evaluation.holdout_orders
        assert mean == pytest.approx(evaluation.model.log_loss)


def test_an_evaluation_survives_json(evaluation):
    written = json.dumps(evaluation.as_dict(), allow_nan=False, sort_keys=True)
    assert Evaluation.from_dict(json.loads(written)) == evaluation


def test_a_saved_model_is_evaluated_like_the_one_in_memory(evaluation, snapshot, model_folder):
    assert evaluate_model(model_folder, snapshot) == evaluation


def test_a_champion_with_an_older_catalogue_is_evaluated_on_the_challengers_holdout(
    build, read, snapshot, model, tmp_path
):
    challenger = train_and_evaluate(read(build.chain(n_orders=400, n_products=7))).evaluation
    champion = evaluate_model(model, read(build.chain(n_orders=400, n_products=7)))
    assert champion.holdout_id == challenger.holdout_id
    assert champion.model_version != challenger.model_version
    assert np.isfinite(champion.model.log_loss)


def test_another_holdout_has_another_id(evaluation, model, build, read):
    assert evaluate_model(model, read(build.chain(n_orders=300))).holdout_id != evaluation.holdout_id


def test_without_a_holdout_the_evaluation_says_so(build, read):
    evaluation = train_and_evaluate(read(build.chain(n_orders=1))).evaluation
    assert (evaluation.holdout_orders, evaluation.training_orders, evaluation.model) == (0, 1, None)
    assert evaluation.baselines == {}
    assert Evaluation.from_dict(json.loads(json.dumps(evaluation.as_dict()))) == evaluation
