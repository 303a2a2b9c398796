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
MINIMUM_VALIDATION_ORDERS = 30
SIGNIFICANT_DIGITS = 10
MAXIMUM_ITERATIONS = 500


class PreferenceModel:
    """Multinomial logistic regression on `features.features`, in the manner of a scikit-learn classifier.

    Args:
        penalties: candidate inverse regularisation strengths (scikit-learn's C); the one with the lowest log loss on the
            last eighth of the training span is taken, and the model is then fitted on the whole of it. With fewer than 30
            validation orders the cautious 0.01 is taken without a search.
        random_state: handed to scikit-learn.

    Attributes:
        classes_: product ids in catalogue (sorted) order, shape (K,).
        space_: what features need, see `features.FeatureSpace`.
        sold_: positions of the S products that were ever a main product in training, shape (S,).
        coef_, intercept_: shapes (S, d), (S,). Rounded to 10 significant digits, so that the last bits of linear algebra
            do not make a new model.
        floor_: the probability given to each product never sold as main: 1 / (n + K), as Laplace smoothing gives.
        penalty_: the C taken. validation_log_loss_: by candidate, empty without a search.
        n_orders_: training orders.
    """

    def __init__(self, penalties: Sequence[float] = PENALTIES, random_state: int = 0) -> None:
        self.penalties = tuple(penalties)
        self.random_state = random_state

    classes_: np.ndarray
    space_: FeatureSpace
    sold_: np.ndarray
    coef_: np.ndarray
    intercept_: np.ndarray
    floor_: float
    penalty_: float
    validation_log_loss_: dict[float, float]
    n_orders_: int

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002 - scikit-learn's signature
        """The constructor's arguments."""
        return {"penalties": self.penalties, "random_state": self.random_state}

    def fit(
        self, states: CustomerStates, contexts: Contexts, y: np.ndarray, products: Sequence[str] | None = None
    ) -> PreferenceModel:
        """Learn from n orders in any sequence.

        Args:
            states: n customer states as of the order.
            contexts: n contexts.
            y: main product ids, shape (n,), n >= 1.
            products: the catalogue; ids found only in `y` are added. Default: the products of `states`.
        """
        if len(y) == 0:
            raise ValueError("no orders to learn from; load sales before training")
        catalogue = tuple(sorted({*map(str, products or states.products), *map(str, np.unique(y))}))
        chosen = np.searchsorted(np.array(catalogue), y)
        self.validation_log_loss_ = self._search(states, contexts, chosen, catalogue)
        scores = self.validation_log_loss_
        self.penalty_ = min(scores, key=lambda penalty: scores[penalty]) if scores else CAUTIOUS_PENALTY
        self._fit_once(states, contexts, chosen, catalogue, self.penalty_)
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
        self, states: CustomerStates, contexts: Contexts, chosen: np.ndarray, catalogue: tuple[str, ...]
    ) -> dict[float, float]:
        later = time_split(contexts.date)
        if later.sum() < MINIMUM_VALIDATION_ORDERS or len(np.unique(chosen[~later])) < 2:
            return {}
        earlier = ~later
        trial = PreferenceModel(random_state=self.random_state)
        scores = {}
        for penalty in self.penalties:
            trial._fit_once(states.take(earlier), contexts.take(earlier), chosen[earlier], catalogue, penalty)
            scores[penalty] = log_loss(trial.predict_proba(states.take(later), contexts.take(later)), chosen[later])
        return scores

    def _fit_once(
        self,
        states: CustomerStates,
        contexts: Contexts,
        chosen: np.ndarray,
        catalogue: tuple[str, ...],
        penalty: float,
    ) -> None:
        self.space_ = learn_feature_space(states, contexts, chosen, catalogue)
        inputs = features(states, contexts, self.space_)
        self.classes_ = np.array(catalogue)
        self.n_orders_ = len(chosen)
        self.floor_ = 1.0 / (len(chosen) + len(catalogue))
        self.sold_ = np.unique(chosen)
        self.coef_, self.intercept_ = np.zeros((len(self.sold_), inputs.shape[1])), np.zeros(len(self.sold_))
        if len(self.sold_) > 1:
            self._regress(inputs, chosen, penalty)

    def _regress(self, inputs: np.ndarray, chosen: np.ndarray, penalty: float) -> None:
        from sklearn.linear_model import LogisticRegression

        regression = LogisticRegression(C=penalty, max_iter=MAXIMUM_ITERATIONS, random_state=self.random_state)
        regression.fit(inputs, chosen)
        coef, intercept = regression.coef_, regression.intercept_
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


def round_significant(values: np.ndarray, digits: int = SIGNIFICANT_DIGITS) -> np.ndarray:
    """`values` rounded to `digits` significant decimal digits."""
    exponent = np.floor(np.log10(np.abs(np.where(values == 0, 1.0, values))))
    scale = 10.0 ** (digits - 1 - exponent)
    rounded: np.ndarray = np.round(values * scale) / scale
    return rounded
