"""AutoML on this machine: `python -m globolatte_ml.automl_search --training DIR --validation DIR --out DIR [--trials N] …`.

A search by Optuna: so many trials, shared evenly among the learners of `training/automl.py`, seeded. A number of trials bounds it,
never the time: the same table gives the same model. Writes `model.onnx` and `trials.json`. The table is `automl_table.py`'s.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from pyarrow import parquet

from globolatte_ml.automl_table import TABLE_FILE, TARGET
from globolatte_ml.data.columns import InvalidDataError
from globolatte_ml.job_entry import exit_code, on_one_thread, parser_of, say, write_json
from globolatte_ml.model.tabular import FOUND_GRAPH
from globolatte_ml.training.automl import LEARNERS, METRICS, Metric, as_onnx

TRIALS_FILE = "trials.json"
Builder = Callable[[], Any]
"""Makes an unfitted classifier."""
NEEDED = ("lightgbm", "skl2onnx", "onnxmltools")
LOCAL_ALGORITHMS = tuple(LEARNERS)
TRIALS_AT_RANDOM = 3
"""Before the search begins to learn from them: a learner has few in all."""


@dataclass(frozen=True)
class Trial:
    """One setting of one learner, and how it did."""

    algorithm: str
    settings: dict[str, float]
    score: float


@dataclass(frozen=True)
class Table:
    """Features (n, d) and classes (n,) as columns of the answer, for training and for validation."""

    inputs: np.ndarray
    chosen: np.ndarray
    later_inputs: np.ndarray
    later_chosen: np.ndarray


def check_installed() -> None:
    """Raises InvalidDataError that names what is missing and how to get it."""
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise InvalidDataError(
            f"AutoML on this machine needs {', '.join(missing)}: install the extra "
            "(in the project's folder: uv pip install -e '.[automl]'), or choose another way with GLOBOLATTE_TRAINING"
        )


def read_tables(training: Path, validation: Path) -> Table:
    """Reads both folders. Later orders of products that the training orders lack cannot evaluate a classifier, and are left out."""
    found = []
    for folder in (training, validation):
        if not (folder / TABLE_FILE).is_file():
            raise InvalidDataError(f"{folder / TABLE_FILE}: is missing; write the tables again")
        table = parquet.read_table(folder / TABLE_FILE)
        names = [name for name in table.column_names if name != TARGET]
        columns = np.column_stack([table[name].to_numpy() for name in names]).astype(np.float32)
        found.append((columns, table[TARGET].to_numpy()))
    (inputs, chosen), (later_inputs, later_chosen) = found
    classes = np.unique(chosen)
    known = np.isin(later_chosen, classes)
    after = np.searchsorted(classes, later_chosen[known])
    return Table(inputs, np.searchsorted(classes, chosen), later_inputs[known], after)


def search(
    table: Table,
    algorithms: Sequence[str],
    metric: str,
    trials: int,
    seed: int,
    folds: int | None,
    say: Callable[[str], object],
) -> tuple[Any, list[Trial], int]:
    """The best model, fitted on the training orders; all trials; which of them it is. `folds`: of a cross-validation of the training
    orders, none to compare on the validation orders."""
    done: list[Trial] = []
    score = partial(_score, table, METRICS[metric], folds)
    for place, algorithm in enumerate(algorithms):
        share = trials // len(algorithms) + (place < trials % len(algorithms))
        if share:
            done += _tuned(algorithm, share, seed, score, say)
    best = max(range(len(done)), key=lambda number: (done[number].score, -number))
    model = LEARNERS[done[best].algorithm].build(done[best].settings, seed)
    return model.fit(table.inputs, table.chosen), done, best


def _tuned(
    algorithm: str, trials: int, seed: int, score: Callable[[Builder], float], say: Callable[[str], object]
) -> list[Trial]:
    """The trials of one learner; the first is the middle of every range."""
    learner, done = LEARNERS[algorithm], []

    def tried(trial: optuna.Trial) -> float:
        settings = {name: _suggested(trial, name, *bounds) for name, bounds in learner.bounds.items()}
        found = score(partial(learner.build, settings, seed))
        done.append(Trial(algorithm, settings, found))
        say(f"{algorithm} {trial.number}: {found:.5f} with {settings}")
        return found

    sampler = optuna.samplers.TPESampler(n_startup_trials=TRIALS_AT_RANDOM, seed=seed)
    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.enqueue_trial({name: _middle(*bounds) for name, bounds in learner.bounds.items()})
    study.optimize(tried, n_trials=trials)
    return done


def _suggested(trial: optuna.Trial, name: str, low: float, high: float) -> float:
    if isinstance(low, int) and isinstance(high, int):
        return trial.suggest_int(name, low, high, log=True)
    return trial.suggest_float(name, low, high, log=True)


def _middle(low: float, high: float) -> float:
    middle = math.sqrt(low * high)
    return round(middle) if isinstance(low, int) and isinstance(high, int) else middle


def _score(table: Table, metric: Metric, folds: int | None, build: Builder) -> float:
    if folds is None:
        model = build().fit(table.inputs, table.chosen)
        return metric(table.later_chosen, _shares(model, table.later_inputs, table.chosen))
    from sklearn.model_selection import StratifiedKFold

    splits = StratifiedKFold(folds, shuffle=True, random_state=0).split(table.inputs, table.chosen)
    scores = []
    for rows, left_out in splits:
        model = build().fit(table.inputs[rows], table.chosen[rows])
        scores.append(metric(table.chosen[left_out], _shares(model, table.inputs[left_out], table.chosen)))
    return float(np.mean(scores))


def _shares(model: Any, inputs: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """Probabilities with a column for each class, those too that a fold's training orders lack."""
    shares = np.zeros((len(inputs), int(chosen.max()) + 1))
    shares[:, model.classes_] = model.predict_proba(inputs)
    return shares


