"""Prediction in plain numpy: the learned attributes, and the probabilities of the next main product computed from them.

Three experts are combined: a taste model (`taste.py`), a regression on `features.py` or instead of it a classifier that an AutoML search
found (`tabular.py`), and an expert of habits (`habit.py`). Their probabilities are combined by a logarithmic pool: log p is the sum of
weight x log p of each, and a constant (Genest and Zidek 1986). For a catalogue of more than `MOST_PRODUCTS` products the expert of
habits answers alone: it is the only one whose cost does not grow with products x groups or products x features.
"""

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from globolatte_ml.data.orders import Contexts
from globolatte_ml.data.shares import softmax
from globolatte_ml.data.states import CustomerStates
from globolatte_ml.data.vocabulary import DAYPARTS
from globolatte_ml.model.encoding import Encoded, EncodedStates, daypart_preference, encode_for, encode_orders
from globolatte_ml.model.feature_space import FeatureSpace
from globolatte_ml.model.features import encoded_features, feature_names
from globolatte_ml.model.habit import HabitExpert, habit_inputs
from globolatte_ml.model.tabular import TabularClassifier
from globolatte_ml.model.taste import Population, TasteParameters, taste_scores
from globolatte_ml.model.taste_inputs import taste_inputs

PENALTIES = (0.001, 0.01, 0.03, 0.1, 0.3, 1.0)
HALF_LIVES_IN_DAYS = (None, 60.0)
MOST_PRODUCTS = 30
"""Of the taste model and the regression: of 50 products they cost the blend more than they bring, measured (docs/model.md)."""


