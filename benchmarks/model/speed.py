"""The speed of the model: one prediction, a batch of all customers, a training on a million orders. References are promises, or
the bare arithmetic.

Times are CPU seconds of this process, so that a busy machine does not matter; one thread.
"""

import statistics
import timeit
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.model.chains import Case, case
from benchmarks.rows import Row, cpu_seconds, peak_memory
from globolatte_ml.model.encoding import Encoded, EncodedStates, encode_orders, encode_states
from globolatte_ml.model.model import PreferenceModel
from globolatte_ml.training.training_job import fit_on_the_past

PROMISED_MICROSECONDS, PROMISED_SECONDS, PROMISED_GIGABYTES, PROMISED_BATCH_GIGABYTES = 300.0, 300.0, 4.0, 2.0
BATCH_LIMIT = 1.5
PREDICTIONS, ROUNDS, CUSTOMERS, AT_ONCE = 500, 20, 1_000_000, 2_000
TRAINING_ORDERS, TRAINING_CUSTOMERS = 1_000_000, 100_000
LATEST_ORDER = -1


def prediction_rows(folder: Path, customers: int = CUSTOMERS) -> Iterator[Row]:
    """One prediction and a batch, with a model of the reference size saved in `folder`."""
    chain = case("published", 10_000, 1_000, 7)
    model = fit_on_the_past(chain.snapshot)
    model.save(folder)
    served = PreferenceModel.load(folder)
    states = encode_states(chain.snapshot.states, model.space_)
    yield _one_prediction(chain, served, states)
    yield from _batch(chain, served, states, customers)


def _one_prediction(chain: Case, served: PreferenceModel, states: EncodedStates) -> Row:
    row = np.array([len(chain.snapshot) + LATEST_ORDER])
    context = chain.snapshot.contexts.take(row)

    def predict() -> None:
        served.predict_encoded(encode_orders(states.take(row), context, served.space_))

    fastest = min(statistics.median(timeit.repeat(predict, number=1, repeat=PREDICTIONS)) for _ in range(ROUNDS))
    note = "words and dates to probabilities, in the quietest of some rounds; the reference is the promise"
    return Row("one prediction in-process, p50", 1e6 * fastest, PROMISED_MICROSECONDS, unit="µs", limit=1.0, note=note)


def _batch(chain: Case, served: PreferenceModel, states: EncodedStates, customers: int) -> Iterator[Row]:
    rng = np.random.default_rng(0)
    pieces = [rng.integers(0, len(chain.snapshot), AT_ONCE) for _ in range(customers // AT_ONCE)]

    def encoded(rows: np.ndarray) -> Encoded:
        return encode_orders(states.take(rows), chain.snapshot.contexts.take(rows), served.space_)

    ours = cpu_seconds(lambda: [served.predict_encoded(encoded(rows)) for rows in pieces])
    one = encoded(pieces[0])
    bare = cpu_seconds(lambda: [served.predict_encoded(one) for _ in pieces])
    note = "one encoded piece, again and again"
    yield Row(f"batch of {customers:,} customers x products", ours, bare, limit=BATCH_LIMIT, note=note)
    yield Row("peak memory of the batch", peak_memory() / 1e9, PROMISED_BATCH_GIGABYTES, unit="GB", limit=1.0)


def training_rows(orders: int = TRAINING_ORDERS, customers: int = TRAINING_CUSTOMERS) -> Iterator[Row]:
    """A training on a chain of that size: seconds and memory against the promise."""
    snapshot = case("published", orders, customers, 7).snapshot
    seconds = cpu_seconds(lambda: fit_on_the_past(snapshot))
    yield Row(f"training on {orders:,} orders", seconds, PROMISED_SECONDS, limit=1.0, note="the promise")
    yield Row("peak memory of the training", peak_memory() / 1e9, PROMISED_GIGABYTES, unit="GB", limit=1.0)
