"""What Azure's Responsible AI components read: `python -m globolatte_ml.rai_inputs --snapshot DIR --model DIR --train DIR …`.

Orders as tables of one row each, and the model as the kind of classifier that those components take: of two classes, whether an
order's main product is the one looked at or another. Their causal analysis takes no more than two. Our own responsible AI
(`explain/`) looks at all products.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from globolatte_ml.automl_table import write_mltable
from globolatte_ml.data.columns import InvalidDataError
from globolatte_ml.data.flat_rows import contexts_from_rows, flat_rows, states_from_rows
from globolatte_ml.data.snapshot import SnapshotOrders, read_snapshot
from globolatte_ml.job_entry import exit_code, parser_of, say
from globolatte_ml.model.model import PreferenceModel
from globolatte_ml.scoring.scorer import resolve_model_folder
from globolatte_ml.training.training_job import MODEL_NAME

TARGET = "is_chosen"
FOCUS_FILE = "focus.txt"
MAXIMUM_ROWS = 5_000
"""As many as Azure's dashboard shows."""


class FocusClassifier:
    """The model as Azure's components need it: like a scikit-learn classifier of flat rows, with classes 0 and 1."""

    def __init__(self, model: PreferenceModel, focus: str) -> None:
        self.model, self.focus = model, focus
        self.classes_ = np.array([0, 1])

    def _all(self, rows: pd.DataFrame) -> np.ndarray:
        states = states_from_rows(rows, self.model.space_.vocabulary.products)
        return self.model.predict_proba(states, contexts_from_rows(rows))

    def predict(self, rows: pd.DataFrame, params: dict[str, Any] | None = None) -> np.ndarray:  # noqa: ARG002 - MLflow's signature
        """1 where no other product is more probable, shape (n,)."""
        best = self.model.classes_[self._all(rows).argmax(axis=1)]
        return (best == self.focus).astype(np.int64)

    def predict_proba(self, rows: pd.DataFrame) -> np.ndarray:
        """Probabilities of another product and of this one, shape (n, 2)."""
        share = self._all(rows)[:, list(self.model.classes_).index(self.focus)]
        return np.column_stack([1.0 - share, share])


def _load_pyfunc(data_path: str) -> FocusClassifier:
    """MLflow's entry point."""
    folder = Path(data_path)
    return FocusClassifier(PreferenceModel.load(folder), (folder / FOCUS_FILE).read_text(encoding="utf-8"))


def best_seller(snapshot: SnapshotOrders) -> str:
    """The product chosen most often in the training span."""
    return str(snapshot.products[np.bincount(snapshot.chosen[~snapshot.holdout]).argmax()])


def write(snapshot: SnapshotOrders, model_folder: Path, focus: str, train: Path, test: Path, model_out: Path) -> None:
    """Writes two MLTable folders (the latest training orders, the holdout) and an MLflow model folder.

    Raises InvalidDataError for a focus that the model does not know, and for a snapshot without a holdout.
    """
    source = resolve_model_folder(model_folder)
    model = PreferenceModel.load(source)
    if focus not in model.classes_:
        raise InvalidDataError(f"product {focus!r} is not in the catalogue: {', '.join(map(str, model.classes_))}")
    if not snapshot.holdout.any():
        raise InvalidDataError("the snapshot has no holdout to look at; load more days of sales")
    for mask, folder in ((~snapshot.holdout, train), (snapshot.holdout, test)):
        part = snapshot.take(np.flatnonzero(mask)[-MAXIMUM_ROWS:])
        rows = flat_rows(part.states.for_products(model.space_.vocabulary.products), part.contexts)
        rows = rows.assign(**{TARGET: (part.y == focus).astype(np.int64)})
        write_mltable(pa.Table.from_pandas(rows, preserve_index=False), folder)
    _write_model(source, focus, model_out)


def _write_model(source: Path, focus: str, folder: Path) -> None:
    import mlflow.pyfunc

    with tempfile.TemporaryDirectory() as scratch:
        data = Path(shutil.copytree(source, Path(scratch) / MODEL_NAME))
        (data / FOCUS_FILE).write_text(focus, encoding="utf-8")
        made = Path(scratch) / "model"
        mlflow.pyfunc.save_model(
            path=str(made),
            loader_module="globolatte_ml.rai_inputs",
            data_path=str(data),
            code_paths=[str(Path(__file__).parent)],
        )
        shutil.copytree(made, folder, dirs_exist_ok=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write; 0 when done, 2 when the input cannot be used (the message says what to do)."""
    parser = parser_of(
        "rai_inputs",
        "For Azure's components.",
        snapshot="folder of the exported snapshot",
        model="folder of the trained model",
        train="folder for the table of training orders",
        test="folder for the table of holdout orders",
        model_out="folder for the model as those components take it",
    )
    parser.add_argument("--focus", required=True, help="the product looked at")
    options = parser.parse_args(arguments)

    def work() -> None:
        snapshot = read_snapshot(options.snapshot)
        write(snapshot, options.model, options.focus, options.train, options.test, options.model_out)
        say(f"product {options.focus}: {options.train}, {options.test}, {options.model_out}")

    return exit_code(work)


if __name__ == "__main__":
    sys.exit(main())
