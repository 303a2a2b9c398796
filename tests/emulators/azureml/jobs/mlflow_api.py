"""MLflow's tracking API as a job in Azure ML meets it: one run, the job's own, that takes metrics, parameters, tags and files.

Plain MLflow reaches it through `MLFLOW_TRACKING_URI`. Experiments and models are not modelled: the platform registers models.
"""

import time
from typing import Any

from tests.emulators.azureml.calls import PROVIDER, Answer, Call
from tests.emulators.azureml.jobs.runs import Run
from tests.emulators.azureml.network import WORKSPACE_API
from tests.emulators.azureml.routes import route

API = (
    f"{WORKSPACE_API}/mlflow/v1.0/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{PROVIDER}"
    "/workspaces/{workspace}/api/2.0/mlflow"
)
STATUS = {"Completed": "FINISHED", "Failed": "FAILED", "Canceled": "KILLED"}


class _MissingError(LookupError):
    """No such run; MLflow has a shape of its own for that."""


def _run(call: Call, name: str | None) -> Run:
    run = call.world.runs.get(call.workspace_id, name or "")
    if run is None:
        raise _MissingError(f"Run '{name}' not found")
    return run


def _missing(error: _MissingError) -> Answer:
    return Answer(404, {"error_code": "RESOURCE_DOES_NOT_EXIST", "message": str(error)})


def shown(run: Run) -> dict[str, Any]:
    """A run as MLflow describes it."""
    tags = {
        **(run.properties.get("tags") or {}),
        "mlflow.rootRunId": run.root,
        "mlflow.runName": run.properties["displayName"],
    }
    latest = [
        {"key": key, "value": values[-1][0], "timestamp": values[-1][2], "step": values[-1][1]}
        for key, values in list(run.metrics.items())
    ]
    info = {
        "run_id": run.name, "run_uuid": run.name, "run_name": run.properties["displayName"], "experiment_id": "0",
        "status": STATUS.get(run.status, "RUNNING"), "lifecycle_stage": "active", "user_id": "stand-in",
        "start_time": 0, "artifact_uri": f"mlflow-artifacts:/{run.name}",
    }  # fmt: skip
    pairs = [{"key": key, "value": str(value)} for key, value in run.parameters.items()]
    return {"info": info, "data": {"metrics": latest, "params": pairs, "tags": _pairs(tags)}}


def _pairs(values: dict[str, Any]) -> list[dict[str, str]]:
    return [{"key": key, "value": str(value)} for key, value in values.items() if value is not None]


@route("GET", f"{API}/runs/get")
def get_run(call: Call) -> Answer:
    """A run with its last metrics."""
    try:
        return Answer(200, {"run": shown(_run(call, call.query.get("run_id")))})
    except _MissingError as error:
        return _missing(error)


@route("GET", f"{API}/metrics/get-history")
def get_history(call: Call) -> Answer:
    """All values of a metric."""
    try:
        values = _run(call, call.query.get("run_id")).metrics.get(call.query["metric_key"], [])
    except _MissingError as error:
        return _missing(error)
    key = call.query["metric_key"]
    return Answer(
        200,
        {"metrics": [{"key": key, "value": value, "step": step, "timestamp": when} for value, step, when in values]},
    )


@route("PUT", f"{API.removesuffix('/mlflow')}/mlflow-artifacts/artifacts/{{run}}/{{file:path}}")
def put_artifact(call: Call) -> Answer:
    """A file of a run, among the artifacts of its job."""
    try:
        run = _run(call, call.names["run"])
    except _MissingError as error:
        return _missing(error)
    call.world.storage.write(run.artifacts.below(call.names["file"]), call.raw)
    return Answer(200, {})


@route("POST", f"{API}/runs/update")
def update_run(call: Call) -> Answer:
    """MLflow says that a run has ended; how the job ends says its process."""
    try:
        return Answer(200, {"run_info": shown(_run(call, call.body["run_id"]))["info"]})
    except _MissingError as error:
        return _missing(error)


@route("POST", f"{API}/runs/log-metric")
@route("POST", f"{API}/runs/log-parameter")
@route("POST", f"{API}/runs/set-tag")
@route("POST", f"{API}/runs/log-batch")
def log(call: Call) -> Answer:
    """One or many metrics, parameters, tags."""
    try:
        run = _run(call, call.body.get("run_id") or call.body.get("run_uuid"))
    except _MissingError as error:
        return _missing(error)
    kind = call.path.rpartition("/")[2]
    given = call.body if kind == "log-batch" else {_FIELD[kind]: [call.body]}
    for metric in given.get("metrics") or []:
        moment = int(metric.get("timestamp") or time.time() * 1000)
        run.metrics.setdefault(metric["key"], []).append((float(metric["value"]), int(metric.get("step") or 0), moment))
    for parameter in given.get("params") or []:
        run.parameters[parameter["key"]] = str(parameter["value"])
    for tag in given.get("tags") or []:
        run.properties["tags"] = {**run.properties["tags"], tag["key"]: str(tag["value"])}
    return Answer(200, {})


_FIELD = {"log-metric": "metrics", "log-parameter": "params", "set-tag": "tags"}
