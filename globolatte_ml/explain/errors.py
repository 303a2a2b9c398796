"""Where the model errs: a shallow tree over its losses, and a heat map."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from globolatte_ml.data.vocabulary import DAYPARTS
from globolatte_ml.explain.explanations import Situations
from globolatte_ml.training.evaluation import HISTORY_LENGTHS

DEPTH = 3
FEWEST_ORDERS = 20
"""Situations that a leaf or a cell must have to be reported."""


@dataclass(frozen=True)
class Leaf:
    """Situations that one rule describes, and the model's quality on them, measured on customers that the tree did not see."""

    rule: str
    orders: int
    log_loss: float
    hit_rate: float


@dataclass(frozen=True)
class HeatMap:
    """Mean loss by history length (rows) and unit (columns), NaN where orders are few; orders: how many there are."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    log_loss: np.ndarray
    orders: np.ndarray


def traits(orders: Situations) -> tuple[np.ndarray, tuple[str, ...]]:
    """Features by which people can distinguish orders: a matrix (n, t) and its columns. Yes/no columns are called `name=value`."""
    states, contexts = orders.states, orders.contexts
    days = (contexts.date - states.last_order_date).astype("timedelta64[D]").astype(np.float64)
    total = states.main_orders.sum(axis=1)
    favourite = np.divide(states.main_orders.max(axis=1), total, out=np.zeros(len(total)), where=total > 0)
    columns = {
        "orders so far": states.order_count.astype(np.float64),
        "days since the last order": np.where(np.isnan(days), 999.0, days),
        "share of the favourite": favourite,
        "holiday=yes": contexts.is_holiday.astype(np.float64),
    }
    for name, values in (("unit", contexts.business_unit), ("weather", contexts.weather)):
        columns |= {f"{name}={word}": (values == word).astype(np.float64) for word in np.unique(values).tolist()}
    columns |= {f"hour={word}": (contexts.daypart == word).astype(np.float64) for word in DAYPARTS}
    return np.column_stack(list(columns.values())), tuple(columns)


def error_tree(
    orders: Situations, losses: np.ndarray, hits: np.ndarray, customers: np.ndarray, seed: int = 0
) -> list[Leaf]:
    """Rules for where losses are high and low, worst first: found on one half of the customers, measured on the other."""
    from sklearn.tree import DecisionTreeRegressor

    ids = np.unique(customers)
    half = np.random.default_rng(seed).permutation(ids)[: len(ids) // 2]
    seen = np.isin(customers, half)
    matrix, names = traits(orders)
    if min(seen.sum(), (~seen).sum()) < 2 * FEWEST_ORDERS:
        return []
    tree = DecisionTreeRegressor(
        max_depth=DEPTH, min_samples_leaf=max(FEWEST_ORDERS, int(seen.sum()) // 20), random_state=0
    )
    tree.fit(matrix[seen], losses[seen])
    leaf_of, rules = tree.apply(matrix), _rules(tree.tree_, names)
    leaves = []
    for leaf, rule in rules.items():
        rows = (leaf_of == leaf) & ~seen
        if rows.sum() >= FEWEST_ORDERS:
            leaves.append(Leaf(rule, int(rows.sum()), float(losses[rows].mean()), float(hits[rows].mean())))
    return sorted(leaves, key=lambda leaf: -leaf.log_loss)


def heat_map(orders: Situations, losses: np.ndarray) -> HeatMap:
    """Mean loss by history length and unit."""
    units = tuple(np.unique(orders.contexts.business_unit).tolist())
    shape = len(HISTORY_LENGTHS), len(units)
    loss, count = np.full(shape, np.nan), np.zeros(shape, dtype=np.int64)
    history = orders.states.order_count
    for row, (low, high) in enumerate(HISTORY_LENGTHS.values()):
        for column, unit in enumerate(units):
            cell = (history >= low) & (history <= high) & (orders.contexts.business_unit == unit)
            count[row, column] = cell.sum()
            if count[row, column] >= FEWEST_ORDERS:
                loss[row, column] = losses[cell].mean()
    return HeatMap(tuple(HISTORY_LENGTHS), units, loss, count)


def _rules(tree: Any, names: tuple[str, ...]) -> dict[int, str]:
    """The rule of each leaf in words; bounds of one number are drawn together."""
    left, right = tree.children_left, tree.children_right
    feature, threshold = tree.feature, tree.threshold
    found: dict[int, str] = {}
    open_nodes: list[tuple[int, dict[str, tuple[float, float]]]] = [(0, {})]
    while open_nodes:
        node, bounds = open_nodes.pop()
        if left[node] < 0:
            found[node] = " and ".join(_words(name, *bound) for name, bound in bounds.items()) or "all orders"
            continue
        name, cut = names[feature[node]], float(threshold[node])
        low, high = bounds.get(name, (-np.inf, np.inf))
        open_nodes.append((left[node], {**bounds, name: (low, min(high, cut))}))
        open_nodes.append((right[node], {**bounds, name: (max(low, cut), high)}))
    return found


def _words(name: str, low: float, high: float) -> str:
    if "=" in name:
        trait, value = name.split("=", 1)
        return f"{trait} is {value}" if low >= 0 else f"{trait} is not {value}"
    sides = [f"over {low:.3g}"] if np.isfinite(low) else []
    sides += [f"at most {high:.3g}"] if np.isfinite(high) else []
    return f"{name} {' and '.join(sides)}"
