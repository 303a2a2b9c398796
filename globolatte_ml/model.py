"""`PreferenceModel`: the probability of each product as the next main product, given a customer's state and a context.

Belongs here: fitting the regression, predicting with plain numpy, choosing the regularisation.
Does not belong here: feature definitions (`features.py`), file formats (`model_files.py`), evaluation.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from globolatte_ml import model_files
from globolatte_ml.contexts import Contexts
from globolatte_ml.features import FeatureSpace, feature_names, features
from globolatte_ml.metrics import log_loss
from globolatte_ml.priors import learn_feature_space
from globolatte_ml.states import CustomerStates
from globolatte_ml.time_split import time_split

PENALTIES = (0.001, 0.01, 0.03, 0.1, 0.3, 1.0)
CAUTIOUS_PENALTY = 0.01
HALF_LIVES_IN_DAYS = (None, 60.0)
FLOOR_OF_WEIGHTS = 0.1
"""What the oldest order still counts: seasons come back."""
MINIMUM_VALIDATION_ORDERS = 30
SIGNIFICANT_DIGITS = 10
MAXIMUM_ITERATIONS = 500


class PreferenceModel:
    """Multinomial logistic regression on `features.features`, in the manner of a scikit-learn classifier.

    Args:
        penalties: candidate inverse regularisation strengths (scikit-learn's C); the one with the lowest log loss on the
            validation orders (`time_split` of the training span) is taken, and the model is then fitted on the whole of it.
            The search goes from strong to weak and ends at the first that does worse: the weak ones take most of the time.
            With fewer than 30 validation orders the cautious 0.01 is taken without a search.
        half_lives: candidate half-lives in days of an order's weight, None for equal weights; searched together with the
            penalties where the caller says what is new to the champion, else the first is taken. Only then have the
            validation orders something to tell about forgetting: with stationary customers equal weights are best.
        random_state: handed to scikit-learn.

    Attributes:
        classes_: product ids in catalogue (sorted) order, shape (K,).
        space_: what features need, see `features.FeatureSpace`.
        sold_: positions of the S products that were ever a main product in training, shape (S,).
        coef_, intercept_: shapes (S, d), (S,). Rounded to 10 significant digits, so that the last bits of linear algebra
            do not make a new model.
        floor_: the probability given to each product never sold as main: 1 / (n + K), as Laplace smoothing gives.
        penalty_: the C taken. half_life_: the half-life taken. validation_log_loss_: by candidate, empty without a search;
            keys are (penalty, half-life).
        n_orders_: training orders.
    """

    def __init__(
        self,
        penalties: Sequence[float] = PENALTIES,
        half_lives: Sequence[float | None] = HALF_LIVES_IN_DAYS,
        random_state: int = 0,
    ) -> None:
        self.penalties = tuple(penalties)
        self.half_lives = tuple(half_lives)
        self.random_state = random_state

    classes_: np.ndarray
    space_: FeatureSpace
    sold_: np.ndarray
    coef_: np.ndarray
    intercept_: np.ndarray
    floor_: float
    penalty_: float
    half_life_: float | None
    validation_log_loss_: dict[tuple[float, float | None], float]
    n_orders_: int

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002 - scikit-learn's signature
        """The constructor's arguments."""
        return {"penalties": self.penalties, "half_lives": self.half_lives, "random_state": self.random_state}

    def fit(
        self,
        states: CustomerStates,
        contexts: Contexts,
        y: np.ndarray,
        products: Sequence[str] | None = None,
        fresh_from: np.datetime64 | None = None,
    ) -> PreferenceModel:
        """Learn from n orders in any sequence.

        Args:
            states: n customer states as of the order.
            contexts: n contexts.
            y: main product ids, shape (n,), n >= 1.
            products: the catalogue; ids found only in `y` are added. Default: the products of `states`.
            fresh_from: the first date that is new to the model that this one is to replace; None if there is none.
        """
        if len(y) == 0:
            raise ValueError("no orders to learn from; load sales before training")
        catalogue = tuple(sorted({*map(str, products or states.products), *map(str, np.unique(y))}))
        chosen = np.searchsorted(np.array(catalogue), y)
        scores = self.validation_log_loss_ = self._search(states, contexts, chosen, catalogue, fresh_from)
        cautious = (CAUTIOUS_PENALTY, self.half_lives[0])
        self.penalty_, self.half_life_ = min(scores, key=lambda one: scores[one]) if scores else cautious
        inputs = self._learn_features(states, contexts, chosen, catalogue)
        self._regress(inputs, chosen, self.penalty_, recency_weights(contexts.date, self.half_life_))
        return self

    def predict_proba(
        self, states: CustomerStates, contexts: Contexts, products: Sequence[str] | None = None
    ) -> np.ndarray:
        """Probabilities of shape (n, K) in the order of `classes_`: rows sum to 1, every entry is positive.

        `products` asks for another catalogue and its order: what left it is ruled out (the logit of the others stays as
        it is), what is new gets `floor_` like any product never sold.
        """
        probabilities = self._probabilities(features(states, contexts, self.space_))
        if products is None or tuple(products) == self.space_.vocabulary.products:
            return probabilities
        position = {product: i for i, product in enumerate(self.space_.vocabulary.products)}
        origin = [position.get(product, -1) for product in products]
        padded = np.hstack([probabilities, np.full((len(probabilities), 1), self.floor_)])[:, origin]
        moved: np.ndarray = padded / padded.sum(axis=1, keepdims=True)
        return moved

    def feature_names(self) -> tuple[str, ...]:
        """Names of the d columns of `coef_`."""
        return feature_names(self.space_)

    def content_hash(self) -> str:
        """SHA-256 over the learnt parameters in canonical form: the same training gives the same name."""
        canonical = json.dumps(model_files.as_document(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def save(self, folder: Path) -> None:
        """Write `preference_model.json` and `preference_model.npz` into `folder` (created if need be); no pickle."""
        model_files.save(self, folder)

    @classmethod
    def load(cls, folder: Path) -> PreferenceModel:
        """Read what `save` wrote; raises InvalidDataError for a missing file or another format version."""
        model = cls()
        model_files.restore(model, folder)
        return model

    def _search(
        self,
        states: CustomerStates,
        contexts: Contexts,
        chosen: np.ndarray,
        catalogue: tuple[str, ...],
        fresh_from: np.datetime64 | None,
    ) -> dict[tuple[float, float | None], float]:
        later = time_split(contexts.date, fresh_from)
        if later.sum() < MINIMUM_VALIDATION_ORDERS:  # too little is new to tell anything about forgetting
            later, fresh_from = time_split(contexts.date), None
        if later.sum() < MINIMUM_VALIDATION_ORDERS or len(np.unique(chosen[~later])) < 2:
            return {}
        earlier = ~later
        trial = PreferenceModel(random_state=self.random_state)
        inputs = trial._learn_features(states.take(earlier), contexts.take(earlier), chosen[earlier], catalogue)
        inputs_later = features(states.take(later), contexts.take(later), trial.space_)
        half_lives = self.half_lives if fresh_from is not None else self.half_lives[:1]
        scores: dict[tuple[float, float | None], float] = {}
        for half_life in half_lives:
            weights, lowest = recency_weights(contexts.date[earlier], half_life), np.inf
            for penalty in sorted(self.penalties):
                trial._regress(inputs, chosen[earlier], penalty, weights)
                loss = scores[penalty, half_life] = log_loss(trial._probabilities(inputs_later), chosen[later])
                if loss > lowest:
                    break
                lowest = loss
        return scores

    def _learn_features(
        self, states: CustomerStates, contexts: Contexts, chosen: np.ndarray, catalogue: tuple[str, ...]
    ) -> np.ndarray:
        """Learns everything but the regression; the model inputs of these orders, (n, d)."""
        self.space_ = learn_feature_space(states, contexts, chosen, catalogue)
        self.classes_ = np.array(catalogue)
        self.n_orders_ = len(chosen)
        self.floor_ = 1.0 / (len(chosen) + len(catalogue))
        self.sold_ = np.unique(chosen)
        return features(states, contexts, self.space_)

    def _regress(self, inputs: np.ndarray, chosen: np.ndarray, penalty: float, weights: np.ndarray | None) -> None:
        import warnings

        from sklearn.exceptions import ConvergenceWarning
        from sklearn.linear_model import LogisticRegression

        if len(self.sold_) == 1:
            self.coef_, self.intercept_ = np.zeros((1, inputs.shape[1])), np.zeros(1)
            return
        regression = LogisticRegression(C=penalty, max_iter=MAXIMUM_ITERATIONS, random_state=self.random_state)
        centre = inputs.mean(axis=0)  # the same optimum, since intercepts go unpunished, in a third of the iterations
        with warnings.catch_warnings():  # a candidate that did not converge is taken for what it scores
            warnings.simplefilter("ignore", ConvergenceWarning)
            regression.fit(inputs - centre, chosen, sample_weight=weights)
        coef, intercept = regression.coef_, regression.intercept_ - regression.coef_ @ centre
        if len(self.sold_) == 2:  # scikit-learn keeps one row of log odds for two classes
            coef, intercept = np.vstack([np.zeros_like(coef), coef]), np.concatenate([[0.0], intercept])
        self.coef_, self.intercept_ = round_significant(coef), round_significant(intercept)

    def _probabilities(self, inputs: np.ndarray) -> np.ndarray:
        scores = inputs @ self.coef_.T + self.intercept_
        shares = np.exp(scores - scores.max(axis=1, keepdims=True))
        shares /= shares.sum(axis=1, keepdims=True)
        n_products = len(self.classes_)
        probabilities = np.full((len(inputs), n_products), self.floor_)
        probabilities[:, self.sold_] = shares * (1.0 - self.floor_ * (n_products - len(self.sold_)))
        probabilities = probabilities.clip(min=np.finfo(np.float64).tiny)
        normalised: np.ndarray = probabilities / probabilities.sum(axis=1, keepdims=True)
        return normalised


def recency_weights(dates: np.ndarray, half_life: float | None) -> np.ndarray | None:
    """What each order counts: 1 on the last date, halving its part above `FLOOR_OF_WEIGHTS` every `half_life` days.

    `dates` is datetime64[D] of shape (n,); so is the answer, float64. None for equal weights.
    """
    if half_life is None:
        return None
    age = (dates.max() - dates).astype(np.int64)
    weights: np.ndarray = FLOOR_OF_WEIGHTS + (1.0 - FLOOR_OF_WEIGHTS) * np.exp2(-age / half_life)
    return weights


def round_significant(values: np.ndarray, digits: int = SIGNIFICANT_DIGITS) -> np.ndarray:
    """`values` rounded to `digits` significant decimal digits."""
    exponent = np.floor(np.log10(np.abs(np.where(values == 0, 1.0, values))))
    scale = 10.0 ** (digits - 1 - exponent)
    rounded: np.ndarray = np.round(values * scale) / scale
    return rounded
