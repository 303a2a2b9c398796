"""A chain that goes on: further days after a simulation, under a scenario that changes what the past has taught.

| scenario        | what changes from the first further day on                                                          |
|-----------------|-----------------------------------------------------------------------------------------------------|
| none            | nothing: sales, tastes, weather and catalogue stay as they were at the end                           |
| product_launch  | one more product, which most segments like                                                          |
| taste_shift     | two thirds of the customers take to cold drinks, whatever they liked before                         |
| weather_shift   | two thirds of the dry days turn rainy; weather moves customers half as much again                   |
| broken_upstream | nothing that customers do; the tills of half of the stores leave weather and means of payment blank |

No new customers join, the trend and the growth of sales stand still at what they had reached: without a scenario the
further days are stationary but for season and day of week.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np

from simulator.arguments import Continuation, Scenario, SimulationArguments
from simulator.catalogue import EFFECT_DEVIATION, EFFECTS
from simulator.chain import Blanks, Simulation, place_visits, placed_orders
from simulator.days import days_between, sales_intensity
from simulator.parameters import WEATHERS, FloatArray, IntArray, Product
from simulator.streams import RandomStream, random_stream
from simulator.truth import Truth

MOVING_SHARE = 2 / 3
MOVES_TO = "iced"
DRY_DAYS_LOST = 0.65
WEATHER_EFFECT_FACTOR = 1.5
LAUNCHES = (
    Product("Caramel Oat Latte", "Hot Coffee", 525),
    Product("Maple Cold Foam", "Cold Coffee", 550),
    Product("Cardamom Bun", "Bakery", 425),
)
LAUNCH_APPEAL = 1.1
"""Utility that the launched product has over the average of the catalogue: the reason why many want it."""
BROKEN_STORES = 2
"""One of so many stores has a broken till."""
BROKEN_WEATHER_SHARE = 0.8
"""Part of a broken till's orders that lack the weather, too."""


def continue_chain(
    truth: Truth, scenario: Scenario | str, start: date, end: date, orders: int | None = None, seed: int = 1
) -> Simulation:
    """Simulate `orders` further orders between `start` and `end`, both included; default: as many as the chain's pace gives.

    The result's `orders`, `lines` and matrices are those of the further days alone, its `truth` is that of the whole chain
    after them, so that it can be continued again.

    Raises `ValueError` for an unknown scenario and for a start that lies within the days already simulated.
    """
    scenario = Scenario(scenario)
    if start <= truth.last_day:
        raise ValueError(f"start {start} lies within the simulated days (until {truth.last_day}); give a later start")
    orders = orders_at_pace(truth, start, end) if orders is None else orders
    rng = random_stream(seed, RandomStream.CONTINUATION, start.toordinal())
    changed = CHANGES[scenario](truth, rng) if scenario in CHANGES else truth
    arguments = SimulationArguments(orders, len(truth.segment), seed, start, end, len(changed.parameters.products))
    simulation = _further_days(changed, arguments, rng)
    if scenario is Scenario.BROKEN_UPSTREAM:
        simulation = replace(simulation, blanks=_blanks(simulation, rng))
    done = Continuation(scenario, start, end, orders, seed)
    known = replace(simulation.truth, continuations=(*truth.continuations, done))
    return replace(simulation, truth=known)


def orders_at_pace(truth: Truth, start: date, end: date) -> int:
    """Orders to be expected between `start` and `end` at the pace that the first simulation had reached; at least 1.

    That pace is higher than the mean one: sales grew over the span, and customers joined.
    """
    parameters, activity, possible = truth.parameters, *_activity(truth)
    span = sales_intensity(parameters, days_between(truth.arguments.start, truth.arguments.end)).sum()
    further = sales_intensity(replace(parameters, growth=0.0), days_between(start, end)).sum() * (1 + parameters.growth)
    joined = activity.sum() / (activity * possible).sum()
    return max(1, round(truth.arguments.orders * float(joined * further / span)))


def _tastes_shifted(truth: Truth, rng: np.random.Generator) -> Truth:
    """Two thirds of the customers get a new taste around that of the segment `MOVES_TO`; dayparts and add-ons stay theirs."""
    parameters = truth.parameters
    moving = rng.random(len(truth.segment)) < MOVING_SHARE
    mean = parameters.segment_taste[parameters.segments.index(MOVES_TO)]
    new = mean + parameters.taste_deviation * rng.standard_normal(truth.taste.shape)
    return replace(truth, taste=np.where(moving[:, None], new, truth.taste))


