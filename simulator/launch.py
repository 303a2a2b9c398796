"""A new product in a chain that goes on."""

from dataclasses import replace

import numpy as np

from simulator.catalogue import EFFECT_DEVIATION, EFFECTS
from simulator.parameters import ChainParameters, FloatArray, Product
from simulator.truth import Truth

LAUNCHES = (
    Product("Caramel Oat Latte", "Hot Coffee", 525),
    Product("Maple Cold Foam", "Cold Coffee", 550),
    Product("Cardamom Bun", "Bakery", 425),
)
LAUNCH_APPEAL = 1.1
"""Utility that the launched product has over the average of the catalogue: the reason why many want it."""


def launched(truth: Truth, rng: np.random.Generator) -> Truth:
    """The chain with one more product, the last of the catalogue; nobody has a habit of it yet.

    Its effects are the mean of the other products' ones with small deviations, its taste varies between customers as that of
    any product does.
    """
    parameters = truth.parameters
    arrays: dict[str, FloatArray] = {name: _with_mean(getattr(parameters, name), rng) for name in EFFECTS}
    arrays["base"][-1] += LAUNCH_APPEAL
    product = _next_launch(parameters)
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


def _next_launch(parameters: ChainParameters) -> Product:
    """The first of `LAUNCHES` that the catalogue lacks, or one named by its number."""
    known = {product.name for product in parameters.products}
    new = next((product for product in LAUNCHES if product.name not in known), None)
    return new or Product(f"New Special {len(parameters.products) + 1}", "Hot Coffee", 495)
