"""The one definition of a feature: customer state + request context -> model inputs, in training, batch and online alike."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from globolatte_ml.data.orders import Contexts
from globolatte_ml.data.product_rows import ProductRows
from globolatte_ml.data.shares import centred_log
from globolatte_ml.data.states import HALF_LIVES, RECENT_COLUMNS, CustomerStates
from globolatte_ml.data.vocabulary import DAYPARTS, encode, one_hot, season_codes
from globolatte_ml.model.column_places import CONTEXT, COUNTS, context_names, named
from globolatte_ml.model.encoding import Encoded, encode_for
from globolatte_ml.model.feature_space import FeatureSpace

ADDON_WEIGHT = 0.4  # an add-on says less about a customer's taste than a main product
SHARE_SCALE = 3.0  # all columns have the same penalty, so the informative ones get a larger unit

# Of mains, mains_120d, mains_30d and addons, as `places.COUNTS` has them:
_FADING = -np.log(2.0) * np.array([[0.0, 1 / HALF_LIVES["decayed_main_120d"], 1 / HALF_LIVES["decayed_main_30d"], 0.0]])
_UNSURE = np.array([0.0, 0.0, 1.0, 2.0])
"""Orders and lines of nothing in particular, where no prior stands for them: few counts make small shares."""
_SCALE = np.array([SHARE_SCALE, SHARE_SCALE, 1.0, 1.0])
_TASTE = np.array([1.0, 0.0, 0.0, ADDON_WEIGHT])


@dataclass(frozen=True)
class Block:
    """Neighbouring feature columns: `values` has shape (n, number of columns)."""

    columns: Sequence[str]
    values: np.ndarray


def features(states: CustomerStates, contexts: Contexts, space: FeatureSpace) -> np.ndarray:
    """Model inputs, float64 of shape (n, d), columns as in `feature_names(space)`.

    `states` may come from any catalogue: they are moved to the one of `space`.
    """
    return encoded_features(encode_for(states, contexts, space), space)


def encoded_features(orders: Encoded, space: FeatureSpace) -> np.ndarray:
    """`features` of orders that are numbers already."""
    return np.hstack([block.values for block in _blocks(orders, space)])


def feature_names(space: FeatureSpace) -> tuple[str, ...]:
    """Names of the d feature columns; none where counts are no columns."""
    if not space.has_counts:
        return ()
    nobody = Encoded(np.zeros((0, space.places.width)), space.places, ProductRows.empty(0))
    return tuple(name for block in _blocks(nobody, space) for name in block.columns)


def fading(states: CustomerStates, dates: np.ndarray, amount: str) -> np.ndarray:
    """What is left on `dates` of an amount of the state as of the customer's last order, shape (n,).

    Without orders, or for a date before the last order, nothing decays; nor do amounts that are no decayed sums.
    """
    if amount not in HALF_LIVES:
        return np.ones(len(states))
    age = (dates - states.last_order_date).astype("timedelta64[D]")
    days = np.where(np.isnat(age), 0, age.astype(np.int64)).clip(min=0)
    left: np.ndarray = np.exp2(-days / HALF_LIVES[amount])
    return left


def decayed_to(states: CustomerStates, dates: np.ndarray, column: str) -> np.ndarray:
    """A decayed sum of the state, brought from the customer's last order to `dates`; shape (n, K)."""
    later: np.ndarray = states.table(column) * fading(states, dates, column)[:, None]
    return later


def expected_shares(contexts: Contexts, space: FeatureSpace) -> np.ndarray:
    """Popularity in each context's business unit and season, shape (n, K); the answer for one without history."""
    unit = encode(contexts.business_unit, space.vocabulary.business_units)  # -1 is the last one too: the whole chain
    shares: np.ndarray = space.popularity[unit, season_codes(contexts.date)]
    return shares


def _blocks(orders: Encoded, space: FeatureSpace) -> list[Block]:
    context = Block(context_names(space.vocabulary, CONTEXT), orders["context"])
    return [context, *_taste_blocks(orders, space), *_habit_blocks(orders, space)]


def _taste_blocks(orders: Encoded, space: FeatureSpace) -> list[Block]:
    """The customer's past choices compared with what all customers choose in this unit and season."""
    products = space.vocabulary.products
    k, counts = len(products), orders["counts"]
    each = np.repeat(np.eye(len(COUNTS)), k, axis=1)  # (4, 4 K): the columns of each kind of count
    days = (orders["day"] - orders["last_day"]).clip(min=0.0)
    seen = counts * (np.exp(days * _FADING) @ each) + orders["context"] @ space.priors
    shares = seen / ((seen @ each.T + _UNSURE) @ (each / _SCALE[:, None]))
    names = [*named("share", products), *named("share_120d", products), *named("recent_share_30d", products)]
    return [
        Block(named("log_share", products), centred_log(_TASTE @ seen.reshape(-1, len(COUNTS), k))),
        Block(names, shares[:, : 3 * k]),
        Block(named("addon_rate", products), counts[:, 3 * k : 4 * k] * orders["addon_rate"]),
        Block(named("addon_share", products), shares[:, 3 * k : 4 * k]),
    ]


def _habit_blocks(orders: Encoded, space: FeatureSpace) -> list[Block]:
    """The last orders, the hours, the size of the basket, the length of the history."""
    products = space.vocabulary.products
    last = one_hot(orders["recent"].astype(np.int64), len(products)).reshape(-1, len(RECENT_COLUMNS) * len(products))
    names = [name for back in range(1, len(RECENT_COLUMNS) + 1) for name in named(f"recent_product_{back}", products)]
    history = [*named("daypart_history", DAYPARTS), "basket_size", "history_length"]
    return [Block(names, last), Block(history, orders["history"])]