def _weather_shifted(truth: Truth, rng: np.random.Generator) -> Truth:  # noqa: ARG001 - one signature for all changes
    parameters = truth.parameters
    probability = parameters.weather_probability.copy()
    dry, rainy = [WEATHERS.index("Sunny"), WEATHERS.index("Cloudy")], WEATHERS.index("Rainy")
    lost = DRY_DAYS_LOST * probability[..., dry]
    probability[..., dry] -= lost
    probability[..., rainy] += lost.sum(axis=-1)
    effect = WEATHER_EFFECT_FACTOR * parameters.weather_effect
    return replace(truth, parameters=replace(parameters, weather_probability=probability, weather_effect=effect))


def _launched(truth: Truth, rng: np.random.Generator) -> Truth:
    """The chain with one more product, the last of the catalogue; nobody has a habit of it yet.

    Its effects are the mean of the other products' ones with small deviations, its taste varies between customers as that of
    any product does.
    """
    parameters = truth.parameters
    arrays: dict[str, FloatArray] = {name: _with_mean(getattr(parameters, name), rng) for name in EFFECTS}
    arrays["base"][-1] += LAUNCH_APPEAL
    known = {product.name for product in parameters.products}
    numbered = Product(f"New Special {len(parameters.products) + 1}", "Hot Coffee", 495)
    product = next((product for product in LAUNCHES if product.name not in known), numbered)
    affinity = _with_mean(_with_mean(parameters.add_on_affinity, rng).T, rng).T
    affinity[-1, -1] = -1.0
    extended = replace(parameters, products=(*parameters.products, product), add_on_affinity=affinity, **arrays)  # type: ignore[arg-type]
    customers = len(truth.segment)
    deviation = parameters.taste_deviation * rng.standard_normal(customers)
    taste = arrays["segment_taste"][truth.segment, -1] + deviation
    habit = np.hstack([truth.habit, np.zeros((customers, 1))])
    return replace(truth, parameters=extended, taste=np.column_stack([truth.taste, taste]), habit=habit)


def _with_mean(effect: FloatArray, rng: np.random.Generator) -> FloatArray:
    """An effect (…, products) with one more product, the mean of the others plus a deviation."""
    new = effect.mean(axis=-1, keepdims=True) + EFFECT_DEVIATION * rng.standard_normal((*effect.shape[:-1], 1))
    return np.concatenate([effect, new], axis=-1)


CHANGES: dict[Scenario, Callable[[Truth, np.random.Generator], Truth]] = {
    Scenario.PRODUCT_LAUNCH: _launched,
    Scenario.TASTE_SHIFT: _tastes_shifted,
    Scenario.WEATHER_SHIFT: _weather_shifted,
}


def _further_days(truth: Truth, arguments: SimulationArguments, rng: np.random.Generator) -> Simulation:
    parameters = truth.parameters
    activity, _ = _activity(truth)
    count = rng.multinomial(arguments.orders, activity / activity.sum())
    intensity = sales_intensity(replace(parameters, growth=0.0), days_between(arguments.start, arguments.end))
    everyone = np.zeros(len(count), dtype=np.int64)
    span = (everyone, everyone.astype(np.float64), np.cumsum(intensity) / intensity.sum())
    visits = place_visits(parameters, truth.segment, count, span, rng)
    first_days = (truth.arguments.end - truth.arguments.start).days + 1
    final_trend = np.full(arguments.orders, (first_days - 1) / first_days)
    return placed_orders(truth, arguments, visits, final_trend, rng)


def _activity(truth: Truth) -> tuple[FloatArray, FloatArray]:
    """How often each customer orders, relative, and the part of all sales so far at which that was possible: (customers,) each.

    A truth keeps no activities; this is their posterior mean, gamma prior and Poisson orders: the more often someone came
    while it was possible, the more often this customer will come.
    """
    parameters, arguments = truth.parameters, truth.arguments
    days = days_between(arguments.start, truth.last_day)
    intensity = sales_intensity(parameters, days)
    passed = np.cumsum(intensity) / intensity.sum()
    joined = (truth.joined - days[0]).astype(np.int64)
    possible = 1 - np.where(joined > 0, passed[joined - 1], 0.0)
    prior = parameters.segment_activity[truth.segment]
    pace = truth.order_total / (prior * possible).sum() / (parameters.activity_shape * parameters.activity_scale)
    own = (parameters.activity_shape + truth.order_count) / (1 / parameters.activity_scale + pace * prior * possible)
    activity: FloatArray = prior * own
    return activity, possible


def _blanks(simulation: Simulation, rng: np.random.Generator) -> IntArray:
    broken = simulation.orders["store"].to_numpy() % BROKEN_STORES == 0
    deep = rng.random(len(broken)) < BROKEN_WEATHER_SHARE
    blanks: IntArray = np.where(broken, np.where(deep, Blanks.PAYMENT_AND_WEATHER, Blanks.PAYMENT), Blanks.NONE)
    return blanks
