"""Sweep and pipeline on one machine. The command is held by the contract of platforms."""

import json
from pathlib import Path

import dagster as dg
import pytest

from resources.ml.local.methods import train_by_method
from resources.ml.training_method import CommandMethod, PipelineMethod, Sampling, SweepMethod, TrainingMethod, choice
from tests.endpoint_builders import ml_builders


def train_by(method: TrainingMethod, folder: Path, n_orders: int = 300) -> Path:
    build, results = ml_builders(), []
    snapshot = build.write_snapshot(build.chain(n_orders=n_orders), folder / "snapshot")

    @dg.asset
    def model(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        results.append(train_by_method(context, method, snapshot, folder / "out"))
        return dg.MaterializeResult()

    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize([model], instance=instance)
    return results[0]


def test_a_sweep_leaves_the_trial_with_the_lowest_validation_loss(tmp_path: Path) -> None:
    space = {"penalty": choice(1e-6, 0.05), "half_life": choice(0.0)}
    best = train_by(SweepMethod(space, Sampling.GRID), tmp_path)
    assert json.loads((best / "parameters.json").read_text())["penalty"] == 0.05
    assert (best / "model" / "MLmodel").is_file()
    assert [folder.name for folder in (tmp_path / "out").iterdir()] == [best.name]


def test_a_sweep_over_too_few_orders_says_so(tmp_path: Path) -> None:
    with pytest.raises(dg.Failure, match="too few orders"):
        train_by(SweepMethod({"penalty": choice(0.1)}, Sampling.GRID), tmp_path, n_orders=20)


def test_the_pipelines_steps_run_in_order(tmp_path: Path) -> None:
    trained = train_by(PipelineMethod(), tmp_path)
    evaluated = json.loads((tmp_path / "out" / "evaluated" / "evaluation.json").read_text())
    metrics = json.loads((trained / "metrics.json").read_text())
    assert evaluated["model"]["log_loss"] == pytest.approx(metrics["log_loss"])


@pytest.mark.parametrize("method", [CommandMethod(), SweepMethod({"penalty": choice(0.1)}, Sampling.GRID)])
def test_a_training_that_the_system_killed_says_out_of_memory_at_which_size(
    method: TrainingMethod, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resources.ml.local.methods.TRAIN", "tests.unit.training.killed_by_the_system")
    with pytest.raises(dg.Failure, match=r"out of memory at 20 orders x 5 products: .* more memory, and run it again"):
        train_by(method, tmp_path, n_orders=20)
