"""Orders, snapshots and deliveries of a stable little chain to compare. Not here: what a test expects."""

import datetime as dt

import numpy as np
import pandas as pd

from globolatte_ml.monitoring.delivery import Delivery
from globolatte_ml.monitoring.windows import CHAIN, Window

FIRST = dt.date(2024, 3, 1)
MIX = {"P001": 0.5, "P002": 0.3, "P003": 0.2}


def orders(
    n: int, first: dt.date = FIRST, days: int = 21, seed: int = 0, mix: dict[str, float] | None = None
) -> pd.DataFrame:
    """n orders spread over `days` days, columns as from `monitoring.orders.order_columns`."""
    rng = np.random.default_rng(seed)
    mix = mix or MIX
    return pd.DataFrame(
        {
            "order_key": [f"{seed}-{number}" for number in range(n)],
            "business_unit": rng.choice(["BU_CA", "BU_US"], n),
            "business_date": pd.Timestamp(first) + pd.to_timedelta(np.arange(n) * days // n, unit="D"),
            "main_product_id": rng.choice(list(mix), n, p=list(mix.values())),
            "weather": rng.choice(["Sunny", "Rainy"], n),
            "daypart": rng.choice(["morning", "evening"], n),
            "payment_method": rng.choice(["Cash", "Card"], n),
            "basket_size": rng.choice(["1", "2"], n),
            "is_new_customer": rng.choice(["new", "known"], n, p=[0.1, 0.9]),
            "days_since_last_order": rng.exponential(30, n),
        }
    )


def snapshot(n: int = 6000, seed: int = 1) -> pd.DataFrame:
    """Two years of orders before `FIRST`."""
    return orders(n, dt.date(2022, 3, 1), 731, seed)


def window(n: int = 400, scope: str = CHAIN, quarantined: int = 0) -> Window:
    """A window of three weeks from `FIRST` on."""
    last = FIRST + dt.timedelta(days=20)
    return Window(scope, FIRST, last, Delivery(scope, last, n, n, quarantined, days_expected=21))


def days(unit: str, count: int, per_day: int, first: dt.date = FIRST, quarantined: int = 0) -> list[Delivery]:
    """Equal deliveries on consecutive days."""
    return [Delivery(unit, first + dt.timedelta(days=day), per_day, per_day, quarantined) for day in range(count)]
