"""Which columns of an order are compared, by which method, and from which distance on they count as drifted.

Left out on purpose: calendar columns (date, hour, season, holiday), which differ between any two windows; counters that only
grow (a customer's number of orders, of lines, the first order's date); identifiers. What follows the time of year is compared
with the same time of year (`SEASON`), what changes slowly over years with the last orders of the snapshot (`RECENT`).

Thresholds are distances, not significance levels: what matters is how far the customers moved, not how sure one can be that
they moved at all, and with years of orders every p-value becomes small. They are set above the largest value that any window
of stationary chains showed (`benchmarks/drift.py`: columns x scopes x windows x seeds), which is what keeps the many
comparisons from raising alarms by chance. The weather's is the widest: all orders of a store and day share it, so that a window
holds fewer weathers than orders, and the more so the more is sold.

Whether a column matters is not said here: it does if it is made of something that the model learns from, or if the load requires it.
A column that does not matter is compared and noted; it breaks no window and is no reason to train.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum

from globolatte_ml.data.snapshot import LEARNED_COLUMNS
from globolatte_ml.monitoring.windows import CHAIN


class Reference(StrEnum):
    """Which orders of the snapshot a column is compared with."""

    SEASON = "season"
    RECENT = "recent"


class Method(StrEnum):
    """Evidently's names of the distances used here."""

    JENSEN_SHANNON = "jensenshannon"
    WASSERSTEIN = "wasserstein"


@dataclass(frozen=True)
class ColumnPolicy:
    """How one column is compared.

    Attributes:
        threshold: the distance from which on a column has drifted. Jensen-Shannon distance (Lin 1991; the root of the divergence
            in nats, 0 to 0.83) or Wasserstein distance in standard deviations of the reference.
        only_chain: the column means something over all business units only.
        most_missing: a column lacks its values when its share of nulls exceeds that of the reference by more than this.
        made_of: the columns of an order that it is computed from; the one of its own name where none is given.
    """

    column: str
    method: Method
    threshold: float
    reference: Reference = Reference.SEASON
    only_chain: bool = False
    most_missing: float = 0.1
    made_of: tuple[str, ...] = ()

    @property
    def sources(self) -> tuple[str, ...]:
        """The columns of an order that it is computed from."""
        return self.made_of or (self.column,)

    def is_needed(self, required: Collection[str] = ()) -> bool:
        """Whether the model learns from it, or the load requires it (`required`, see the units' declarations)."""
        return not {*LEARNED_COLUMNS, *required}.isdisjoint(self.sources)

    @property
    def is_categorical(self) -> bool:
        """Whether the values are names."""
        return self.method is Method.JENSEN_SHANNON

    def applies_to(self, scope: str) -> bool:
        """Whether the column is compared in windows of this scope."""
        return scope == CHAIN or not self.only_chain


POLICIES: tuple[ColumnPolicy, ...] = (
    ColumnPolicy("main_product_id", Method.JENSEN_SHANNON, 0.16),
    ColumnPolicy("weather", Method.JENSEN_SHANNON, 0.24),
    ColumnPolicy("daypart", Method.JENSEN_SHANNON, 0.15),
    ColumnPolicy("payment_method", Method.JENSEN_SHANNON, 0.16),
    ColumnPolicy("basket_size", Method.JENSEN_SHANNON, 0.15, made_of=("line_count",)),
    ColumnPolicy("business_unit", Method.JENSEN_SHANNON, 0.15, Reference.RECENT, only_chain=True),
    ColumnPolicy("is_new_customer", Method.JENSEN_SHANNON, 0.25, Reference.RECENT, made_of=("order_count",)),
    ColumnPolicy(
        "days_since_last_order",
        Method.WASSERSTEIN,
        0.45,
        Reference.RECENT,
        most_missing=0.5,
        made_of=("business_date", "last_order_date"),
    ),
)
"""Every column that is compared. The values come from `orders.order_columns`."""
