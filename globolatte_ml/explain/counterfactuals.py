"""What would have changed a recommendation: other circumstances, or further orders."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from globolatte_ml.data.orders import Contexts
from globolatte_ml.data.states import HALF_LIVES, CustomerStates
from globolatte_ml.data.vocabulary import DAYPARTS, MIDDLE_OF_A_MONTH, MONTHS_OF_A_SEASON, SEASONS, season_codes
from globolatte_ml.explain.explanations import Predictor, Situations
from globolatte_ml.model.features import decayed_to

FURTHER_ORDERS = (1, 2, 3, 5, 8)
SHOWN = 3


@dataclass(frozen=True)
class Change:
    """One change to a request. kind: weather, hour, region, season or orders; text: in words."""

    kind: str
    text: str
    orders: Situations


@dataclass(frozen=True)
class Turned:
    """A change that turns the first choice of a prediction to another product, with its probability then."""

    text: str
    product: str
    probability: float


def changes(one: Situations, weathers: Sequence[str], units: Sequence[str], names: dict[str, str]) -> list[Change]:
    """Every single change to a request (`one` has length 1): small ones first."""
    contexts, state = one.contexts, one.states
    fields = (("weather", "weather", weathers), ("hour", "daypart", DAYPARTS), ("region", "business_unit", units))
    found = [
        Change(kind, f"{kind} {word} instead of {now}", _with_context(one, field, np.array([word])))
        for kind, field, words in fields
        for now in getattr(contexts, field).tolist()
        for word in words
        if word != now
    ]
    date = dt.date.fromisoformat(str(contexts.date[0]))
    for code, season in enumerate(SEASONS):
        other = np.array([dt.date(date.year, MONTHS_OF_A_SEASON * code + 1, MIDDLE_OF_A_MONTH)], dtype="datetime64[D]")
        if season_codes(contexts.date)[0] != code:
            found += [Change("season", f"in {season}", _with_context(one, "date", other))]
    for count in FURTHER_ORDERS:
        for at, product in enumerate(state.products):
            words = f"{count} further order{'s' if count > 1 else ''} of {names.get(product, product)}"
            more = Situations(_ordered(state, at, count, contexts.date), contexts)
            found.append(Change("orders", words, more))
    return found


def turning_changes(
    model: Predictor,
    one: Situations,
    products: Sequence[str],
    weathers: Sequence[str],
    units: Sequence[str],
    names: dict[str, str],
) -> list[Turned]:
    """The changes that turn the first choice, at most three: circumstances first, then the fewest further orders."""
    first = int(model.predict_proba(one.states, one.contexts, products)[0].argmax())
    possible = changes(one, weathers, units, names)
    changed = _together([change.orders for change in possible])
    answers = model.predict_proba(changed.states, changed.contexts, products)
    found: list[Turned] = []
    kinds: set[str] = set()
    for change, answer in zip(possible, answers, strict=True):
        top = int(answer.argmax())
        if top != first and change.kind not in kinds:
            kinds.add(change.kind)
            found.append(Turned(change.text, products[top], float(answer[top])))
    return found[:SHOWN]


def share_turned(
    model: Predictor, orders: Situations, products: Sequence[str], weathers: Sequence[str], units: Sequence[str]
) -> dict[str, float]:
    """Share of n predictions whose first choice some other weather, hour, season or region would turn."""
    first = model.predict_proba(orders.states, orders.contexts, products).argmax(axis=1)
    n, turned = len(orders), {}
    year = orders.contexts.date.astype("datetime64[Y]")
    middles = [
        (year.astype("datetime64[M]") + MONTHS_OF_A_SEASON * code).astype("datetime64[D]") + (MIDDLE_OF_A_MONTH - 1)
        for code in range(len(SEASONS))
    ]
    words: dict[str, tuple[str, list[np.ndarray]]] = {
        "weather": ("weather", [np.full(n, word) for word in weathers]),
        "hour": ("daypart", [np.full(n, word) for word in DAYPARTS]),
        "season": ("date", middles),
        "region": ("business_unit", [np.full(n, word) for word in units]),
    }
    for kind, (field, alternatives) in words.items():
        other = np.zeros(n, dtype=bool)
        for values in alternatives:
            changed = _with_context(orders, field, values)
            other |= model.predict_proba(changed.states, changed.contexts, products).argmax(axis=1) != first
        turned[kind] = float(other.mean()) if n else 0.0
    return turned


def _with_context(orders: Situations, field: str, values: np.ndarray) -> Situations:
    return Situations(orders.states, replace(orders.contexts, **{field: values}))


def _ordered(state: CustomerStates, product: int, count: int, date: np.ndarray) -> CustomerStates:
    """The state had the customer ordered `product` so many times more, the day before."""
    day = date - np.timedelta64(1, "D")
    main, recent = state.main_orders, state.recent_products
    main[:, product] += count
    decayed: dict[str, Any] = {}
    for name in HALF_LIVES:
        decayed[name] = decayed_to(state, day, name)
        decayed[name][:, product] += count
    width = min(count, recent.shape[1])
    recent = np.hstack([np.full((len(recent), width), product), recent])[:, : recent.shape[1]]
    first = np.where(np.isnat(state.first_order_date), day, state.first_order_date)
    return replace(
        state.with_tables(main_orders=main, **decayed),
        order_count=state.order_count + count,
        line_count=state.line_count + count,
        first_order_date=first,
        last_order_date=day,
        recent_products=recent,
    )


def _together(many: Sequence[Situations]) -> Situations:
    """Requests one after the other."""
    contexts = {name: np.concatenate([getattr(one.contexts, name) for one in many]) for name in vars(many[0].contexts)}
    return Situations(CustomerStates.one_after_the_other([one.states for one in many]), Contexts(**contexts))
