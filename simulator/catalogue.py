"""Chains with any number of products, made from the published chain.

Fewer than six products: the first of the published ones. More: each further product resembles one published product
(a flat white is liked by those who like a cappuccino, on the same days), with seeded deviations of its own. Product 9
of a seed is the same product in a chain of 9 and in a chain of 40.
"""

from dataclasses import replace

import numpy as np

from simulator.parameters import ChainParameters, FloatArray, Product
from simulator.published import PUBLISHED
from simulator.streams import RandomStream, random_stream

ESPRESSO, CAPPUCCINO, ICED_LATTE, COLD_BREW, HOT_CHOCOLATE, PASTRY = range(len(PUBLISHED.products))

FURTHER_PRODUCTS: tuple[tuple[Product, int], ...] = (
    (Product("Americano", "Hot Coffee", 325), ESPRESSO),
    (Product("Flat White", "Hot Coffee", 450), CAPPUCCINO),
    (Product("Frappe", "Cold Coffee", 525), ICED_LATTE),
    (Product("Chai Latte", "Hot Drinks", 450), HOT_CHOCOLATE),
    (Product("Croissant", "Bakery", 375), PASTRY),
    (Product("Nitro Cold Brew", "Cold Coffee", 525), COLD_BREW),
    (Product("Macchiato", "Hot Coffee", 375), ESPRESSO),
    (Product("Caffe Latte", "Hot Coffee", 450), CAPPUCCINO),
    (Product("Mocha", "Hot Coffee", 495), HOT_CHOCOLATE),
    (Product("Iced Matcha", "Cold Drinks", 525), ICED_LATTE),
    (Product("Blueberry Muffin", "Bakery", 395), PASTRY),
    (Product("Cortado", "Hot Coffee", 395), ESPRESSO),
    (Product("Iced Tea", "Cold Drinks", 350), COLD_BREW),
    (Product("Green Tea", "Hot Drinks", 325), HOT_CHOCOLATE),
    (Product("Cinnamon Roll", "Bakery", 425), PASTRY),
    (Product("Vanilla Latte", "Hot Coffee", 495), CAPPUCCINO),
    (Product("Lemonade", "Cold Drinks", 375), ICED_LATTE),
    (Product("Bagel", "Bakery", 325), PASTRY),
)

EFFECTS = (
    "base",
    "unit_effect",
    "season_effect",
    "weather_effect",
    "daypart_effect",
    "holiday_effect",
    "trend_effect",
    "segment_taste",
)
EFFECT_DEVIATION = 0.15
TASTE_DEVIATION = 0.35
AFFINITY_DEVIATION = 0.15


def chain_parameters(products: int, seed: int) -> ChainParameters:
    """The published chain with `products` >= 1 products; `seed` matters only beyond the published ones."""
    resembled = list(range(min(products, len(PUBLISHED.products))))
    catalogue = [PUBLISHED.products[index] for index in resembled]
    generators = []
    for number in range(len(resembled) + 1, products + 1):
        rng = random_stream(seed, RandomStream.CATALOGUE, number)
        product, published = _further_product(number, rng)
        catalogue.append(product)
        resembled.append(published)
        generators.append(rng)
    arrays: dict[str, FloatArray] = {name: _extended(name, resembled, generators) for name in EFFECTS}
    affinity = _extended_affinity(resembled, generators)
    return replace(PUBLISHED, products=tuple(catalogue), add_on_affinity=affinity, **arrays)  # type: ignore[arg-type]


def _further_product(number: int, rng: np.random.Generator) -> tuple[Product, int]:
    """Product `number` (1-based, beyond the published ones) and the index of the published product it resembles."""
    position = number - len(PUBLISHED.products) - 1
    if position < len(FURTHER_PRODUCTS):
        return FURTHER_PRODUCTS[position]
    published = int(rng.integers(len(PUBLISHED.products)))
    price_cents = 300 + 25 * int(rng.integers(13))
    return Product(f"Seasonal Special {number}", PUBLISHED.products[published].category, price_cents), published


def _extended(name: str, resembled: list[int], generators: list[np.random.Generator]) -> FloatArray:
    """One effect (…, products): the resembled product's column, plus a deviation for each further product."""
    effect: FloatArray = getattr(PUBLISHED, name)[..., resembled]
    deviation = TASTE_DEVIATION if name == "segment_taste" else EFFECT_DEVIATION
    for column, rng in enumerate(generators, start=len(resembled) - len(generators)):
        effect[..., column] += deviation * rng.standard_normal(effect.shape[:-1])
    return effect


def _extended_affinity(resembled: list[int], generators: list[np.random.Generator]) -> FloatArray:
    """Add-on affinity (main, add-on) of the resembled products, with deviations towards every earlier product."""
    affinity = PUBLISHED.add_on_affinity[np.ix_(resembled, resembled)]
    for index, rng in enumerate(generators, start=len(resembled) - len(generators)):
        affinity[index, :index] += AFFINITY_DEVIATION * rng.standard_normal(index)
        affinity[:index, index] += AFFINITY_DEVIATION * rng.standard_normal(index)
    return affinity
