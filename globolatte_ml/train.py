"""The training job: `python -m globolatte_ml.train --snapshot DIR --out DIR [--seed N] [--penalties X,…] [--half-lives X,…]`.

The command line, and reporting to Dagster through Pipes when it started us. Nothing heavy is imported before the thread limit is set.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from globolatte_ml.job_entry import exit_code, on_one_thread, parser_of, say

if TYPE_CHECKING:
    from globolatte_ml.training.training_job import Training

PIPES_VARIABLE = "DAGSTER_PIPES_CONTEXT"


def main(arguments: Sequence[str] | None = None) -> int:
    """Train and write; 0 when done, 2 when the input cannot be used (the message says what to do)."""
    options = _parser().parse_args(arguments)
    on_one_thread()
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")  # a training job reports only to its caller
    return exit_code(lambda: _run_under_dagster(options) if PIPES_VARIABLE in os.environ else _run(options, say))


def _run(options: argparse.Namespace, say: Callable[[str], object]) -> Training:
    """Trains as the command line says: `penalties` and `half_lives` take the place of the model's own candidates."""
    candidates: dict[str, Any] = {}
    if options.penalties:
        candidates["penalties"] = options.penalties
    if options.half_lives:
        candidates["half_lives"] = [days or None for days in options.half_lives]
    found = None if options.tabular is None else (options.tabular, options.algorithm)
    return run(options.snapshot, options.out, options.seed, say, candidates, found)


def run(
    snapshot_folder: Path,
    out: Path,
    seed: int,
    say: Callable[[str], object],
    candidates: Mapping[str, Any] | None = None,
    found: tuple[Path, str] | None = None,
) -> Training:
    """Reads, trains, evaluates, writes; calls `say` with a sentence after each step.

    `candidates`: arguments of `PreferenceModel`. `found`: folder and algorithm of a classifier that AutoML found.
    """
    from globolatte_ml.data.snapshot import read_snapshot
    from globolatte_ml.training.training_job import train_and_evaluate, write

    snapshot = read_snapshot(snapshot_folder)
    say(f"{len(snapshot)} orders, {len(snapshot.products)} products read from {snapshot_folder}")
    if found is not None:
        from globolatte_ml.automl_table import table_space
        from globolatte_ml.model.features import feature_names
        from globolatte_ml.model.tabular import read_found

        columns = len(feature_names(table_space(snapshot)))
        candidates = {**(candidates or {}), "tabular": read_found(found[0], columns, found[1])}
    training = train_and_evaluate(snapshot, seed, candidates)
    model, evaluated = training.model, training.evaluation
    how = f"with the {model.tabular.algorithm} that AutoML found" if model.tabular else f"penalty {model.penalty_}"
    say(f"fitted on {model.n_orders_} orders up to {model.space_.last_date}, {how}")
    if evaluated.model is None:
        say("no holdout is possible: all orders have the same time; the model is not evaluated")
    else:
        say(
            f"log loss {evaluated.model.log_loss:.4f} on {evaluated.holdout_orders} holdout orders "
            f"({evaluated.holdout_from} to {evaluated.holdout_to})"
        )
    write(training, snapshot, out)
    say(f"model {model.content_hash()[:12]} written to {out}")
    return training


def _run_under_dagster(options: argparse.Namespace) -> None:
    from dagster_pipes import open_dagster_pipes

    with open_dagster_pipes() as pipes:
        training = _run(options, pipes.log.info)
        if pipes.is_asset_step:
            parameters = training.parameters()
            metadata: dict[str, Any] = {**training.metrics(), **parameters, "penalties": str(parameters["penalties"])}
            pipes.report_asset_materialization(metadata=metadata, data_version=training.model.content_hash())


def _numbers(text: str) -> list[float]:
    return [float(part) for part in text.split(",")]


def _parser() -> argparse.ArgumentParser:
    folders = {"snapshot": "folder of the exported snapshot", "out": "folder for the model and its evaluation"}
    parser = parser_of("train", "Train the preference model.", **folders)
    parser.add_argument("--seed", type=int, default=0, help="seed of the solver and the bootstrap (default 0)")
    parser.add_argument("--penalties", type=_numbers, help="inverse regularisation strengths to try, comma-separated")
    parser.add_argument(
        "--half-lives",
        type=_numbers,
        help="half-lives in days of an order's weight to try, comma-separated; 0: equal weights",
    )
    parser.add_argument("--tabular", type=Path, help="folder with the model.onnx that an AutoML search found")
    parser.add_argument("--algorithm", default="unknown", help="what that search says its model is")
    return parser


if __name__ == "__main__":
    sys.exit(main())