class FittedModel:
    """What `fitting.py` fills in, and predictions from it.

    Args:
        penalties: candidate inverse regularisation strengths (scikit-learn's C); the one with the lowest log loss on the
            validation orders (`time_split` of the training span) is taken, and the model is then fitted on the whole of it.
            The search goes from strong to weak and ends at the first that does worse: the weak ones take most of the time.
            With fewer than 30 validation orders the cautious 0.01 is taken without a search.
        half_lives: candidate half-lives in days of an order's weight, None for equal weights; searched together with the
            penalties where the caller says what is new to the champion, else the first is taken. Only then have the
            validation orders any information about forgetting: with stationary customers equal weights are best.
        random_state: handed to scikit-learn.
        tabular: a classifier that an AutoML search fitted on the orders before the validation orders (`automl_table.py`); it takes the
            regression's place, and penalties and half-lives have no part. What features need is then learned from those same
            orders, and only the taste model learns from all.
        groups: groups of the taste model. draws: its tastes per group, a power of 2. iterations: of its search, half of them
            once more on all orders.

    Attributes:
        classes_: product ids in catalogue (sorted) order, shape (K,).
        space_: what features need, see `features.FeatureSpace`.
        sold_: positions of the S products that were ever a main product in training, shape (S,).
        coef_, intercept_: shapes (S, d), (S,). Rounded to 10 significant digits, so that the last bits of linear algebra
            do not make a new model.
        floor_: the probability given to each product never sold as main: 1 / (n + K), as Laplace smoothing gives; of many products
            (`MOST_PRODUCTS`), of which some are always new, what such ones got in training (`habit_fit.new_product_share`).
        penalty_: the C taken. half_life_: the half-life taken. validation_log_loss_: by candidate, empty without a search;
            keys are (penalty, half-life).
        n_orders_: training orders.
        taste_: the taste model's parameters, None if the regression answers alone. draws_: shape (draws, dimensions).
        habit_: the expert of habits; None in models of few orders, and of earlier releases.
        blend_: weights of taste model, regression (or tabular classifier) and expert of habits, shape (3,); (2,) without the last.
        tabular_sold_: positions of the T products that the tabular classifier knows, shape (T,); T is 0 without one.
    """

    def __init__(
        self,
        penalties: Sequence[float] = PENALTIES,
        half_lives: Sequence[float | None] = HALF_LIVES_IN_DAYS,
        random_state: int = 0,
        groups: int = 6,
        draws: int = 32,
        iterations: int = 40,
        tabular: TabularClassifier | None = None,
    ) -> None:
        self.penalties = penalties
        self.half_lives = half_lives
        self.random_state = random_state
        self.groups = groups
        self.draws = draws
        self.iterations = iterations
        self.tabular = tabular
        self._population: tuple[TasteParameters, Population] | None = None

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
    taste_: TasteParameters | None
    draws_: np.ndarray
    habit_: HabitExpert | None
    blend_: np.ndarray
    tabular_sold_: np.ndarray

    def get_params(self, deep: bool = True) -> dict[str, Any]:  # noqa: ARG002 - scikit-learn's signature
        """The constructor's arguments."""
        names = ("penalties", "half_lives", "random_state", "groups", "draws", "iterations", "tabular")
        return {name: getattr(self, name) for name in names}

    def set_params(self, **parameters: Any) -> Self:
        """Sets some of the constructor's arguments; raises ValueError for another name."""
        unknown = sorted(set(parameters) - set(self.get_params()))
        if unknown:
            raise ValueError(
                f"{type(self).__name__} has no parameter {', '.join(unknown)}; use {', '.join(self.get_params())}"
            )
        for name, value in parameters.items():
            setattr(self, name, value)
        return self

    def predict_proba(
        self, states: CustomerStates, contexts: Contexts, products: Sequence[str] | None = None
    ) -> np.ndarray:
        """Probabilities of shape (n, K) in the order of `classes_`: rows sum to 1, every entry is positive.

        `products` sets another catalogue and its order: products that left it are excluded (the logits of the others do not
        change), new ones get `floor_` like any product never sold.
        """
        if not hasattr(self, "space_"):
            raise ValueError("this model is not fitted; call fit, or load a saved one")
        return self.predict_encoded(encode_for(states, contexts, self.space_), products)

    def predict(self, states: CustomerStates, contexts: Contexts) -> np.ndarray:
        """The most probable product of each row, str, shape (n,)."""
        best: np.ndarray = self.classes_[self.predict_proba(states, contexts).argmax(axis=1)]
        return best

    def predict_encoded(self, orders: Encoded, products: Sequence[str] | None = None) -> np.ndarray:
        """`predict_proba` of states and contexts that are numbers already."""
        probabilities = self.of_all(self.shares(orders))
        if products is None or tuple(products) == self.space_.vocabulary.products:
            return probabilities
        position = {product: i for i, product in enumerate(self.space_.vocabulary.products)}
        origin = [position.get(product, -1) for product in products]
        padded = np.hstack([probabilities, np.full((len(probabilities), 1), self.floor_)])[:, origin]
        moved: np.ndarray = padded / padded.sum(axis=1, keepdims=True)
        return moved

    def predict_any_daypart(
        self, states: EncodedStates, contexts: Contexts, products: Sequence[str] | None = None
    ) -> np.ndarray:
        """`predict_proba` where an empty daypart averages over the hours at which the customer comes."""
        anytime = contexts.daypart == ""
        repeats = np.where(anytime, len(DAYPARTS), 1)
        index = np.repeat(np.arange(len(contexts)), repeats)
        first = np.cumsum(repeats) - repeats
        turn = np.arange(len(index)) - first[index]
        preference = daypart_preference(states["daypart_orders"], self.space_)
        weights = np.where(anytime[index], preference[index, turn], 1.0)
        spread = contexts.take(index)
        daypart = np.where(anytime[index], np.array(DAYPARTS)[turn], spread.daypart)
        spread = Contexts(spread.business_unit, spread.date, spread.weather, daypart, spread.is_holiday)
        answers = self.predict_encoded(encode_orders(states.take(index), spread, self.space_), products)
        mixed: np.ndarray = np.add.reduceat(answers * weights[:, None], first, axis=0)
        return mixed

    def feature_names(self) -> tuple[str, ...]:
        """Names of the d columns of `coef_`."""
        return feature_names(self.space_)

    def logits(self, inputs: np.ndarray) -> np.ndarray:
        """The regression's or the tabular classifier's, shape (n, S)."""
        if self.tabular is not None:
            return self._tabular_logits(inputs, self.tabular)
        logits: np.ndarray = inputs @ self.coef_.T + self.intercept_
        return logits

    def _tabular_logits(self, inputs: np.ndarray, tabular: TabularClassifier) -> np.ndarray:
        """The classifier's, with `floor_` added for each product: trees give zeros, and know no product that came later."""
        place = (self.tabular_sold_[:, None] == self.sold_[None, :]).astype(np.float64)
        logits: np.ndarray = np.log(tabular.shares(inputs) @ place + self.floor_)
        return logits

    def taste_scores(self, orders: Encoded) -> np.ndarray:
        """The taste model's log probabilities up to a constant per order, shape (n, S)."""
        if self.taste_ is None:
            raise ValueError("this model has only the regression: there is no taste model")
        if self._population is None or self._population[0] is not self.taste_:
            self._population = self.taste_, Population.of(self.taste_, self.draws_)
        return taste_scores(self.taste_, self._population[1], taste_inputs(orders, self.space_, self.sold_))

    def shares(self, orders: Encoded) -> np.ndarray:
        """What the experts say together of the products sold, probabilities (n, S)."""
        habit = None if self.habit_ is None else self.habit_shares(orders, self.habit_)
        if habit is not None and not self.space_.has_counts:
            return habit
        taste = None if self.taste_ is None else self.taste_scores(orders)
        return self.pooled(taste, self.logits(encoded_features(orders, self.space_)), habit)

    def habit_shares(self, orders: Encoded, habit: HabitExpert) -> np.ndarray:
        """The expert of habits' probabilities of the products sold, (n, S)."""
        return habit.probabilities(habit_inputs(orders, len(self.classes_), self.sold_))

    def pooled(self, taste: np.ndarray | None, logits: np.ndarray, habit: np.ndarray | None) -> np.ndarray:
        """Probabilities (n, S) of what each expert says, (n, S) each; of those that there are."""
        logs = [taste, logits, None if habit is None else np.log(habit)]
        there = [(weight, log) for weight, log in zip(self.blend_, logs, strict=False) if log is not None]
        return softmax(logits) if len(there) == 1 else pool([weight for weight, _ in there], [log for _, log in there])

    def of_all(self, shares: np.ndarray) -> np.ndarray:
        """Probabilities (n, K) of all products, from those of the products sold, (n, S)."""
        n_products, n_sold, tiny = len(self.classes_), len(self.sold_), np.finfo(np.float64).tiny
        if n_sold == n_products:
            return shares.clip(min=tiny)
        probabilities = np.full((len(shares), n_products), self.floor_)
        probabilities[:, self.sold_] = shares * (1.0 - self.floor_ * (n_products - n_sold))
        probabilities.clip(min=tiny, out=probabilities)
        probabilities /= probabilities.sum(axis=1, keepdims=True)
        return probabilities


def pool(weights: Sequence[float] | np.ndarray, logs: Sequence[np.ndarray]) -> np.ndarray:
    """Probabilities (n, S), rows summing to 1, of each expert's log probabilities (n, S), up to a constant per row."""
    scores = weights[0] * logs[0]
    for weight, log in zip(weights[1:], logs[1:], strict=True):
        scores = scores + weight * log
    return softmax(scores)
