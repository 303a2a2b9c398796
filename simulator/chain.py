"""Simulate the chain: who joins, who orders what when and where, and what they truly prefer.

The parameters, and the order in which random numbers are drawn from `numpy.random.default_rng(seed)`, are those of the
reference simulator with which the project's yardsticks (popularity, the history oracle) were measured. For the
published chain over 2022-2023 and at least one order per customer, equal arguments therefore give the very same
orders, baskets, quantities and true probabilities. Names, means of payment, stock and further products come
from streams of their own (`streams.py`). Other spans, fewer orders than customers and other numbers of products go
beyond the reference simulator.
"""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from datetime import date
from enum import IntEnum

import numpy as np
import pandas as pd

from simulator.arguments import SimulationArguments
from simulator.catalogue import chain_parameters
from simulator.choice import Contexts, MainChoices, context_utility, draw_add_ons, draw_main_products
from simulator.days import DateArray, days_between, draw_codes, draw_weather, is_holiday, sales_intensity, season_of
from simulator.parameters import DAYPART_FIRST_HOUR, DAYPART_HOURS, ChainParameters, FloatArray, IntArray
from simulator.truth import Truth
from simulator.variants import PUBLISHED_CHAIN, Variant

DEFAULT_START, DEFAULT_END = date(2022, 1, 1), date(2023, 12, 31)


class Blanks(IntEnum):
    """Which columns a broken till leaves blank."""

    NONE = 0
    PAYMENT = 1
    PAYMENT_AND_WEATHER = 2


@dataclass(frozen=True, eq=False)
class Simulation:
    """A simulated chain. Products, units, segments and customers are 0-based codes; P001, C0001 are code 0.

    orders: one row per order in time order (row i is order number i + 1; one customer's orders stay in sequence):
        customer, business_unit, store, day (0-based day of the span), ordered_at (datetime64[s], local time of the
        unit), season, weather, daypart, is_holiday, trend, visit (earlier orders of the customer), main_product, items.
    lines: one row per order line in the same order, main product first (row j is transaction number j + 1):
        order (row of `orders`), line (0 is the main product), product, quantity.
    probabilities: P(main product | taste, context, habit), (orders, products).
    utility_without_taste: context and habit, (orders, products); what a forecaster who knows the chain but no
        customer's taste could compute.
    truth: the customers' segments, tastes and final habits, (customers, …).
    earlier_orders: how many orders the chain had before `orders`: 0 unless this continues another simulation
        (`scenarios.py`); identifiers count on from there.
    blanks: (orders,) what the till left blank in the order's lines, a code of `Blanks`; None where all tills work.
    """

    arguments: SimulationArguments
    orders: pd.DataFrame
    lines: pd.DataFrame
    probabilities: FloatArray
    utility_without_taste: FloatArray
    truth: Truth
    earlier_orders: int = 0
    blanks: IntArray | None = None

    @property
    def parameters(self) -> ChainParameters:
        """The chain's parameters."""
        return self.truth.parameters

    @property
    def days(self) -> DateArray:
        """All dates of the span, datetime64[D]."""
        return days_between(self.arguments.start, self.arguments.end)


@dataclass(frozen=True)
class Visits:
    """Who comes when, one element per order, sorted by customer and time."""

    customer: IntArray
    day: IntArray
    second: IntArray
    daypart: IntArray
    visit: IntArray


