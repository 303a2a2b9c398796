"""The exported folder: every file is read by the SDK's own loaders, and a workspace takes them in the order of the README."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import requests
import yaml
from pyarrow import parquet

from globolatte_ml.model.model import PreferenceModel
from resources.endpoint.azureml.export import Served, export
from resources.endpoint.endpoint import Deployment
from resources.ml.ml_platform import ModelVersion
from resources.settings.azureml import AzureMLSettings
from resources.settings.choices import MissingSettingError
from tests.azureml_builders import settings_of, unique
from tests.emulators.azureml import StandIn
from tests.endpoint_builders import QUESTION, publish_state

CLUSTER = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/coffee"


def readers() -> dict[str, Callable[..., Any]]:
    """What `az ml` reads each kind of file with, by the words behind the file's number."""
    from azure.ai.ml.entities import DataImport
    from azure.ai.ml.entities import _load_functions as ml

    def load_import(file: str) -> Any:
        return ml.load_common(DataImport, file, None, None)  # imports have no loader of their own

    return {
        "environment": ml.load_environment,
        "compute": ml.load_compute,
        "connection": ml.load_connection,
        "registry": ml.load_registry,
        "snapshot": ml.load_data,
        "import": load_import,
        "component": ml.load_component,
        "job": ml.load_job,
        "schedule": ml.load_schedule,
        "model": ml.load_model,
        "endpoint": ml.load_online_endpoint,
        "deployment": ml.load_online_deployment,
        "batch-endpoint": ml.load_batch_endpoint,
        "batch-deployment": ml.load_model_batch_deployment,
        "monitor": ml.load_schedule,
    }


def read(file: Path, **more: Any) -> Any:
    """A definition by the loader of its kind."""
    words = file.stem.partition("-")[2]
    known = readers()
    return known[words if words in known else words.split("-")[0]](str(file), **more)


COLLECTED = {"globolatte-recommender-blue-model_inputs"}
"""What the data collector of a deployment makes once the deployment is there."""


def values_of(node: Any) -> Iterator[tuple[str, Any]]:
    """Every value below a node with the name it stands under."""
    for name, value in node.items() if isinstance(node, dict) else (("", one) for one in node):
        yield str(name), value
        if isinstance(value, dict | list):
            yield from values_of(value)


def named_in(files: list[Path]) -> set[str]:
    """Every asset, compute, connection and endpoint that the files name."""
    found = set()
    for file in files:
        for name, value in values_of(yaml.safe_load(file.read_text())):
            if isinstance(value, str) and value.startswith("azureml:") and not value.startswith("azureml://"):
                found.add(value.removeprefix("azureml:").partition("@")[0].partition(":")[0])
            elif name in ("compute", "default_compute", "endpoint_name") and isinstance(value, str):
                found.add(value.removeprefix("azureml:"))
    return found - {"serverless"}


def made_by(files: list[Path]) -> set[str]:
    """What the files make: the name of each, and of the assets that a job registers as outputs."""
    documents = [yaml.safe_load(file.read_text()) for file in files]
    outputs = [one for document in documents for one in (document.get("outputs") or {}).values()]
    return {one["name"] for one in [*documents, *outputs] if isinstance(one, dict) and one.get("name")}


def test_an_export_that_cannot_say_which_cluster_is_attached_is_refused(tmp_path: Path) -> None:
    given = AzureMLSettings(subscription="s", resource_group="rg", workspace="ws", compute="kubernetes")
    with pytest.raises(MissingSettingError, match="GLOBOLATTE_AZUREML_KUBERNETES_CLUSTER is not set"):
        export(given, tmp_path / "out", None)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "more",
    [
        {"compute": "cluster", "instance_count_max": 3, "collect_data": True, "registry": "coffee"},
        {"compute": "serverless"},
        {
            "compute": "instance",
            "endpoint_kind": "kubernetes",
            "endpoint_compute": "aks",
            "instance_count_max": 2,
            "kubernetes_cluster": CLUSTER,
        },
    ],
    ids=["cluster", "serverless", "kubernetes"],
)
def test_every_definition_is_yaml_that_the_sdk_reads_back(more: dict, tmp_path: Path) -> None:
    model, state = tmp_path / "model", tmp_path / "state"
    for folder in (model, state):
        folder.mkdir()
        (folder / "file").write_text("content")
    given = AzureMLSettings(subscription="s", resource_group="rg", workspace="ws", **more)
    champion = ModelVersion("1", "d" * 64, "snapshot", "job", model)
    files = export(given, tmp_path / "out", Served(champion, state))
    for file in files:
        assert read(file).name, file
        assert str(tmp_path) not in file.read_text(), f"{file.name} names a folder of this machine"
    names = {file.stem for file in files}
    assert ("12-compute" in names) == (more["compute"] != "serverless")
    assert ("17-compute-batch" in names) == (more["compute"] != "cluster")
    assert ("15-registry" in names) == ("registry" in more)
    assert ("16-compute-endpoint" in names) == ("kubernetes_cluster" in more)
    assert named_in(files) - made_by(files) == COLLECTED, "what is named and made by no file of the set"
    readme = (tmp_path / "out" / "README.md").read_text()
    assert not {name for name in names if f"{name}.yml" not in readme}
    with pytest.raises(FileExistsError, match="not empty"):
        export(given, tmp_path / "out", None)