def main(arguments: Sequence[str] | None = None) -> int:
    """Search and write; 0 when done, 2 when the input cannot be used or a package is missing (the message says what to do)."""
    options = _parser().parse_args(arguments)
    on_one_thread()
    optuna.logging.set_verbosity(optuna.logging.WARNING)

    return exit_code(lambda: _search_and_write(options))


def _search_and_write(options: argparse.Namespace) -> None:
    check_installed()
    table = read_tables(options.training, options.validation)
    allowed = [name for name in LOCAL_ALGORITHMS if name not in options.block]
    if not allowed:
        raise InvalidDataError(f"every algorithm is blocked; leave one of {', '.join(LOCAL_ALGORITHMS)}")
    model, trials, best = search(table, allowed, options.metric, options.trials, options.seed, options.folds, say)
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / FOUND_GRAPH).write_bytes(as_onnx(model, table.inputs.shape[1]))
    summary = {"metric": options.metric, "best": best, "algorithm": trials[best].algorithm}
    write_json(options.out / TRIALS_FILE, {**summary, "trials": [asdict(trial) for trial in trials]})
    say(f"best of {len(trials)} trials: {trials[best].algorithm}, {options.metric} {trials[best].score:.5f}")


def _parser() -> argparse.ArgumentParser:
    parser = parser_of(
        "automl_search",
        "Search for a tabular classifier.",
        training="folder of the table to learn from",
        validation="folder of the table to compare on",
        out="folder of the result",
    )
    parser.add_argument("--metric", choices=sorted(METRICS), default="auc_weighted", help="what is made large")
    parser.add_argument("--trials", type=int, default=20, help="how many settings are tried in all")
    parser.add_argument(
        "--folds", type=int, help="cross-validate the training orders instead of using the validation table"
    )
    parser.add_argument("--block", nargs="*", default=[], help="algorithms that are not tried")
    parser.add_argument("--seed", type=int, default=0, help="seed of search and learners")
    return parser


if __name__ == "__main__":
    sys.exit(main())
