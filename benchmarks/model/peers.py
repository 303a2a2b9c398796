"""The peers: what else a practitioner might use on the same orders, fitted in the same run.

All see the customers' states as of each order; those that learn from columns get the very features of our regression.
"""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from benchmarks.model.apart import Done, UnfinishedError, run_apart
from benchmarks.model.basket_peers import basket_rankings
from benchmarks.model.habit_peers import habits
from globolatte_ml.data.orders import time_split
from globolatte_ml.data.shares import shrunken_shares
from globolatte_ml.data.snapshot import SnapshotOrders
from globolatte_ml.model.features import features
from globolatte_ml.model.metrics import log_loss
from globolatte_ml.model.model import PreferenceModel
from globolatte_ml.model.priors import chain_popularity, learn_feature_space
from globolatte_ml.training.evaluation import FAVOURITE, POPULARITY, REGIONAL_POPULARITY, baseline_probabilities

OURS = "GloboLatte"
REGRESSION, BOOSTING = "logistic regression", "HistGradientBoosting"
LIGHTGBM, FLAML, ALS = "LightGBM", "FLAML", "implicit ALS"
REGRESSION_PENALTY = 0.03
ROUNDS, PATIENCE = 400, 20
TRIALS = 12
TRIAL_ORDERS = 20_000
FACTORS, REGULARISATION, CONFIDENCE, SWEEPS = 5, 0.1, 4.0, 15
TEMPERATURES = np.geomspace(0.5, 20.0, 12)
MOST_PRODUCTS = 20
"""For peers that fit a column, or trees, per feature and product."""
MOST_GIGABYTES, MOST_MINUTES = 8.0, 60.0
"""For one training of ours."""


@dataclass(frozen=True)
class Answers:
    """What ours and the peers say of the holdout orders, each fitted on the other orders alone.

    Attributes:
        probabilities: by name, (holdout orders, K).
        scores: of peers that rank and give no probabilities, by name, (holdout orders, K).
        missing: why a peer, or ours, says nothing.
        training: what ours took; None if it was not trained.
    """

    probabilities: dict[str, np.ndarray]
    scores: dict[str, np.ndarray]
    missing: dict[str, str]
    training: Done | None


def answers(snapshot: SnapshotOrders, holdout: np.ndarray, baskets: csr_matrix) -> Answers:
    """Of everyone; `baskets`: which products each order contains, (orders, K).

    A further peer that learns from columns joins in `LEARNERS`, one that learns from sequences of orders beside `habits`.
    """
    baselines = baseline_probabilities(snapshot, holdout)
    found = {name: baselines[name] for name in (POPULARITY, REGIONAL_POPULARITY, FAVOURITE)}
    found |= habits(snapshot, holdout)
    missing: dict[str, str] = {}
    few = len(snapshot.products) <= MOST_PRODUCTS
    table = Columns.of(snapshot, holdout) if few else None
    for name, (package, peer) in LEARNERS.items():
        if table is None:
            missing[name] = f"left out beyond {MOST_PRODUCTS} products, for its time"
        elif importlib.util.find_spec(package) is None:
            missing[name] = f"{package} is not installed (pip install 'globolatte[bench]')"
        else:
            found[name] = table.whole(peer(table))
    found[ALS] = _factorised(snapshot, holdout)
    training = None
    try:
        training = trained(snapshot, holdout)
    except UnfinishedError as error:
        missing[OURS] = (
            f"not trained on {int((~holdout).sum()):,} orders of {len(snapshot.products):,} products: {error}"
        )
    else:
        states, contexts = snapshot.states.take(holdout), snapshot.contexts.take(holdout)
        found[OURS] = training.result.predict_proba(states, contexts, snapshot.products)
    return Answers(found, basket_rankings(snapshot, holdout, baskets), missing, training)


def trained(snapshot: SnapshotOrders, holdout: np.ndarray) -> Done:
    """Our model of the orders outside the holdout, trained as a training job does; raises `UnfinishedError`."""
    limits = {"most_gigabytes": MOST_GIGABYTES, "most_minutes": MOST_MINUTES}
    return run_apart(_fitted, snapshot.take(~holdout), **limits)


def _fitted(past: SnapshotOrders) -> PreferenceModel:
    return PreferenceModel().fit(past.states, past.contexts, past.y, past.products)


@dataclass(frozen=True)
class Columns:
    """Features of training and holdout orders, and what was chosen among the S products sold in training."""

    training: np.ndarray
    chosen: np.ndarray
    later: np.ndarray
    """The part of the training orders that learners may stop early by."""
    holdout: np.ndarray
    sold: np.ndarray
    n_products: int

    @classmethod
    def of(cls, snapshot: SnapshotOrders, holdout: np.ndarray) -> "Columns":
        past = ~holdout
        states, contexts = snapshot.states.take(past), snapshot.contexts.take(past)
        space = learn_feature_space(states, contexts, snapshot.chosen[past], snapshot.products)
        sold, chosen = np.unique(snapshot.chosen[past], return_inverse=True)
        of_holdout = features(snapshot.states.take(holdout), snapshot.contexts.take(holdout), space)
        later = time_split(contexts.date)
        return cls(features(states, contexts, space), chosen, later, of_holdout, sold, len(snapshot.products))

    def parts(self) -> list[tuple[np.ndarray, np.ndarray]]:
        """The training orders and choices to learn from, then those to stop by."""
        return [(self.training[rows], self.chosen[rows]) for rows in (~self.later, self.later)]

    def whole(self, probabilities: np.ndarray) -> np.ndarray:
        """Over all K products, those never sold with next to nothing."""
        spread = np.full((len(probabilities), self.n_products), 1e-6)
        spread[:, self.sold] = probabilities.clip(min=1e-6)
        normalised: np.ndarray = spread / spread.sum(axis=1, keepdims=True)
        return normalised


