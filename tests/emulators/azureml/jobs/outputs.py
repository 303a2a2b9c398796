"""Named outputs of jobs as the assets that run history refers to, and the services that say where those are."""

import re
from typing import Any

from tests.emulators.azureml.calls import PROVIDER, Answer, Call, Refused
from tests.emulators.azureml.jobs.runs import MODEL_TYPES, Run
from tests.emulators.azureml.network import REGION, WORKSPACE_API
from tests.emulators.azureml.routes import route

SCOPE = f"v1.0/subscriptions/{{subscription}}/resourceGroups/{{group}}/providers/{PROVIDER}/workspaces/{{workspace}}"
HISTORY_TYPES = {"mlflow_model": "MLFlowModel", "custom_model": "CustomModel", "triton_model": "TritonModel"}
ASSET = re.compile(
    r"azureml://locations/[^/]+/workspaces/[^/]+/(?:data|models)/azureml_(.+)_output_(?:data|mlmodel)_(\w+)/versions/1"
)


def output_assets(run: Run) -> dict[str, dict[str, str]]:
    """The outputs that a run has delivered, as run history refers to them."""
    return {name: _reference(run, name) for name in run.delivered}


def _reference(run: Run, name: str) -> dict[str, str]:
    declared = str(run.properties["outputs"][name]["jobOutputType"])
    guid = run.world.store.need(run.workspace)["properties"]["workspaceId"]
    kind, infix = ("models", "mlmodel") if declared in MODEL_TYPES else ("data", "data")
    path = f"{kind}/azureml_{run.name}_output_{infix}_{name}/versions/1"
    return {
        "assetId": f"azureml://locations/{REGION}/workspaces/{guid}/{path}",
        "type": HISTORY_TYPES.get(declared, declared),
    }


@route(
    "POST",
    f"{WORKSPACE_API}/data/{SCOPE}/dataversion/batchGetResolvedUris",
    takes="dataset_dataplane.BatchGetResolvedURIs",
    gives="dataset_dataplane.BatchDataUriResponse",
)
def resolve_data(call: Call) -> Answer:
    """Where data that jobs wrote are."""
    found = {asset: _output(call, asset) for asset in call.body["values"]}
    return Answer(200, {"values": {name: {"uri": uri, "type": kind} for name, (uri, kind) in found.items()}})


@route(
    "POST",
    f"{WORKSPACE_API}/modelregistry/{SCOPE}/models/batchGetResolvedUris",
    takes="model_dataplane.BatchGetResolvedUrisDto",
    gives="model_dataplane.BatchModelPathResponseDto",
)
def resolve_models(call: Call) -> Answer:
    """Where models that jobs wrote are."""
    found = {asset: _output(call, asset) for asset in call.body["values"]}
    return Answer(200, {"values": {name: {"path": uri, "type": kind} for name, (uri, kind) in found.items()}})


def _output(call: Call, asset: str) -> tuple[str, str]:
    """Address and type of an output."""
    match = ASSET.fullmatch(asset)
    run = call.world.runs.get(call.workspace_id, match[1]) if match else None
    if match is None or run is None or match[2] not in run.delivered:
        raise Refused(404, "UserError", f"{asset} not found")
    declared: dict[str, Any] = run.properties["outputs"][match[2]]
    return _long(call, declared["uri"]), declared["jobOutputType"]


def _long(call: Call, uri: str) -> str:
    names = call.names
    scope = f"subscriptions/{names['subscription']}/resourcegroups/{names['group']}/workspaces/{names['workspace']}"
    return uri.replace("azureml://datastores/", f"azureml://{scope}/datastores/", 1)
