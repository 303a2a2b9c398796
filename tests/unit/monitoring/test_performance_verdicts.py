"""The champion's predictions for a window, with a real model on a real little snapshot."""

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from globolatte_ml.data.orders import time_split
from globolatte_ml.data.snapshot import read_snapshot
from globolatte_ml.monitoring.delivery import Delivery
from globolatte_ml.monitoring.performance import Outcomes, holdout_outcomes, measure_performance
from globolatte_ml.monitoring.verdicts import PerformanceVerdict, Status
from globolatte_ml.monitoring.windows import CHAIN, Window
from globolatte_ml.training.training_job import Training, train_and_evaluate
from tests.unit.ml.ml_builders import chain, write_snapshot


class Champion:
    """A trained model, its snapshot's tables, and its holdout."""

    def __init__(self, folder: Path) -> None:
        write_snapshot(chain(n_orders=1500, n_customers=60), folder)
        self.snapshot = read_snapshot(folder)
        self.training: Training = train_and_evaluate(self.snapshot)
        self.examples = pq.read_table(folder / "examples.parquet")
        self.pairs = pq.read_table(folder / "example_products.parquet")
        holdout = holdout_outcomes(self.training.model, self.snapshot)
        assert holdout is not None
        self.holdout: Outcomes = holdout

    def measured(self, examples: pa.Table, is_broken: bool = False) -> PerformanceVerdict:
        date = dt.date(2022, 6, 1)
        window = Window(CHAIN, date, date, Delivery(CHAIN, date, orders=examples.num_rows))
        return measure_performance(window, examples, self.pairs, self.training.model, self.holdout, is_broken=is_broken)

    def held_out(self) -> pa.Table:
        keys = pa.array(self.snapshot.order_keys[time_split(self.snapshot.ordered_at)].tolist())
        return self.examples.filter(pc.is_in(self.examples["order_key"], value_set=keys))


@pytest.fixture(scope="module")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Champion:
    return Champion(tmp_path_factory.mktemp("snapshot"))


def test_the_holdout_is_measured_as_training_measured_it(champion: Champion) -> None:
    found = champion.measured(champion.held_out())
    assert found.status is Status.OK
    assert found.log_loss == pytest.approx(champion.training.evaluated.answers.loss.mean())
    assert champion.holdout.loss.mean() == pytest.approx(found.log_loss)


def test_customers_who_changed_their_minds_put_the_champion_below_its_band(champion: Champion) -> None:
    examples = champion.held_out()
    others = np.array(champion.snapshot.products)
    bought = np.random.default_rng(0).choice(others, examples.num_rows)
    place = examples.column_names.index("main_product_id")
    changed = examples.set_column(place, "main_product_id", pa.array(bought.tolist()))
    found = champion.measured(changed)
    assert found.status is Status.BELOW_BAND


def test_a_product_never_seen_is_a_failure_and_no_error(champion: Champion) -> None:
    examples = champion.held_out()
    place = examples.column_names.index("main_product_id")
    launched = examples.set_column(place, "main_product_id", pa.array(["P999"] * examples.num_rows))
    found = champion.measured(launched)
    assert found.status is Status.BELOW_BAND
    assert found.hit_rate_at_1 == 0.0


def test_broken_data_are_not_measured(champion: Champion) -> None:
    found = champion.measured(champion.held_out(), is_broken=True)
    assert (found.status, found.log_loss) == (Status.BROKEN, None)


def test_no_order_is_no_verdict(champion: Champion) -> None:
    assert champion.measured(champion.examples.slice(0, 0)).status is Status.BROKEN
