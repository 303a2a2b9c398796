"""The habit expert: a customer's own products against what is popular now, in closed form and without a parameter per customer or product.

What the state tells of product k becomes an effective count c_k = (weights . amounts_k) x what circumstances make of it. If
a customer's choices are drawn from a Dirichlet distribution around the popularity b with concentration a, the next one is k with
probability (a b_k + c_k) / (a + sum c): the Dirichlet-multinomial. How habitual a customer is, hence a, is not known. It is inferred
from the state: the concentrations of a grid are weighed by the likelihood of the counted main products (Minka 2000, "Estimating
a Dirichlet distribution") and by how common each is in the chain, and the prediction is the mean over them.

The popularity b follows circumstances and the last weeks, as far as that proved right in training; a part of it is kept as in the whole
training span, for what sells changes in ways that a few months do not show twice. For a customer with a past another part
comes from products that others chose after the same ones. Last products count once more, or less: inertia and variety seeking.

Cost is linear in the products that customers bought and in the probabilities asked for. How it learns stands in `habit_fit.py`.
"""

from dataclasses import dataclass, fields
from functools import cached_property

import numpy as np

from globolatte_ml.data.product_rows import ProductRows
from globolatte_ml.data.shares import softmax
from globolatte_ml.data.states import HALF_LIVES, RECENT_COLUMNS
from globolatte_ml.data.vocabulary import Vocabulary
from globolatte_ml.model.column_places import Places
from globolatte_ml.model.encoding import Encoded

CONCENTRATIONS = np.geomspace(0.25, 256.0, 11)
AMOUNTS = ("main_orders", "decayed_main_30d", "decayed_main_120d", "addon_lines", *RECENT_COLUMNS)
"""Of a customer's product: the state's amounts as of the day of the order, and whether it is one of the last main products."""
ALWAYS = ("chain", "latest_week", "latest_month")
CIRCUMSTANCES = ("business_unit", "season", "business_unit_season", "weather", "daypart", "holiday")
KINDS = (*ALWAYS, *CIRCUMSTANCES)
_FADING = np.array([-np.log(2.0) / HALF_LIVES.get(name, np.inf) for name in AMOUNTS])
_UP, _HALF_LOG_TURN = 6, 0.5 * np.log(2.0 * np.pi)
_SERIES = (1 / 12, -1 / 360, 1 / 1260, -1 / 1680, 1 / 1188)


@dataclass(frozen=True)
class HabitParameters:
    """What the expert learns beside the chain's tables. J concentrations, T = len(KINDS).

    Attributes:
        counts: (len(AMOUNTS),) how much each amount counts, in orders; none is negative.
        own: (T,) how far circumstances show in the customer's own products: exponents of the lifts.
        concentration_logits: (J,) of how common each concentration is. certainty: (1,) weight of past main products as evidence of it.
        popularity: (T,) how far circumstances show in popularity: exponents. steady: (1,) logit of the part that stays as it was over all.
        explore: (1,) part of what is not the customer's own that follows other customers.
        again: (3,) utility of the last products beyond their counts; negative for customers who seek variety.
    """

    counts: np.ndarray
    own: np.ndarray
    concentration_logits: np.ndarray
    certainty: np.ndarray
    popularity: np.ndarray
    steady: np.ndarray
    explore: np.ndarray
    again: np.ndarray

    def vector(self) -> np.ndarray:
        """All numbers in one vector, fields in order."""
        return np.concatenate([getattr(self, field.name) for field in fields(self)])

    @classmethod
    def from_vector(cls, vector: np.ndarray) -> "HabitParameters":
        """The inverse of `vector`."""
        ends = np.cumsum(list(cls.lengths().values()))[:-1]
        return cls(*np.split(vector, ends))

    @staticmethod
    def lengths() -> dict[str, int]:
        """How many numbers each field has, in their order."""
        one = {"certainty": 1, "steady": 1, "explore": 1, "again": len(RECENT_COLUMNS)}
        many = {"counts": len(AMOUNTS), "own": len(KINDS), "popularity": len(KINDS)}
        many["concentration_logits"] = len(CONCENTRATIONS)
        return {field.name: (one | many)[field.name] for field in fields(HabitParameters)}