def simulate(
    orders: int = 10_000,
    customers: int = 1_000,
    seed: int = 7,
    start: date = DEFAULT_START,
    end: date = DEFAULT_END,
    products: int = 6,
    variant: Variant = PUBLISHED_CHAIN,
) -> Simulation:
    """Simulate `orders` orders of `customers` customers between `start` and `end`, both included.

    `variant` is another chain than the published one, to evaluate models by; its truth is not to be saved.

    Every customer has at least one order. With fewer orders than customers the orders go to customers by their
    activity alone, and at least `customers - orders` of them have none.

    Raises `ValueError` for arguments that make no sense (fewer than one order, customer or product, an end before the
    start, a negative seed), `TypeError` for arguments of another type.
    """
    arguments = SimulationArguments(orders, customers, seed, start, end, products)
    parameters = variant.parameters(chain_parameters(products, seed))
    rng = np.random.default_rng(seed)
    days = days_between(start, end)
    segment = rng.choice(len(parameters.segments), customers, p=parameters.segment_share)
    deviation = rng.standard_normal((customers, products))
    taste = parameters.segment_taste[segment] + parameters.taste_deviation * deviation
    home = rng.choice(len(parameters.business_units), customers, p=parameters.unit_share)
    own_activity = rng.gamma(parameters.activity_shape, parameters.activity_scale, customers)
    activity = parameters.segment_activity[segment] * own_activity
    joined, visits = _draw_visits(parameters, segment, activity, orders, days, rng)
    none, no_habit = np.zeros(customers, dtype=np.int64), np.zeros(taste.shape)
    truth = Truth(parameters, arguments, segment, home, days[joined], none, taste, no_habit)
    return placed_orders(truth, arguments, visits, visits.day / len(days), rng, variant.utility)


def _draw_visits(
    parameters: ChainParameters,
    segment: IntArray,
    activity: FloatArray,
    orders: int,
    days: DateArray,
    rng: np.random.Generator,
) -> tuple[IntArray, Visits]:
    """The day on which each customer joins, and all orders: days by sales intensity, hours by segment."""
    customers = len(segment)
    intensity = sales_intensity(parameters, days)
    passed = np.cumsum(intensity) / intensity.sum()  # part of all sales expected up to the end of each day
    founding = rng.random(customers) < parameters.founding_share
    joined = np.where(founding, 0, rng.integers(0, max(1, int(len(days) * parameters.joining_span)), customers))
    missed = np.where(joined > 0, passed[joined - 1], 0.0)
    weight = activity * (1 - missed)
    guaranteed = 1 if orders >= customers else 0
    count = guaranteed + rng.multinomial(orders - guaranteed * customers, weight / weight.sum())
    return joined, place_visits(parameters, segment, count, (joined, missed, passed), rng)


def place_visits(
    parameters: ChainParameters,
    segment: IntArray,
    count: IntArray,
    span: tuple[IntArray, FloatArray, FloatArray],
    rng: np.random.Generator,
) -> Visits:
    """Day and hour of all orders; count: (customers,) orders of each.

    span: the first possible day of each customer (customers,), the part of all sales that was over by then (customers,),
    and the part that is over at the end of each day (days,).
    """
    joined, missed, passed = span
    orders, last_day = int(count.sum()), len(passed) - 1
    customer = np.repeat(np.arange(len(count)), count)
    day = np.searchsorted(passed, missed[customer] + rng.random(orders) * (1 - missed[customer]))
    day = day.clip(joined[customer], last_day)
    daypart = draw_codes(parameters.segment_daypart[segment[customer]], rng)
    second = np.array(DAYPART_FIRST_HOUR)[daypart] * 3600 + rng.integers(0, DAYPART_HOURS * 3600, orders)
    by_time = np.lexsort((second, day, customer))
    visit = np.arange(orders) - np.repeat(np.cumsum(count) - count, count)
    return Visits(customer[by_time], day[by_time], second[by_time], daypart[by_time], visit)


