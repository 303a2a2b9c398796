"""Which inputs moved a probability, and by how much: exact Shapley values of groups of inputs.

The players are the parts of a request: the fields of the context, and the customer's state in three parts. With so few players all
coalitions can be evaluated, so that the interventional Shapley values (Lundberg & Lee 2017; Janzing et al. 2020), which SHAP's sampling
explainers only estimate, are exact for any model. An absent player takes its value from orders of the background sample.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Protocol

import numpy as np

from globolatte_ml.data.orders import Contexts
from globolatte_ml.data.product_rows import AMOUNTS, ProductRows
from globolatte_ml.data.states import CustomerStates

REGION, DATE, WEATHER, HOUR, HOLIDAY = "region", "time of year", "weather", "hour", "holiday"
HISTORY, ADD_ONS, HOURS_OF_VISITS = "past choices", "add-ons and baskets", "hours of past visits"
_CONTEXT = {REGION: "business_unit", DATE: "date", WEATHER: "weather", HOUR: "daypart", HOLIDAY: "is_holiday"}
_STATE = {ADD_ONS: ("addon_lines", "line_count"), HOURS_OF_VISITS: ("daypart_orders",)}
PLAYERS = (*_CONTEXT, HISTORY, ADD_ONS, HOURS_OF_VISITS)
"""All other fields of the state belong to the past choices, also those that later versions add."""
ROWS_AT_ONCE = 20_000


class Predictor(Protocol):
    """Any model of the next main product."""

    def predict_proba(
        self, states: CustomerStates, contexts: Contexts, products: Sequence[str] | None = None
    ) -> np.ndarray:
        """Probabilities of shape (n, K) over `products`."""
        ...


@dataclass(frozen=True)
class Situations:
    """n requests: states and contexts."""

    states: CustomerStates
    contexts: Contexts

    def __len__(self) -> int:
        return len(self.contexts)

    def take(self, rows: np.ndarray) -> "Situations":
        """The requests at `rows`."""
        return Situations(self.states.take(rows), self.contexts.take(rows))


@dataclass(frozen=True)
class Explanations:
    """n predictions over K products, explained. base (K,): the mean prediction of the background. values (n, players, K): what each
    player adds to it; base and values sum to `predicted` (n, K)."""

    base: np.ndarray
    values: np.ndarray
    predicted: np.ndarray

    def moved(self) -> np.ndarray:
        """How much probability each player moves from some products to others on average, shape (players,)."""
        total: np.ndarray = np.abs(self.values).mean(axis=0).sum(axis=1) / 2.0
        return total


def explain(model: Predictor, orders: Situations, background: Situations, products: Sequence[str]) -> Explanations:
    """Explain n predictions against b background orders, with n x b x 2^players predictions of the model."""
    n_players, n, b = len(PLAYERS), len(orders), len(background)
    mine, theirs = np.repeat(np.arange(n), b), np.tile(np.arange(b), n)
    left, right = orders.take(mine), background.take(theirs)
    worth = np.empty((2**n_players, n, len(products)))
    bought = _bought(left.states.bought, right.states.bought)
    for coalition in range(2**n_players):
        present = [bool(coalition >> player & 1) for player in range(n_players)]
        mixed = _mixed(left, right, dict(zip(PLAYERS, present, strict=True)), bought)
        worth[coalition] = _predictions(model, mixed, products).reshape(n, b, -1).mean(axis=1)
    values = np.zeros((n, n_players, len(products)))
    for coalition in range(2**n_players):
        size = coalition.bit_count()
        for player in range(n_players):
            if not coalition >> player & 1:
                weight = math.factorial(size) * math.factorial(n_players - size - 1) / math.factorial(n_players)
                values[:, player] += weight * (worth[coalition | 1 << player] - worth[coalition])
    return Explanations(worth[0].mean(axis=0), values, worth[-1])


def _predictions(model: Predictor, orders: Situations, products: Sequence[str]) -> np.ndarray:
    pieces = [np.arange(start, min(start + ROWS_AT_ONCE, len(orders))) for start in range(0, len(orders), ROWS_AT_ONCE)]
    parts = [orders.take(piece) for piece in pieces]
    return np.concatenate([model.predict_proba(one.states, one.contexts, products) for one in parts])


def _bought(left: ProductRows, right: ProductRows) -> dict[tuple[bool, bool], ProductRows]:
    """What was bought where `HISTORY` is present, and where `ADD_ONS` are."""
    names = [name for name in AMOUNTS if name in _STATE[ADD_ONS]]
    return {
        (True, True): left,
        (True, False): left.with_amounts_of(right, names),
        (False, True): right.with_amounts_of(left, names),
        (False, False): right,
    }


def _mixed(
    left: Situations, right: Situations, present: dict[str, bool], bought: dict[tuple[bool, bool], ProductRows]
) -> Situations:
    """The present players' fields from `left`, all others from `right`."""
    context = {name: getattr((left if present[player] else right).contexts, name) for player, name in _CONTEXT.items()}
    owner = {name: player for player, names in _STATE.items() for name in names}
    state = {
        field.name: getattr((left if present[owner.get(field.name, HISTORY)] else right).states, field.name)
        for field in fields(CustomerStates)
        if field.name not in ("products", "bought")
    }
    states = replace(left.states, bought=bought[present[HISTORY], present[ADD_ONS]], **state)
    return Situations(states, Contexts(**context))
