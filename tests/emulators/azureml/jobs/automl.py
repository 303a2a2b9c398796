"""AutoML jobs for classification: one process searches, and each of its trials becomes a run with its score."""

import json
import shutil
from pathlib import Path
from typing import Any

import isodate

from tests.emulators.azureml.jobs import command
from tests.emulators.azureml.jobs.command import Work
from tests.emulators.azureml.jobs.runs import JobFailed, Run, child_job
from tests.emulators.azureml.locations import place_of
from tests.emulators.azureml.store import now

PROGRAM = Path(__file__).with_name("automl_search.py")
BEST_MODEL, ONNX_MODEL = "best_model", "model.onnx"


def execute(run: Run) -> None:
    """An AutoML job."""
    task = run.properties["taskDetails"]
    if task["taskType"] != "Classification":
        raise JobFailed(f"the stand-in searches classifiers only, not {task['taskType']}")
    shutil.copy(PROGRAM, run.folder / PROGRAM.name)
    (run.folder / "task.json").write_text(json.dumps(task))
    found = run.folder / "found"
    found.mkdir()
    limits = task.get("limitSettings") or {}
    text = f"python {run.folder / PROGRAM.name} --task {run.folder / 'task.json'} --output {found} --table ${{{{inputs.table}}}}"
    tables = {"table": {**task["trainingData"], "mode": "Download"}}
    if task.get("validationData"):
        tables["validation"] = {**task["validationData"], "mode": "Download"}
        text += " --validation ${{inputs.validation}}"
    seconds = isodate.parse_duration(limits["timeout"]).total_seconds() if limits.get("timeout") else None
    command.perform(run, Work(text, None, tables, {}, run.properties.get("environmentVariables") or {}, seconds))
    _record(run, task.get("primaryMetric") or "AUCWeighted", json.loads((found / "trials.json").read_text()))


def _record(run: Run, metric: str, result: dict[str, Any]) -> None:
    """Trials as runs; the best one's model among its artifacts, and where the job's output wants it."""
    children = [_child(run, number, metric, trial) for number, trial in enumerate(result["trials"])]
    best = children[result["best"]]
    model, storage = run.folder / "found" / "mlflow-model", run.world.storage
    storage.upload(model, best.artifacts.below("outputs", "mlflow-model"))
    graph = run.folder / "found" / ONNX_MODEL
    if graph.is_file():
        storage.write(best.artifacts.below("outputs", ONNX_MODEL), graph.read_bytes())
    run.metrics[metric] = best.metrics[metric]
    run.properties["properties"] = {**run.properties["properties"], "score": str(best.metric(metric))}
    run.properties["tags"] = {**run.properties["tags"], "automl_best_child_run_id": best.name}
    if BEST_MODEL in run.properties["outputs"]:
        storage.upload(model, place_of(run.world, run.workspace, run.properties["outputs"][BEST_MODEL]["uri"]))
        run.delivered.append(BEST_MODEL)
    command.register(run, run.properties["outputs"])


def _child(run: Run, number: int, metric: str, trial: dict[str, Any]) -> Run:
    given = {
        "jobType": "Command",
        "command": "",
        "environmentId": "AutoML",
        "properties": {"run_algorithm": trial["algorithm"], "score": str(trial["score"])},
    }
    child = run.world.runs.add(child_job(run, str(number), given), run.name)
    child.metrics[metric] = [(trial["score"], 0, 0)]
    child.started, child.ended, child.status = run.started, now(), "Completed"
    return child