@dataclass(frozen=True)
class HabitTables:
    """What the chain's orders tell of its S products, whoever the customer is.

    Attributes:
        chain: (S,) shares of main products over all orders, none of them 0.
        lifts: (rows, S) log of how much more of a product is sold in a circumstance; a row per column of `HabitInputs.context`.
        first: (S,) what customers choose who had not bought it before.
        near, near_share: (S, M) the products chosen after each product, and how much more than after others; near_rest: (S,) the
            part of `first` beside them. Near, share and rest make one distribution per product.
    """

    chain: np.ndarray
    lifts: np.ndarray
    first: np.ndarray
    near: np.ndarray
    near_share: np.ndarray
    near_rest: np.ndarray


@dataclass(frozen=True)
class HabitInputs:
    """n orders over the S products that were sold. Pairs are of an order and a product that its customer had bought before it.

    Attributes:
        context: (n, rows) a column per row of `HabitTables.lifts`: 1, or a share, where the order is in that circumstance.
        row, product: (pairs,) ascending by order, then product; each stands there once. amounts: (pairs, len(AMOUNTS)).
        recent: (n, 3) positions of the last main products, -1 for none.
    """

    context: np.ndarray
    row: np.ndarray
    product: np.ndarray
    amounts: np.ndarray
    recent: np.ndarray

    def __len__(self) -> int:
        return len(self.context)