def placed_orders(
    truth: Truth,
    arguments: SimulationArguments,
    visits: Visits,
    trend: FloatArray,
    rng: np.random.Generator,
    utility_of: Callable[[ChainParameters, Contexts], FloatArray] = context_utility,
) -> Simulation:
    """What the customers buy at their `visits`, in time order.

    truth: as it is before the first of these orders. trend: (orders,) part of the span that has passed.
    """
    parameters, days, customer = truth.parameters, days_between(arguments.start, arguments.end), visits.customer
    store, contexts = _draw_contexts(truth, visits, days, trend, rng)
    utility = utility_of(parameters, contexts)
    choices = draw_main_products(parameters, customer, visits.visit, utility, truth.taste, truth.habit, rng)
    lines = _draw_lines(truth, customer, choices, rng)
    context = {field.name: getattr(contexts, field.name) for field in fields(contexts)}
    columns = {
        "customer": customer,
        "business_unit": context.pop("unit"),
        "store": store,
        "day": visits.day,
        "ordered_at": days[visits.day].astype("datetime64[s]") + visits.second.astype("timedelta64[s]"),
        **context,
        "visit": visits.visit + truth.order_count[customer],
        "main_product": choices.product,
        "items": np.bincount(lines["order"], minlength=arguments.orders),
    }
    count = truth.order_count + np.bincount(customer, minlength=len(truth.segment))
    after = replace(truth, order_count=count, habit=choices.habit)
    orders = pd.DataFrame(columns)
    return _in_time_order(
        Simulation(arguments, orders, lines, choices.probability, utility, after, earlier_orders=truth.order_total)
    )


def _draw_contexts(
    truth: Truth, visits: Visits, days: DateArray, trend: FloatArray, rng: np.random.Generator
) -> tuple[IntArray, Contexts]:
    """The store of every order (mostly at home, sometimes travelling) and the circumstances it is placed in."""
    parameters, orders = truth.parameters, len(visits.customer)
    unit = truth.home[visits.customer]
    travelling = rng.random(orders) < parameters.travel_share
    unit[travelling] = rng.choice(len(parameters.business_units), travelling.sum(), p=parameters.unit_share)
    store = unit * parameters.stores_per_unit + rng.integers(0, parameters.stores_per_unit, orders)
    weather = draw_weather(parameters, days, rng)
    contexts = Contexts(
        unit=unit,
        season=season_of(days)[visits.day],
        weather=weather[store, visits.day],
        daypart=visits.daypart,
        is_holiday=is_holiday(parameters.business_units, days)[unit, visits.day],
        trend=trend,
    )
    return store, contexts


def _draw_lines(truth: Truth, customer: IntArray, choices: MainChoices, rng: np.random.Generator) -> pd.DataFrame:
    """All order lines: the main products, then the first add-ons, then the second ones."""
    parameters = truth.parameters
    wanted = rng.binomial(2, parameters.segment_add_on[truth.segment[customer]])
    utility = choices.utility_without_taste + truth.taste[customer]
    add_ons, count = draw_add_ons(parameters, choices.product, utility, wanted, rng)
    order = np.arange(len(customer))
    of_line = [order, order[count >= 1], order[count >= 2]]
    product = [choices.product, add_ons[count >= 1, 0], add_ons[count >= 2, 1]]
    lines = pd.DataFrame({"order": np.concatenate(of_line)})
    lines["line"] = np.repeat([0, 1, 2], [len(rows) for rows in of_line])
    lines["product"] = np.concatenate(product)
    lines["quantity"] = 1 + (rng.random(len(lines)) < parameters.double_quantity_share)
    return lines


def _in_time_order(simulation: Simulation) -> Simulation:
    """The same simulation with orders, lines and matrices sorted by time instead of by customer."""
    orders, lines = simulation.orders, simulation.lines
    by_time = np.argsort(orders["ordered_at"].to_numpy(), kind="stable")
    position = np.empty(len(by_time), dtype=np.int64)
    position[by_time] = np.arange(len(by_time))
    lines = lines.assign(order=position[lines["order"].to_numpy()])
    by_order = np.lexsort((lines["line"].to_numpy(), lines["order"].to_numpy()))
    return replace(
        simulation,
        orders=orders.iloc[by_time].reset_index(drop=True),
        lines=lines.iloc[by_order].reset_index(drop=True),
        probabilities=simulation.probabilities[by_time],
        utility_without_taste=simulation.utility_without_taste[by_time],
    )
