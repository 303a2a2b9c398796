"""The columns of orders that are compared, computed alike for a window and for the snapshot.

Belongs here: the derivation of columns. Does not belong here: where the orders come from.
"""

from __future__ import annotations

import pandas as pd
import pyarrow as pa

EXAMPLE_COLUMNS = (
    "order_key",
    "business_unit",
    "business_date",
    "main_product_id",
    "weather",
    "daypart",
    "order_count",
    "last_order_date",
)
FACT_COLUMNS = ("order_key", "payment_method", "line_count")
LARGEST_BASKET = 5


def order_columns(examples: pa.Table, facts: pa.Table) -> pd.DataFrame:
    """One row per example, in its order, with every column that `policies.POLICIES` names.

    Args:
        examples: rows of training examples with `EXAMPLE_COLUMNS`.
        facts: means of payment and number of lines per order, `FACT_COLUMNS`; orders that are missing get nulls.
    """
    orders = examples.select(list(EXAMPLE_COLUMNS)).to_pandas(date_as_object=False)
    known = facts.select(list(FACT_COLUMNS)).to_pandas()
    orders = orders.merge(known, on="order_key", how="left", validate="one_to_one")
    dates, last = pd.to_datetime(orders["business_date"]), pd.to_datetime(orders["last_order_date"])
    size = orders["line_count"].clip(upper=LARGEST_BASKET)
    basket = size.map(lambda lines: None if pd.isna(lines) else str(int(lines)))
    new = orders["order_count"].fillna(0) == 0
    return orders.drop(columns=["order_count", "last_order_date", "line_count"]).assign(
        business_date=dates,
        basket_size=basket,
        is_new_customer=new.map({True: "new", False: "known"}),
        days_since_last_order=(dates - last).dt.days.astype("float64"),
    )