def test_scaling_of_a_managed_deployment_is_an_arm_template_of_azure_monitor(tmp_path: Path) -> None:
    model, state = tmp_path / "model", tmp_path / "state"
    for folder in (model, state):
        folder.mkdir()
    given = AzureMLSettings(
        subscription="s", resource_group="rg", workspace="ws", instance_count=2, instance_count_max=6
    )
    export(given, tmp_path / "out", Served(ModelVersion("1", "d" * 64, "snapshot", "job", model), state))
    template = json.loads((tmp_path / "out" / "72-autoscale.json").read_text())
    (setting,) = template["resources"]
    assert setting["type"] == "Microsoft.Insights/autoscaleSettings"
    target = setting["properties"]["targetResourceUri"]
    assert target.endswith("/workspaces/ws/onlineEndpoints/globolatte-recommender/deployments/blue")
    (profile,) = setting["properties"]["profiles"]
    assert profile["capacity"] == {"minimum": "2", "maximum": "6", "default": "2"}
    assert {rule["metricTrigger"]["metricResourceUri"] for rule in profile["rules"]} == {target}


@pytest.mark.slow
def test_a_workspace_takes_what_was_exported_and_serves_it(
    azureml: StandIn, tmp_path: Path, trained: list[Deployment]
) -> None:
    workspace = unique("exported")
    settings = settings_of(
        azureml, workspace, compute="serverless", collect_data=True, endpoint=workspace, registry=unique("coffee"),
        batch_endpoint=unique("batch"),
    )  # fmt: skip
    state = publish_state(tmp_path / "endpoints", "state-1")
    model = Path(trained[0].model_folder)
    (model / "MLmodel").write_text("flavors: {}\n")
    champion = ModelVersion("1", PreferenceModel.load(model).content_hash(), "snapshot", "job", model)
    files = {file.stem: file for file in export(settings, tmp_path / "out", Served(champion, state))}
    document = json.loads((tmp_path / "out" / "deployment" / "deployment.json").read_text())
    assert document["content_hash"] == champion.content_hash
    client = azureml.ml_client(workspace_name=workspace)
    for name in ("10-environment-training", "11-environment-serving", "13-environment-batch"):
        client.environments.create_or_update(read(files[name]))
    client.compute.begin_create_or_update(read(files["17-compute-batch"])).result()
    client.registries.begin_create(read(files["15-registry"])).result()
    connection = read(files["14-connection-snowflake"])
    connection.credentials.username, connection.credentials.password = "reader", unique("word")
    client.connections.create_or_update(connection)
    snapshot = client.data.create_or_update(read(files["20-snapshot"]))
    azureml.databases["snowflake"] = lambda _: _parquet()
    assert client.data.import_data(read(files["21-import"])).name
    for name in ("prepare", "train", "evaluate"):
        client.components.create_or_update(read(files[f"30-component-{name}"]))
    azureml.faults.hold_job(times=4)
    for name in ("40-job-command", "41-job-sweep", "42-job-pipeline", "43-job-automl-tables"):
        job = read(files[name])
        job.name = unique("exported")
        client.jobs.create_or_update(job)
        client.jobs.begin_cancel(job.name).result()
    schedule = client.schedules.begin_create_or_update(read(files["50-schedule"])).result()
    assert schedule.create_job.inputs["snapshot"].path.endswith(f"/data/{snapshot.name}/versions/{snapshot.version}")

    for name in ("60-model", "61-model-mlflow"):
        client.models.create_or_update(read(files[name]))
    endpoint = client.online_endpoints.begin_create_or_update(read(files["70-endpoint"])).result()
    client.online_deployments.begin_create_or_update(read(files["71-deployment"]), skip_script_validation=True).result()
    endpoint.traffic = {"blue": 100}
    endpoint = client.online_endpoints.begin_create_or_update(endpoint).result()
    key = client.online_endpoints.get_keys(workspace).primary_key
    header = {"Authorization": f"Bearer {key}"}
    answer = requests.post(endpoint.scoring_uri, json={"requests": [QUESTION]}, headers=header, timeout=60)
    assert answer.json()["model_version"] == "1"
    client.batch_endpoints.begin_create_or_update(read(files["80-batch-endpoint"])).result()
    batch = read(files["81-batch-deployment"])
    made = client.batch_deployments.begin_create_or_update(batch, skip_script_validation=True).result()
    assert (made.mini_batch_size, made.resources.instance_count) == (1, 1)
    monitor = client.schedules.begin_create_or_update(read(files["90-monitor"])).result()
    assert monitor.create_monitor.monitoring_target.endpoint_deployment_id.endswith(f"{workspace}/deployments/blue")


def _parquet() -> bytes:
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.table({"order_id": ["o1"]}), sink)
    return bytes(sink.getvalue().to_pybytes())