@dataclass(frozen=True)
class HabitExpert:
    """Predicts from parameters and tables."""

    parameters: HabitParameters
    tables: HabitTables
    kinds: np.ndarray
    """(rows,) of `HabitTables.lifts`: the position in KINDS of what each tells about."""

    @cached_property
    def _popularity(self) -> np.ndarray:
        return self.parameters.popularity[self.kinds][:, None] * self.tables.lifts

    @cached_property
    def _own(self) -> np.ndarray:
        return np.ascontiguousarray((self.parameters.own[self.kinds][:, None] * self.tables.lifts).T)

    def probabilities(self, inputs: HabitInputs) -> np.ndarray:
        """Of each product as the next main product, (n, S): all positive, rows summing to 1."""
        learned, row, product = self.parameters, inputs.row, inputs.product
        lifted = np.exp(np.einsum("pc,pc->p", inputs.context[row], self._own[product]))
        own = (inputs.amounts @ learned.counts) * lifted
        explore, repeat = self.shares_of_mass(inputs, np.bincount(row, weights=own, minlength=len(inputs)))
        answer = explore[:, None] * self.offered(inputs)
        answer[row, product] += repeat[row] * own
        rows = np.arange(len(inputs))
        for back, again in enumerate(np.exp(learned.again)):
            known = inputs.recent[:, back] >= 0
            answer[rows[known], inputs.recent[known, back]] *= again
        answer /= answer.sum(axis=1, keepdims=True)
        return answer

    def shares_of_mass(self, inputs: HabitInputs, total: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What popularity, and what each effective count, is multiplied with, (n,) both; `total`: the counts' sum, (n,)."""
        learned = self.parameters
        weights = softmax(learned.concentration_logits + learned.certainty * evidence(inputs, self.tables.chain))
        weights /= CONCENTRATIONS + total[:, None]
        return weights @ CONCENTRATIONS, weights.sum(axis=1)

    def offered(self, inputs: HabitInputs) -> np.ndarray:
        """What a customer chooses beside own products, (n, S): popularity now and over all, and what others chose next."""
        learned, chain = self.parameters, self.tables.chain
        steady, explore = 1.0 / (1.0 + np.exp(-learned.steady)), learned.explore
        popular = softmax(inputs.context @ self._popularity)
        popular *= (1.0 - steady) * (1.0 - explore)
        popular += steady * (1.0 - explore) * chain
        if explore[0] > 0.0:
            popular += explore * after_others(inputs, self.tables)
        return popular


def after_others(inputs: HabitInputs, tables: HabitTables) -> np.ndarray:
    """What others chose after this customer's products, (n, S): means over the products, rows sum to 1."""
    n, s = len(inputs), len(tables.chain)
    share = history_shares(inputs)
    rest = np.bincount(inputs.row, weights=share * tables.near_rest[inputs.product], minlength=n)
    rest = np.where(np.bincount(inputs.row, weights=share, minlength=n) > 0.0, rest, 1.0)
    near = tables.near[inputs.product] + (inputs.row * s)[:, None]
    weights = tables.near_share[inputs.product] * share[:, None]
    found: np.ndarray = np.bincount(near.ravel(), weights=weights.ravel(), minlength=n * s).reshape(n, s)
    return found + rest[:, None] * tables.first


def history_shares(inputs: HabitInputs) -> np.ndarray:
    """Each pair's part of its order's earlier main products and add-ons, (pairs,)."""
    lines = inputs.amounts[:, AMOUNTS.index("main_orders")] + inputs.amounts[:, AMOUNTS.index("addon_lines")]
    total = np.bincount(inputs.row, weights=lines, minlength=len(inputs))[inputs.row]
    return np.divide(lines, total, out=np.zeros(len(lines)), where=total > 0.0)


def evidence(inputs: HabitInputs, chain: np.ndarray) -> np.ndarray:
    """Log likelihood (n, J) of the earlier main products by concentration, without the multinomial's constant: that of a
    Dirichlet-multinomial around `chain`."""
    mains = inputs.amounts[:, AMOUNTS.index("main_orders")]
    n, pairs, grid = len(inputs), len(mains), len(CONCENTRATIONS)
    prior = chain[inputs.product][:, None] * CONCENTRATIONS
    orders = np.bincount(inputs.row, weights=mains, minlength=n)[:, None]
    logs = log_gamma(np.concatenate((prior + mains[:, None], prior, CONCENTRATIONS + orders)))
    gained = logs[:pairs] - logs[pairs : 2 * pairs]
    cell = inputs.row[:, None] * grid + np.arange(grid)
    sums = np.bincount(cell.ravel(), weights=gained.ravel(), minlength=n * grid).reshape(n, grid)
    found: np.ndarray = sums - logs[2 * pairs :] + _OF_CONCENTRATIONS
    return found


def log_gamma(x: np.ndarray) -> np.ndarray:
    """The logarithm of the gamma function of positive numbers, to ten digits: Stirling's series, `_UP` steps further up. For x below 1e50.

    `scipy.special.gammaln` is not there in an endpoint.
    """
    steps = x * (x + 1.0)
    for step in range(2, _UP):
        steps *= x + step
    far = x + _UP
    inverse = 1.0 / far
    square = inverse * inverse
    series = np.full_like(x, _SERIES[-1])
    for factor in _SERIES[-2::-1]:
        series *= square
        series += factor
    found: np.ndarray = (far - 0.5) * np.log(far) - far + _HALF_LOG_TURN + series * inverse - np.log(steps)
    return found


_OF_CONCENTRATIONS = log_gamma(CONCENTRATIONS)


def kinds_of_columns(words: Vocabulary) -> np.ndarray:
    """The position in KINDS of each column of `HabitInputs.context`."""
    places = Places(words)
    widths = [places[name].stop - places[name].start for name in CIRCUMSTANCES]
    return np.concatenate([np.arange(len(ALWAYS)), np.repeat(np.arange(len(ALWAYS), len(KINDS)), widths)])


def context_columns(columns: np.ndarray, places: Places) -> np.ndarray:
    """`HabitInputs.context` (n, rows) of encoded contexts (n, context columns or more)."""
    always = np.ones((len(columns), len(ALWAYS)))
    return np.hstack([always, *(columns[:, places[name]] for name in CIRCUMSTANCES)])


def habit_inputs(orders: Encoded, n_products: int, sold: np.ndarray) -> HabitInputs:
    """Inputs over the products at the positions `sold` (S,) of a catalogue of `n_products`; others have no part."""
    days = (orders["day"] - orders["last_day"])[:, 0].clip(min=0.0)
    recent = orders["recent"].astype(np.int64)
    context = context_columns(orders.columns, orders.places)
    return inputs_of(context, orders.bought, recent, days, n_products, sold)


def inputs_of(
    context: np.ndarray, bought: ProductRows, recent: np.ndarray, days: np.ndarray, n_products: int, sold: np.ndarray
) -> HabitInputs:
    """`habit_inputs` of the parts: days (n,) since the last order, recent (n, 3)."""
    row, product = bought.row, bought.product.astype(np.int64)
    state = [getattr(bought, name) for name in AMOUNTS if name not in RECENT_COLUMNS]
    latest = [product == recent[row, back] for back in range(len(RECENT_COLUMNS))]
    amounts = np.stack([*state, *latest], axis=1, dtype=np.float64)
    amounts *= np.exp(days[row][:, None] * _FADING)
    if len(sold) < n_products:
        place = np.full(n_products + 1, -1)
        place[sold] = np.arange(len(sold))
        product, recent = place[product], place[recent]
        known = product >= 0
        row, product, amounts = row[known], product[known], amounts[known]
    return HabitInputs(context, row, product, amounts, recent)
