"""The methods, each leaving a folder that holds `model/`, `metrics.json` and `parameters.json`."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import dagster as dg

from resources.ml.local.processes import run_module, under_pipes
from resources.ml.local.search import Study
from resources.ml.training_method import (
    LOG_LOSS,
    AutoMLMethod,
    CommandMethod,
    PipelineMethod,
    SweepMethod,
    TrainingMethod,
)

TRAIN, STEPS = "globolatte_ml.train", "globolatte_ml.pipeline_steps"
TABLE, SEARCH = "globolatte_ml.automl_table", "globolatte_ml.automl_search"


def train_by_method(context: dg.AssetExecutionContext, method: TrainingMethod, snapshot: Path, out: Path) -> Path:
    """Trains on a snapshot's folder by a method; the folder with the result."""
    if isinstance(method, SweepMethod):
        return sweep(context, method, snapshot, out)
    if isinstance(method, AutoMLMethod):
        return automl(context, method, snapshot, out)
    if isinstance(method, PipelineMethod):
        return pipeline(context, method, snapshot, out)
    return command(context, method, snapshot, out)


def command(context: dg.AssetExecutionContext, method: CommandMethod, snapshot: Path, out: Path) -> Path:
    """One process under Dagster Pipes."""
    under_pipes(context, TRAIN, "--snapshot", snapshot, "--out", out, "--seed", str(method.seed))
    return out


def trial_arguments(values: Mapping[str, float]) -> list[str]:
    """A point of the search space as arguments of `train.py`."""
    options = {"penalty": "--penalties", "half_life": "--half-lives"}
    return [part for name, value in values.items() for part in (options[name], repr(float(value)))]


def sweep(context: dg.AssetExecutionContext, method: SweepMethod, snapshot: Path, out: Path) -> Path:
    """One process a trial, one after the other: a sampler that learns from results stays reproducible only so."""
    study = Study(method)
    best: tuple[float, Path] | None = None
    for number in range(study.trials):
        values = study.ask()
        folder = out / f"trial-{number}"
        run_module(
            context,
            TRAIN,
            *("--snapshot", snapshot, "--out", folder, "--seed", str(method.seed)),
            *trial_arguments(values),
        )
        metrics = json.loads((folder / "metrics.json").read_text())
        if LOG_LOSS not in metrics:
            raise dg.Failure(
                description=f"a sweep compares {LOG_LOSS}, and this snapshot has too few orders to tell it; use "
                "GLOBOLATTE_TRAINING=command until more are loaded",
                allow_retries=False,
            )
        study.tell(metrics[LOG_LOSS])
        context.log.info(f"trial {number}: {values} gives {LOG_LOSS} {metrics[LOG_LOSS]:.5f}")
        if best is None or metrics[LOG_LOSS] < best[0]:
            if best is not None:
                shutil.rmtree(best[1])
            best = metrics[LOG_LOSS], folder
        else:
            shutil.rmtree(folder)
    if best is None:
        raise dg.Failure(description="the sweep had no trial; set trials to at least 1", allow_retries=False)
    return best[1]


def automl(context: dg.AssetExecutionContext, method: AutoMLMethod, snapshot: Path, out: Path) -> Path:
    """The same three steps as on Azure ML: the table, the search, the model around what it found."""
    tables, found, trained = (out / name for name in ("tables", "found", "trained"))
    run_module(context, TABLE, "--snapshot", snapshot, "--out", tables)
    run_module(
        context,
        SEARCH,
        *("--training", tables / "training", "--validation", tables / "validation", "--out", found),
        *("--metric", method.metric, "--trials", str(method.trials), "--seed", str(method.seed)),
        *(() if method.folds is None else ("--folds", str(method.folds))),
        *("--block", *method.blocked),
    )
    algorithm = json.loads((found / "trials.json").read_text(encoding="utf-8"))["algorithm"]
    arguments = ("--tabular", found, "--algorithm", algorithm, "--seed", str(method.seed))
    run_module(context, TRAIN, "--snapshot", snapshot, "--out", trained, *arguments)
    shutil.rmtree(tables)  # customers' orders again
    return trained


def pipeline(context: dg.AssetExecutionContext, method: PipelineMethod, snapshot: Path, out: Path) -> Path:
    """The pipeline's steps in order; each has its own folder, as each has its own output on Azure ML."""
    prepared, trained, evaluated = (out / name for name in ("prepared", "trained", "evaluated"))
    run_module(context, STEPS, "prepare", "--snapshot", snapshot, "--out", prepared)
    run_module(context, TRAIN, "--snapshot", prepared, "--out", trained, "--seed", str(method.seed))
    run_module(context, STEPS, "evaluate", "--snapshot", prepared, "--model", trained / "model", "--out", evaluated)
    if method.responsible_ai:
        context.log.info(
            "Azure's Responsible AI components run on Azure ML alone; here the asset models/responsible_ai has the analysis"
        )
    shutil.rmtree(prepared)  # the snapshot again
    return trained
