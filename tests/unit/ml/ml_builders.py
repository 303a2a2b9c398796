"""Builders of small synthetic chains: orders with a known shape, and the tables the platform would export from them.

The states are computed naively, order by order, from the definition (only earlier business dates), so that they can serve
as the yardstick for vectorised code.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

DAYPARTS = ("morning", "midday", "afternoon", "evening")
HOURS = (8, 12, 15, 19)
WEATHERS = ("Cloudy", "Rainy", "Snowy", "Sunny")
UNITS = {"BU_CA": "Canada", "BU_MX": "Mexico", "BU_US": "USA"}
START = dt.date(2022, 1, 1)
PAIR_COLUMNS = ("product_id", "main_orders", "addon_lines", "decayed_main_30d", "decayed_main_120d")


@dataclass(frozen=True)
class Order:
    order_id: str
    customer_id: str
    business_unit: str
    ordered_at: dt.datetime
    weather: str
    product_id: str
    addons: tuple[str, ...]

    @property
    def date(self) -> dt.date:
        return self.ordered_at.date()

    @property
    def daypart(self) -> str:
        return DAYPARTS[HOURS.index(self.ordered_at.hour)]

    @property
    def key(self) -> str:
        return f"{self.business_unit}|{self.date}|{self.order_id}"


@dataclass(frozen=True)
class Chain:
    """Orders in time order and the catalogue."""

    orders: tuple[Order, ...]
    products: tuple[str, ...]
    holidays: frozenset[tuple[str, dt.date]] = field(default=frozenset({("USA", dt.date(2022, 7, 4))}))

    def before(self, date: dt.date) -> Chain:
        return Chain(tuple(o for o in self.orders if o.date < date), self.products, self.holidays)

    def is_holiday(self, order: Order) -> bool:
        return (UNITS[order.business_unit], order.date) in self.holidays


def chain(n_orders=600, n_customers=40, n_products=5, days=240, seed=0, sold=None, strength=1.5) -> Chain:
    """Customers with strong tastes; `sold` limits main products to the first few of the catalogue."""
    rng = np.random.default_rng(seed)
    products = tuple(f"P{i + 1:03d}" for i in range(n_products))
    sold = n_products if sold is None else sold
    taste = strength * rng.standard_normal((n_customers, sold))
    region = 0.7 * rng.standard_normal((len(UNITS), sold))
    home = rng.integers(len(UNITS), size=n_customers)
    minutes = np.sort(rng.integers(0, days, n_orders) * 24 * 60 + rng.integers(0, 4, n_orders))
    orders = []
    for i in range(n_orders):
        customer = int(rng.integers(n_customers))
        scores = taste[customer] + region[home[customer]] + rng.gumbel(size=sold)
        ordered_at = dt.datetime.combine(START, dt.time()) + dt.timedelta(days=int(minutes[i] // 1440))
        ordered_at += dt.timedelta(hours=HOURS[minutes[i] % 1440], minutes=int(rng.integers(60)), seconds=i % 60)
        orders.append(
            Order(
                f"O{i:07d}",
                f"C{customer + 1:04d}",
                list(UNITS)[home[customer]],
                ordered_at,
                WEATHERS[rng.integers(len(WEATHERS))],
                products[int(scores.argmax())],
                tuple(products[int(p)] for p in rng.integers(n_products, size=rng.integers(0, 3))),
            )
        )
    orders.sort(key=lambda order: (order.ordered_at, order.key))
    return Chain(tuple(orders), products)


def state(history: list[Order]) -> tuple[dict, list[dict]]:
    """Customer-level columns and product-level rows of one customer, by definition."""
    last = history[-1].date if history else None
    mains = [order.product_id for order in history]
    addons = [product for order in history for product in order.addons]
    level = {
        "order_count": len(history),
        "line_count": len(history) + len(addons),
        "first_order_date": history[0].date if history else None,
        "last_order_date": last,
        **{f"{daypart}_orders": sum(o.daypart == daypart for o in history) for daypart in DAYPARTS},
        **{f"recent_product_{i}": mains[-i] if len(mains) >= i else None for i in (1, 2, 3)},
    }
    pairs = [
        {
            "product_id": product,
            "main_orders": mains.count(product),
            "addon_lines": addons.count(product),
            **{
                f"decayed_main_{h}d": sum(2 ** (-(last - o.date).days / h) for o in history if o.product_id == product)
                for h in (30, 120)
            },
        }
        for product in sorted({*mains, *addons})
    ]
    return level, pairs


def write_snapshot(chain: Chain, folder: Path) -> Path:
    examples, pairs = [], []
    for order in chain.orders:
        history = [o for o in chain.orders if o.customer_id == order.customer_id and o.date < order.date]
        level, per_product = state(history)
        examples.append(
            {
                "order_key": order.key,
                "order_id": order.order_id,
                "customer_id": order.customer_id,
                "business_unit": order.business_unit,
                "business_date": order.date,
                "ordered_at": order.ordered_at,
                "daypart": order.daypart,
                "season": "",
                "weather": order.weather,
                "is_holiday": chain.is_holiday(order),
                "main_product_id": order.product_id,
                **level,
            }
        )
        pairs.extend({"order_key": order.key, **row} for row in per_product)
    folder.mkdir(parents=True, exist_ok=True)
    write_rows(examples, folder / "examples.parquet")
    write_rows(pairs, folder / "example_products.parquet", ("order_key", *PAIR_COLUMNS))
    write_products(chain, folder)
    (folder / "manifest.json").write_text("{}")
    return folder


def write_state(chain: Chain, folder: Path, version="state-1", extra_customers=("C9001",)) -> Path:
    """The bundle after all orders of `chain`; `extra_customers` are known but have no orders."""
    folder.mkdir(parents=True, exist_ok=True)
    customers, pairs = [], []
    for customer in sorted({o.customer_id for o in chain.orders} | set(extra_customers), reverse=True):
        history = [o for o in chain.orders if o.customer_id == customer]
        level, per_product = state(history)
        home = history[-1].business_unit if history else "BU_MX"
        customers.append({"customer_id": customer, "home_business_unit": home, **level})
        pairs.extend({"customer_id": customer, **row} for row in per_product)
    units = [
        {"business_unit_id": u, "country": c, "unit_name": f"{c} unit", "folder": c.lower(), "time_zone": "UTC"}
        for u, c in UNITS.items()
    ]
    weather = [
        {
            "business_unit": u,
            "month": m,
            "weather": w,
            "order_days": 1,
            "share": 0.25,
            "is_most_likely": w == likely(u, m),
        }
        for u in UNITS
        for m in range(1, 13)
        for w in WEATHERS
    ]
    write_rows(customers, folder / "customer_state.parquet")
    write_rows(pairs, folder / "customer_product_state.parquet", ("customer_id", *PAIR_COLUMNS))
    write_rows(units, folder / "business_units.parquet")
    write_rows(weather, folder / "monthly_weather.parquet")
    write_rows([{"country": c, "date": d, "name": "a day off"} for c, d in chain.holidays], folder / "holidays.parquet")
    write_products(chain, folder)
    (folder / "manifest.json").write_text(json.dumps({"state_version": version}))
    return folder


def likely(unit: str, month: int) -> str:
    return "Snowy" if unit == "BU_CA" and month in (12, 1, 2) else "Sunny"


def write_products(chain: Chain, folder: Path) -> None:
    rows = [{"product_id": p, "product_name": f"Drink {p}", "category": "Coffee", "price": 3.5} for p in chain.products]
    write_rows(rows, folder / "products.parquet")


def write_rows(rows: list[dict], path: Path, names: tuple[str, ...] = ()) -> None:
    table = pa.Table.from_pylist(rows) if rows else pa.table({name: pa.array([], pa.string()) for name in names})
    pq.write_table(table, path)


def arrays_of(states) -> dict[str, np.ndarray]:
    """All arrays of states, those of what was bought included."""
    return {name: of for name, of in {**vars(states), **vars(states.bought)}.items() if isinstance(of, np.ndarray)}


def edit(path: Path, change) -> None:
    """Rewrite a Parquet file through a function of its table."""
    pq.write_table(change(pq.ParquetFile(path).read()), path)
