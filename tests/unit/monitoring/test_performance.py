"""Performance verdicts: the band that a holdout gives, and what falls out of it."""

import numpy as np
import pytest

from globolatte_ml.monitoring.performance import Outcomes, performance_band
from globolatte_ml.monitoring.windows import CHAIN


def outcomes(n: int = 2000, customers: int = 200, seed: int = 0) -> Outcomes:
    rng = np.random.default_rng(seed)
    customer = rng.integers(0, customers, n)
    of_customer = rng.normal(1.0, 0.3, customers)
    unit = np.where(np.arange(n) < 100, "BU_MX", "BU_US")
    return Outcomes(of_customer[customer] + rng.normal(0, 0.3, n), rng.random(n) < 0.5, customer.astype(str), unit)


def test_the_band_lies_around_the_holdout() -> None:
    holdout = outcomes()
    band = performance_band(holdout, CHAIN, 300)
    assert holdout.loss.mean() < band.highest_log_loss < holdout.loss.mean() + 0.5
    assert holdout.hit.mean() - 0.25 < band.lowest_hit_rate < holdout.hit.mean()


def test_large_windows_have_a_narrow_band() -> None:
    holdout = outcomes()
    assert (
        performance_band(holdout, CHAIN, 5000).highest_log_loss < performance_band(holdout, CHAIN, 300).highest_log_loss
    )


def test_a_unit_with_few_holdout_orders_takes_the_chains_band() -> None:
    holdout = outcomes()
    assert performance_band(holdout, "BU_MX", 300) == performance_band(holdout, CHAIN, 300)
    assert performance_band(holdout, "BU_US", 300) != performance_band(holdout, CHAIN, 300)


@pytest.mark.parametrize("seed", range(5))
def test_windows_like_the_holdout_stay_within_the_band(seed: int) -> None:
    band = performance_band(outcomes(), CHAIN, 300)
    rng = np.random.default_rng(seed)
    for _ in range(50):
        drawn = outcomes().loss[rng.integers(0, 2000, 300)]
        assert drawn.mean() < band.highest_log_loss
