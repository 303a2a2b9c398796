from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from globolatte_ml.data.snapshot import REFUNDS_FILE, read_snapshot
from globolatte_ml.model.model import PreferenceModel
from globolatte_ml.training.proofs import (
    Proofs,
    microseconds_of_one,
    same_hash_with_a_shuffled_future,
    states_that_know_the_future,
    stored_proofs,
    write_proofs,
)
from globolatte_ml.training.training_job import fit_on_the_past

QUICK = partial(fit_on_the_past, candidates={"penalties": (0.01,)})


@pytest.fixture(scope="module")
def quick(snapshot):
    return QUICK(snapshot)


def test_training_does_not_see_the_future_and_repeats_itself(quick, snapshot):
    assert same_hash_with_a_shuffled_future(quick, snapshot, QUICK, 0) == ((~snapshot.holdout).sum(), True)


def test_a_fit_that_peeks_is_found_out(snapshot):
    def peeking(seen):
        return PreferenceModel((0.01,)).fit(seen.states, seen.contexts, seen.y, seen.products)

    assert same_hash_with_a_shuffled_future(peeking(snapshot), snapshot, peeking, 0)[1] is False


def test_a_large_snapshot_is_proven_on_its_latest_orders(quick, snapshot, monkeypatch):
    monkeypatch.setattr("globolatte_ml.training.proofs.REFIT_ORDERS", 300)
    orders, same = same_hash_with_a_shuffled_future(quick, snapshot, QUICK, 0)
    assert same
    assert 0 < orders < (~snapshot.holdout).sum()


def test_states_of_earlier_dates_pass_the_replay(snapshot):
    looked_at, differ = states_that_know_the_future(snapshot)
    assert looked_at > 50
    assert differ == 0


@pytest.fixture
def refunds(snapshot):
    """Of the orders before the holdout every fifth one: refunded as a whole, or its main product in place of which another one counts."""
    earlier = np.flatnonzero(~snapshot.holdout)[::5]
    left = np.where(np.arange(len(earlier)) % 2, None, np.roll(snapshot.y[earlier], 1))
    return {
        "order_key": snapshot.order_keys[earlier].tolist(),
        "refunded_on": [day.item() for day in snapshot.contexts.date[earlier] + np.timedelta64(3, "D")],
        "main_product_id": left.tolist(),
    }


def test_what_was_refunded_is_no_example_and_counts_until_then(snapshot_folder, snapshot, refunds, tmp_path):
    shutil.copytree(snapshot_folder, tmp_path, dirs_exist_ok=True)
    pq.write_table(pa.table(refunds), tmp_path / REFUNDS_FILE)
    seen = read_snapshot(tmp_path)
    assert set(seen.order_keys) == set(snapshot.order_keys) - set(refunds["order_key"])
    assert set(seen.taken_back.order_keys) == set(refunds["order_key"])
    looked_at, differ = states_that_know_the_future(seen)
    assert differ > looked_at / 2, "the states of this snapshot know nothing of refunds"
    past = seen.past
    assert len(past) == len(snapshot)
    for key, day, left in zip(*refunds.values(), strict=True):
        at = int(np.flatnonzero(past.order_keys == key)[0])
        sold = snapshot.chosen[np.flatnonzero(snapshot.order_keys == key)[0]]
        assert past.chosen_before(np.datetime64(day))[at] == sold
        known = past.chosen_before(np.datetime64(day) + 1)[at]
        assert known == (-1 if left is None else seen.products.index(left))


@pytest.mark.parametrize("name", ["main_orders", "order_count", "daypart_orders"])
def test_a_state_that_counts_the_order_itself_is_found_out(snapshot, name):
    states = snapshot.states
    if name == "main_orders":
        itself = np.eye(len(states.products))[snapshot.chosen]
        leaking = states.with_tables(main_orders=states.main_orders + itself)
    else:
        leaking = replace(states, **{name: getattr(states, name) + 1})
    looked_at, differ = states_that_know_the_future(replace(snapshot, states=leaking))
    assert differ == looked_at


def test_a_prediction_takes_time(quick, snapshot):
    assert 1.0 < microseconds_of_one(quick, snapshot) < 1e6


def test_proofs_are_stored_beside_the_model(tmp_path):
    proofs = Proofs(10, True, 5, 0, 123.4, 1000)
    assert stored_proofs(tmp_path) is None
    write_proofs(proofs, tmp_path)
    assert stored_proofs(tmp_path) == proofs
