"""The published chain: six products, three countries, five customer segments."""

import numpy as np

from simulator.parameters import BusinessUnit, ChainParameters, FloatArray, Product

PRODUCTS = (
    Product("Espresso", "Hot Coffee", 300),
    Product("Cappuccino", "Hot Coffee", 425),
    Product("Iced Latte", "Cold Coffee", 475),
    Product("Cold Brew", "Cold Coffee", 450),
    Product("Hot Chocolate", "Hot Drinks", 400),
    Product("Pastry", "Bakery", 350),
)

BUSINESS_UNITS = (
    BusinessUnit("BU_US", "USA", "GloboLatte USA", "usa", "America/New_York", "US"),
    BusinessUnit("BU_CA", "Canada", "GloboLatte Canada", "canada", "America/Toronto", "CA"),
    BusinessUnit("BU_MX", "Mexico", "GloboLatte Mexico", "mexico", "America/Mexico_City", "MX"),
)


def monthly_weather() -> FloatArray:
    """Weather probabilities (3 units, 12 months, 4 types): a cosine year, coldest in January; no snow in Mexico."""
    winter = np.cos(np.arange(12) / 12 * 2 * np.pi)  # 1 in January, -1 in July
    usa = (0.45 - 0.15 * winter, np.full(12, 0.20), np.clip(0.18 * winter, 0, None))
    canada = (0.38 - 0.18 * winter, np.full(12, 0.20), np.clip(0.38 * winter, 0, None))
    mexico = (0.58 - 0.02 * winter, 0.17 - 0.10 * winter, np.zeros(12))
    units = [
        np.stack([sunny, rainy, snowy, 1 - sunny - rainy - snowy], -1) for sunny, rainy, snowy in (usa, canada, mexico)
    ]
    return np.stack(units)


PUBLISHED = ChainParameters(
    products=PRODUCTS,
    business_units=BUSINESS_UNITS,
    segments=("purist", "comfort", "iced", "sweet", "explorer"),
    base=np.array([0.25, 0.35, 0.20, 0.00, -0.25, 0.00]),
    unit_effect=np.array(
        [
            [0.00, 0.00, 0.25, 0.35, -0.10, 0.00],  # USA
            [0.05, 0.20, -0.20, -0.20, 0.35, 0.10],  # Canada
            [0.25, 0.10, 0.00, -0.30, 0.20, 0.30],  # Mexico
        ]
    ),
    season_effect=np.array(
        [
            [0.20, 0.25, -0.70, -0.70, 0.90, 0.10],  # winter
            [0.00, 0.10, 0.00, 0.00, 0.00, 0.00],  # spring
            [-0.25, -0.35, 0.75, 0.80, -1.10, -0.10],  # summer
            [0.10, 0.25, -0.20, -0.10, 0.30, 0.20],  # autumn
        ]
    ),
    season_strength=np.array([1.0, 1.25, 0.5]),
    weather_effect=np.array(
        [
            [-0.10, -0.10, 0.35, 0.35, -0.35, 0.00],  # Sunny
            [0.10, 0.20, -0.30, -0.30, 0.35, 0.10],  # Rainy
            [0.10, 0.20, -0.60, -0.60, 0.80, 0.00],  # Snowy
            [0.00, 0.05, -0.05, -0.05, 0.00, 0.00],  # Cloudy
        ]
    ),
    daypart_effect=np.array(
        [
            [0.50, 0.40, -0.30, 0.00, -0.30, 0.30],  # morning
            [0.10, 0.00, 0.20, 0.20, -0.10, 0.00],  # midday
            [-0.20, -0.10, 0.30, 0.20, 0.10, 0.10],  # afternoon
            [-0.60, -0.30, 0.00, -0.20, 0.50, 0.10],  # evening
        ]
    ),
    holiday_effect=np.array([-0.20, -0.10, 0.00, -0.10, 0.50, 0.40]),
    trend_effect=np.array([0.00, -0.10, 0.10, 0.40, 0.00, 0.00]),
    segment_taste=np.array(
        [
            [1.80, 0.30, -0.80, 0.00, -1.00, -0.50],  # purist
            [-0.20, 1.20, -0.40, -0.80, 1.00, 0.10],  # comfort
            [-0.80, -0.30, 1.40, 1.40, -0.80, -0.30],  # iced
            [-0.80, 0.20, 0.10, -0.60, 0.80, 1.50],  # sweet
            [0.00, 0.00, 0.00, 0.00, 0.00, 0.00],  # explorer
        ]
    ),
    taste_deviation=0.7,
    habit_strength=1.0,
    habit_decay=0.7,
    add_on_affinity=np.array(  # row: main product, column: add-on
        [
            [-1.0, -0.5, -0.6, -0.6, -0.6, 1.4],
            [-0.5, -1.0, -0.5, -0.5, -0.3, 1.6],
            [-0.5, -0.4, -1.0, -0.2, -0.5, 0.8],
            [-0.4, -0.4, -0.2, -1.0, -0.6, 0.6],
            [-0.6, -0.2, -0.5, -0.6, -1.0, 1.3],
            [0.6, 0.9, 0.4, 0.3, 0.6, -1.0],
        ]
    ),
    add_on_affinity_weight=1.2,
    add_on_utility_weight=0.6,
    segment_share=np.array([0.20, 0.25, 0.22, 0.15, 0.18]),
    segment_activity=np.array([1.6, 1.0, 1.1, 0.6, 0.8]),
    segment_add_on=np.array([0.15, 0.35, 0.25, 0.75, 0.45]),
    segment_daypart=np.array(
        [
            [0.60, 0.20, 0.12, 0.08],  # purist
            [0.40, 0.20, 0.20, 0.20],  # comfort
            [0.20, 0.35, 0.35, 0.10],  # iced
            [0.25, 0.20, 0.35, 0.20],  # sweet
            [0.30, 0.25, 0.25, 0.20],  # explorer
        ]
    ),
    unit_share=np.array([0.50, 0.25, 0.25]),
    travel_share=0.04,
    activity_shape=2.0,
    activity_scale=0.5,
    founding_share=0.45,
    joining_span=0.8,
    double_quantity_share=0.08,
    stores_per_unit=8,
    day_of_week_intensity=np.array([1.0, 1.0, 1.0, 1.05, 1.2, 1.3, 0.95]),
    growth=0.4,
    winter_peak=0.12,
    weather_probability=monthly_weather(),
)