def _regression(table: Columns) -> np.ndarray:
    from sklearn.linear_model import LogisticRegression

    centre = table.training.mean(axis=0)
    fitted = LogisticRegression(C=REGRESSION_PENALTY, max_iter=500).fit(table.training - centre, table.chosen)
    return fitted.predict_proba(table.holdout - centre)


def _boosting(table: Columns) -> np.ndarray:
    from sklearn.ensemble import HistGradientBoostingClassifier

    learner = HistGradientBoostingClassifier(
        learning_rate=0.05,
        max_leaf_nodes=15,
        min_samples_leaf=40,
        l2_regularization=1.0,
        max_iter=ROUNDS,
        early_stopping=True,
        n_iter_no_change=PATIENCE,
        random_state=0,
    )
    (earlier, chosen), (later, chosen_later) = table.parts()
    learner.fit(earlier, chosen, X_val=later, y_val=chosen_later)
    return learner.predict_proba(table.holdout)


def _lightgbm(table: Columns) -> np.ndarray:
    import lightgbm

    def learner(rounds: int) -> lightgbm.LGBMClassifier:
        return lightgbm.LGBMClassifier(
            n_estimators=rounds,
            learning_rate=0.05,
            num_leaves=15,
            min_child_samples=40,
            colsample_bytree=0.5,
            reg_lambda=5.0,
            random_state=0,
            n_jobs=1,
            verbose=-1,
        )

    (earlier, chosen), (later, chosen_later) = table.parts()
    stopping = [lightgbm.early_stopping(PATIENCE, verbose=False)]
    stopped = learner(ROUNDS).fit(earlier, chosen, eval_X=later, eval_y=chosen_later, callbacks=stopping)
    fitted = learner(max(1, stopped.best_iteration_)).fit(table.training, table.chosen)
    return fitted.predict_proba(table.holdout)


def _flaml(table: Columns) -> np.ndarray:
    from flaml import AutoML

    search = AutoML()
    latest = slice(-TRIAL_ORDERS, None)
    search.fit(
        table.training[latest],
        table.chosen[latest],
        task="classification",
        metric="log_loss",
        max_iter=TRIALS,
        time_budget=-1,
        estimator_list=["lgbm", "xgboost"],
        eval_method="holdout",
        split_type="time",
        n_jobs=1,
        seed=0,
        verbose=0,
    )
    return search.predict_proba(table.holdout)


def _factorised(snapshot: SnapshotOrders, holdout: np.ndarray) -> np.ndarray:
    """Softmax of the factorisation's scores, which are no probabilities, mixed with popularity; learned on the training orders."""
    past = ~holdout
    mains, chosen, k = snapshot.states.main_orders, snapshot.chosen, len(snapshot.products)
    popularity = chain_popularity(chosen[past], k)
    _, latest = np.unique(snapshot.customer_ids[past][::-1], return_index=True)
    factors = product_factors(mains[past][::-1][latest])
    offered = fold_in(mains, factors) @ factors.T

    def answer(temperature: float, rows: np.ndarray) -> np.ndarray:
        weight = popularity * np.exp(temperature * offered[rows])
        return shrunken_shares(weight / weight.sum(axis=1, keepdims=True), popularity[None, :], 0.05)

    fits = [log_loss(answer(temperature, past), chosen[past]) for temperature in TEMPERATURES]
    return answer(TEMPERATURES[int(np.argmin(fits))], holdout)


def product_factors(counts: np.ndarray) -> np.ndarray:
    """Product factors (K, f) from `counts` (customers, K), by alternating least squares of implicit feedback.

    Hu, Koren, Volinsky 2008. The peer that recommender libraries offer; the package `implicit` gives the same factors, yet no
    probabilities either.
    """
    rng = np.random.default_rng(0)
    products = 0.1 * rng.standard_normal((counts.shape[1], FACTORS))
    for _ in range(SWEEPS):
        customers = fold_in(counts, products)
        products = fold_in(counts.T, customers)
    return products


def fold_in(counts: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """The factors (n, f) of rows with `counts` (n, m), given those of the columns (m, f)."""
    confidence = CONFIDENCE * counts
    gram = factors.T @ factors + REGULARISATION * np.eye(factors.shape[1])
    outer = (factors[:, :, None] * factors[:, None, :]).reshape(len(factors), -1)
    left = gram + (confidence @ outer).reshape(-1, *gram.shape)
    right = ((1.0 + confidence) * (counts > 0)) @ factors
    solved: np.ndarray = np.linalg.solve(left, right[:, :, None])[:, :, 0]
    return solved


LEARNERS: dict[str, tuple[str, Callable[[Columns], np.ndarray]]] = {
    REGRESSION: ("sklearn", _regression),
    BOOSTING: ("sklearn", _boosting),
    LIGHTGBM: ("lightgbm", _lightgbm),
    FLAML: ("xgboost", _flaml),  # without it, FLAML is there and its `AutoML` is not
}
