"""Simulated chains as the platform would see them, without files and warehouse: what experiments on monitoring compare."""

import datetime as dt

import numpy as np
import pandas as pd

from globolatte_ml.monitoring.delivery import Delivery
from simulator import Simulation
from simulator.chain import Blanks
from simulator.identifiers import product_ids
from simulator.parameters import DAYPARTS, WEATHERS
from simulator.people import PAYMENT_METHODS, draw_payment_methods


def delivered_orders(simulations: list[Simulation]) -> pd.DataFrame:
    """The orders of a chain and its continuations, in time order, with the columns of `monitoring.orders`, blanks included.

    Orders whose weather is blank are marked `is_quarantined`: the load keeps them out.
    """
    frame = pd.concat([_orders(simulation) for simulation in simulations], ignore_index=True)
    usable = frame[~frame["is_quarantined"]]
    days = usable.groupby(["customer", "business_date"], sort=True).size().reset_index()
    days["last"] = days.groupby("customer")["business_date"].shift()
    frame = frame.merge(days[["customer", "business_date", "last"]], on=["customer", "business_date"], how="left")
    frame["days_since_last_order"] = (frame["business_date"] - frame["last"]).dt.days.astype("float64")
    frame["is_new_customer"] = np.where(frame["last"].isna(), "new", "known")
    return frame


def _orders(simulation: Simulation) -> pd.DataFrame:
    orders, parameters = simulation.orders, simulation.parameters
    unit = orders["business_unit"].to_numpy()
    payment = draw_payment_methods(unit, parameters.business_units, simulation.arguments.seed)
    blanks = np.zeros(len(orders), np.int64) if simulation.blanks is None else simulation.blanks
    ids = np.array([one.business_unit_id for one in parameters.business_units], dtype=object)
    return pd.DataFrame(
        {
            "customer": orders["customer"].to_numpy(),
            "business_unit": ids[unit],
            "business_date": orders["ordered_at"].to_numpy().astype("datetime64[D]").astype("datetime64[ns]"),
            "main_product_id": np.array(product_ids(len(parameters.products)), dtype=object)[orders["main_product"]],
            "weather": np.array(WEATHERS, dtype=object)[orders["weather"]],
            "daypart": np.array(DAYPARTS, dtype=object)[orders["daypart"]],
            "payment_method": np.where(
                blanks >= Blanks.PAYMENT, None, np.array(PAYMENT_METHODS, dtype=object)[payment]
            ),
            "basket_size": orders["items"].astype(str).astype(object).to_numpy(),
            "items": orders["items"].to_numpy(),
            "is_quarantined": blanks >= Blanks.PAYMENT_AND_WEATHER,
        }
    )


def deliveries(orders: pd.DataFrame, after: dt.date, until: dt.date) -> list[Delivery]:
    """One delivery per unit and date after `after` until `until`, days without sales included."""
    found = []
    dates = pd.date_range(after + dt.timedelta(days=1), until)
    for unit, rows in orders.groupby("business_unit"):
        by_date = dict(iter(rows.groupby("business_date")))
        for date in dates:
            day = by_date.get(date)
            good = day[~day["is_quarantined"]] if day is not None else None
            loaded = int(good["items"].sum()) if good is not None else 0
            bad = int(day["items"].sum()) - loaded if day is not None else 0
            found.append(Delivery(str(unit), date.date(), 0 if good is None else len(good), loaded, bad))
    return found
