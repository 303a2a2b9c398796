"""Chains of any number of products. Not here: the behaviour of their customers."""

import numpy as np
import pytest

from simulator.catalogue import chain_parameters
from simulator.parameters import ChainParameters
from simulator.published import PUBLISHED


def test_six_products_are_the_published_chain() -> None:
    assert chain_parameters(6, seed=99).as_json() == PUBLISHED.as_json()


@pytest.mark.parametrize("count", [1, 2, 5])
def test_fewer_products_are_the_first_published_ones(count: int) -> None:
    chain = chain_parameters(count, seed=7)
    assert chain.products == PUBLISHED.products[:count]
    np.testing.assert_array_equal(chain.season_effect, PUBLISHED.season_effect[:, :count])
    np.testing.assert_array_equal(chain.add_on_affinity, PUBLISHED.add_on_affinity[:count, :count])


def test_a_further_product_is_the_same_in_a_larger_chain() -> None:
    nine, forty = chain_parameters(9, seed=7), chain_parameters(40, seed=7)
    assert forty.products[:9] == nine.products
    for name in ("base", "unit_effect", "segment_taste"):
        np.testing.assert_array_equal(getattr(forty, name)[..., :9], getattr(nine, name))
    np.testing.assert_array_equal(forty.add_on_affinity[:9, :9], nine.add_on_affinity)


def test_another_seed_makes_other_further_products() -> None:
    assert not np.array_equal(chain_parameters(9, seed=7).base[6:], chain_parameters(9, seed=8).base[6:])
    np.testing.assert_array_equal(chain_parameters(9, seed=7).base[:6], chain_parameters(9, seed=8).base[:6])


def test_names_are_unique_and_become_generic_when_they_run_out() -> None:
    names = [product.name for product in chain_parameters(60, seed=7).products]
    assert len(set(names)) == 60
    assert names[:7] == [*(product.name for product in PUBLISHED.products), "Americano"]
    assert names[-1] == "Seasonal Special 60"


def test_parameters_survive_json_exactly() -> None:
    chain = chain_parameters(9, seed=7)
    assert ChainParameters.from_json(chain.as_json()).as_json() == chain.as_json()


def test_unknown_parameters_are_refused() -> None:
    document = PUBLISHED.as_json() | {"mood": 1.0}
    with pytest.raises(ValueError, match=r"unknown \['mood'\]"):
        ChainParameters.from_json(document)
