"""Training on one machine by each of the methods, in processes of their own. The computation itself is in `globolatte_ml`.

Each method leaves a folder that holds `model/`, `metrics.json` and `parameters.json`.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from math import exp
from pathlib import Path
from statistics import NormalDist

import dagster as dg
import optuna
import pyarrow.parquet as pq

from resources.ml.training_method import (
    LOG_LOSS,
    AutoMLMethod,
    CommandMethod,
    Distribution,
    DistributionKind,
    PipelineMethod,
    Sampling,
    SweepMethod,
    TrainingMethod,
)
from resources.settings.settings import PROJECT_ROOT

TRAIN, STEPS = "globolatte_ml.train", "globolatte_ml.pipeline_steps"
TABLE, SEARCH = "globolatte_ml.automl_table", "globolatte_ml.automl_search"
OPTIONS = {"penalty": "--penalties", "half_life": "--half-lives"}
"""The dimensions of a search space as `train.py` calls them."""
STOP_SECONDS = 10.0
TAIL = 1e-6
"""The probability that is cut off at either end of a normal distribution."""


def train_by_method(context: dg.AssetExecutionContext, method: TrainingMethod, snapshot: Path, out: Path) -> Path:
    """Trains on a snapshot's folder by a method; the folder with the result."""
    if isinstance(method, SweepMethod):
        return sweep(context, method, snapshot, out)
    if isinstance(method, AutoMLMethod):
        return automl(context, method, snapshot, out)
    if isinstance(method, PipelineMethod):
        return pipeline(context, method, snapshot, out)
    return command(context, method, snapshot, out)


def _environment() -> dict[str, str]:
    """What training processes get: shared cores, so one thread each."""
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def run_module(context: dg.AssetExecutionContext, module: str, *arguments: str | Path) -> None:
    """Runs a module and writes its output into the run's log; ends it if the run is interrupted.

    Raises `dagster.Failure` with the end of its output if it fails.
    """
    command = [sys.executable, "-m", module, *map(str, arguments)]
    process = subprocess.Popen(
        command, cwd=PROJECT_ROOT, env=_environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        words, _ = process.communicate()
    except BaseException:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
        raise
    if process.returncode == -signal.SIGKILL:
        raise dg.Failure(description=killed_in_words(module, arguments), allow_retries=False)
    if process.returncode:
        raise dg.Failure(
            description=f"{module} ended with code {process.returncode}: {words.strip()[-2000:]}", allow_retries=False
        )
    for line in words.splitlines():
        context.log.info(line)


def command(context: dg.AssetExecutionContext, method: CommandMethod, snapshot: Path, out: Path) -> Path:
    """One process under Dagster Pipes. Raises Dagster's error if it fails, `dagster.Failure` if the system killed it."""
    options = ["--snapshot", str(snapshot), "--out", str(out), "--seed", str(method.seed)]
    try:
        dg.PipesSubprocessClient().run(
            command=[sys.executable, "-m", TRAIN, *options], context=context, cwd=str(PROJECT_ROOT), env=_environment()
        )
    except Exception as error:
        if not str(error).endswith(
            f"code {-signal.SIGKILL}"
        ):  # Dagster's error has no public name, and the code in its words only
            raise
        raise dg.Failure(description=killed_in_words(TRAIN, options), allow_retries=False) from error
    return out


def killed_in_words(module: str, arguments: Sequence[str | Path]) -> str:
    """What to say of a process that ended by SIGKILL: nobody but the system does that, when memory runs out."""
    found = [str(one) for one in arguments]
    size = ""
    if "--snapshot" in found:
        snapshot = Path(found[found.index("--snapshot") + 1])
        orders, products = (
            pq.ParquetFile(snapshot / name).metadata.num_rows for name in ("examples.parquet", "products.parquet")
        )
        size = f" at {orders:,} orders x {products:,} products"
    return (
        f"{module}: out of memory{size}: the system killed the process (SIGKILL). End other programs or give the machine (or the "
        "container) more memory, and run it again, or train elsewhere (GLOBOLATTE_ML=azureml); nothing was registered"
    )


def study_of(method: SweepMethod) -> optuna.Study:
    """A seeded study of a sweep: the local counterpart of Azure ML's. One of a grid ends by itself with the last combination."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    sampler: optuna.samplers.BaseSampler
    match method.sampling:
        case Sampling.GRID:
            grid = {name: list(one.values) for name, one in method.space.items()}
            sampler = optuna.samplers.GridSampler(grid, seed=method.seed)
        case Sampling.RANDOM:
            sampler = optuna.samplers.RandomSampler(seed=method.seed)
        case Sampling.SOBOL:
            sampler = optuna.samplers.QMCSampler(
                qmc_type="sobol", scramble=True, seed=method.seed, warn_independent_sampling=False
            )
        case Sampling.BAYESIAN:
            sampler = optuna.samplers.TPESampler(seed=method.seed)
    return optuna.create_study(direction="minimize", sampler=sampler)


def point_of(trial: optuna.Trial, space: Mapping[str, Distribution]) -> dict[str, float]:
    """A trial's point in the search space."""
    return {name: _suggested(trial, name, one) for name, one in space.items()}


def _suggested(trial: optuna.Trial, name: str, one: Distribution) -> float:
    """A value of one dimension. A normal is drawn through its quantile function, which every sampler can serve."""
    if one.kind is DistributionKind.CHOICE:
        return float(trial.suggest_categorical(name, list(one.values)))
    if one.kind in (DistributionKind.UNIFORM, DistributionKind.LOGUNIFORM):
        log = one.kind is DistributionKind.LOGUNIFORM
        return one.rounded(trial.suggest_float(name, one.low, one.high, log=log))
    drawn = NormalDist(one.mean, one.deviation).inv_cdf(trial.suggest_float(name, TAIL, 1 - TAIL))
    return one.rounded(exp(drawn) if one.kind is DistributionKind.LOGNORMAL else drawn)


def sweep(context: dg.AssetExecutionContext, method: SweepMethod, snapshot: Path, out: Path) -> Path:
    """One process per trial, one after the other: only so is a sampler that learns from results reproducible."""
    study = study_of(method)

    def loss(trial: optuna.Trial) -> float:
        values, folder = point_of(trial, method.space), out / f"trial-{trial.number}"
        chosen = [part for name, value in values.items() for part in (OPTIONS[name], repr(value))]
        run_module(context, TRAIN, "--snapshot", snapshot, "--out", folder, "--seed", str(method.seed), *chosen)
        metrics: dict[str, float] = json.loads((folder / "metrics.json").read_text())
        if LOG_LOSS not in metrics:
            raise dg.Failure(
                description=f"a sweep compares {LOG_LOSS}, and this snapshot has too few orders to tell it; use "
                "GLOBOLATTE_TRAINING=command until more are loaded",
                allow_retries=False,
            )
        context.log.info(f"trial {trial.number}: {values} gives {LOG_LOSS} {metrics[LOG_LOSS]:.5f}")
        return metrics[LOG_LOSS]

    def drop_the_losers(study: optuna.Study, _: optuna.trial.FrozenTrial) -> None:
        best = {out / f"trial-{one.number}" for one in study.best_trials}
        for folder in set(out.glob("trial-*")) - best:
            shutil.rmtree(folder)

    study.optimize(loss, n_trials=method.trials, callbacks=[drop_the_losers])
    return out / f"trial-{study.best_trial.number}"


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
