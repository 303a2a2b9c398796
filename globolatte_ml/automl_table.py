"""The table that an AutoML search learns from: `python -m globolatte_ml.automl_table --snapshot DIR --out DIR`.

Our features of each order, and which product was chosen.

It writes one MLTable folder for training and one for validation, both from the training span only. What features need is learned from
the earlier orders only, so that no information of the holdout or the validation orders gets into the search.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from globolatte_ml.data.columns import InvalidDataError
from globolatte_ml.data.orders import Orders, canonical_order, thinned
from globolatte_ml.data.snapshot import SnapshotOrders, read_snapshot
from globolatte_ml.job_entry import exit_code, parser_of, say
from globolatte_ml.model.feature_space import FeatureSpace
from globolatte_ml.model.features import feature_names, features
from globolatte_ml.model.fitting import TOO_FEW_ORDERS, validation_orders
from globolatte_ml.model.priors import learn_feature_space

TARGET = "chosen_product"
"""Position of the main product in the sorted catalogue: whole numbers have one order, whatever ids look like."""
TRAINING, VALIDATION, TABLE_FILE = "training", "validation", "orders.parquet"
MLTABLE = f"""type: mltable
paths:
  - file: ./{TABLE_FILE}
transformations:
  - read_parquet
"""
MAXIMUM_ORDERS = 250_000


def column_names(space: FeatureSpace) -> list[str]:
    """Names of the feature columns in letters, digits and underscores, each with its number: what every reader of tables takes."""
    return [f"f{place:03d}_{re.sub(r'[^0-9A-Za-z]+', '_', name)}" for place, name in enumerate(feature_names(space))]


def table_space(snapshot: SnapshotOrders) -> FeatureSpace:
    """What the table's features need, learned from its training orders."""
    return _space(_orders(snapshot)[0], snapshot)


def write_tables(snapshot: SnapshotOrders, folder: Path) -> tuple[Path, Path]:
    """Writes `training` and `validation` below a folder; the two. Raises InvalidDataError for too few orders."""
    earlier, later = _orders(snapshot)
    space = _space(earlier, snapshot)
    some = earlier.take(thinned(earlier.chosen, MAXIMUM_ORDERS))
    return _write(some, space, folder / TRAINING), _write(later, space, folder / VALIDATION)


def _orders(snapshot: SnapshotOrders) -> tuple[Orders, Orders]:
    """Earlier and later orders of the training span, in the sequence that a fit takes them in."""
    past = snapshot.take(~snapshot.holdout)
    rows = canonical_order(past.states, past.contexts, past.chosen)
    orders = Orders(past.states, past.contexts, past.chosen).take(rows)
    later, _ = validation_orders(orders.contexts, orders.chosen, snapshot.fresh_from)
    if later is None:
        raise InvalidDataError(TOO_FEW_ORDERS)
    return orders.take(~later), orders.take(later)


def _space(orders: Orders, snapshot: SnapshotOrders) -> FeatureSpace:
    return learn_feature_space(orders.states, orders.contexts, orders.chosen, snapshot.products)


def _write(orders: Orders, space: FeatureSpace, folder: Path) -> Path:
    inputs = features(orders.states, orders.contexts, space)
    columns = {name: inputs[:, place] for place, name in enumerate(column_names(space))}
    return write_mltable(pa.table({**columns, TARGET: orders.chosen.astype(np.int64)}), folder)


def write_mltable(table: pa.Table, folder: Path) -> Path:
    """Writes a table as an MLTable folder; the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    parquet.write_table(table, folder / TABLE_FILE)
    (folder / "MLTable").write_text(MLTABLE, encoding="utf-8")
    return folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the tables; 0 when done, 2 when the snapshot cannot be used (the message says what to do)."""
    folders = {"snapshot": "folder of the exported snapshot", "out": "folder for the tables"}
    options = parser_of("automl_table", "Tables for AutoML.", **folders).parse_args(arguments)
    return exit_code(lambda: say("tables: {}, {}".format(*write_tables(read_snapshot(options.snapshot), options.out))))


if __name__ == "__main__":
    sys.exit(main())
