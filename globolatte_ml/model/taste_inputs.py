"""What the taste model sees of an order: its circumstances, and those of the customer's past orders as the state has them.

The second half of the one feature definition, state + context -> `TasteInputs`, in training, batch and online alike; the first half is
`features.py`. Which circumstances there are stands in `feature_space.py`.
"""

from dataclasses import dataclass, fields

import numpy as np

from globolatte_ml.data.states import RECENT_COLUMNS
from globolatte_ml.data.vocabulary import one_hot
from globolatte_ml.model.encoding import Encoded
from globolatte_ml.model.feature_space import FeatureSpace

REST_HALF_WEIGHT_ORDERS = 2.0
"""So many older orders bring the habit of them to half of its full weight."""
HABITS = 4
"""The last three main products, and those before them."""
_UP_TO = np.tril(np.ones((len(RECENT_COLUMNS), len(RECENT_COLUMNS))))
PAST_HABITS = np.array([[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 1.0]])
"""Which habits each of `TasteInputs.earlier` was in: the third last product when older ones were the rest."""


@dataclass(frozen=True)
class TasteInputs:
    """n orders, p circumstances, K products.

    Attributes:
        now, past: shape (n, p): circumstances of the order, and their mean over the customer's earlier orders, 0 without any.
        last, older: shapes (n, 3, K), (n, K): the customer's HABITS at the order: how much of each product is in them.
        earlier: shape (n, 3, K): earlier main products without the last, the last two, the last three.
        mains, addons: shape (n, K): earlier main products and add-ons.
        orders, per_order: shape (n, 1): how many earlier orders, and 1 by that (1 without any).
        addon_lines: shape (n, 1): add-ons over all products.
        dayparts, daypart: shape (n, 4): dayparts of the earlier orders counted, and the order's own as an indicator.
    """

    now: np.ndarray
    past: np.ndarray
    last: np.ndarray
    older: np.ndarray
    earlier: np.ndarray
    mains: np.ndarray
    addons: np.ndarray
    orders: np.ndarray
    per_order: np.ndarray
    addon_lines: np.ndarray
    dayparts: np.ndarray
    daypart: np.ndarray

    def __len__(self) -> int:
        return len(self.orders)

    def take(self, rows: np.ndarray | slice) -> "TasteInputs":
        """The orders at `rows`."""
        return TasteInputs(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})


def taste_inputs(orders: Encoded, space: FeatureSpace, sold: np.ndarray) -> TasteInputs:
    """The inputs over the products at the positions `sold` of the space's catalogue."""
    n_products = len(space.vocabulary.products)
    last, older, earlier = _habits(orders, n_products)
    mains, addons = orders["mains"], orders["addons"]
    if len(sold) < n_products:
        mains, addons, older = mains[:, sold], addons[:, sold], older[:, sold]
        last, earlier = last[:, :, sold], earlier[:, :, sold]
    return TasteInputs(
        now=space.circumstances.now(orders["context"]),
        past=space.circumstances.earlier(orders["context"], orders["past"]),
        last=last,
        older=older,
        earlier=earlier,
        mains=mains,
        addons=addons,
        orders=orders["order_count"],
        per_order=orders["per_order"],
        addon_lines=addons.sum(axis=1, keepdims=True),
        dayparts=orders["daypart_orders"],
        daypart=orders["daypart"],
    )


def _habits(orders: Encoded, n_products: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Last products and older ones at the order, and the earlier products that made them so at the earlier orders: each order counts
    in the habits of all orders after it.

    Over n earlier orders the last one was in nobody's habit yet, the one before it only as a last product, and so on: summed
    over those orders, "last product" counted every main product but the latest one.
    """
    last = one_hot(orders["recent"].astype(np.int64), n_products)
    earlier = (orders["mains"][:, None, :] - _UP_TO @ last).clip(min=0.0)
    rest = earlier[:, -1]
    return last, rest / (rest.sum(axis=1, keepdims=True) + REST_HALF_WEIGHT_ORDERS), earlier
