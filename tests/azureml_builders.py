"""The Azure ML stand-in to test with: workspaces, platforms on them, things to register and run there, and waiting for those."""

import time
import uuid
from pathlib import Path
from typing import Any

from resources.ml.azureml.platform import AzureMLPlatform
from resources.ml.training_method import CommandMethod, TrainingMethod
from resources.settings.azureml import AzureMLSettings
from tests.emulators.azureml import StandIn

TRAIN = """
import argparse, pathlib
parser = argparse.ArgumentParser()
parser.add_argument("--data", type=pathlib.Path)
parser.add_argument("--model", type=pathlib.Path)
given = parser.parse_args()
rows = given.data.read_text().splitlines()
print(f"training on {len(rows)} rows")
(given.model / "rows.txt").write_text(str(len(rows)))
pathlib.Path("outputs").mkdir()
pathlib.Path("outputs/metrics.json").write_text('{"rows": %d}' % len(rows))
"""
SCORE = """
import json, os, pathlib
def init():
    global said
    said = {file.name: file.read_text() for file in pathlib.Path(os.environ["AZUREML_MODEL_DIR"]).rglob("*.txt")}
def run(data):
    asked = json.loads(data)
    if asked.get("fail"):
        raise ValueError("asked to fail")
    return {"model": said, "who": os.environ.get("WHO"), "asked": asked}
"""
LOG_METRIC = """
import json, os, urllib.request
def log(name, value, step=0):
    address = os.environ["MLFLOW_TRACKING_URI"] + "/api/2.0/mlflow/runs/log-metric"
    headers = {"Authorization": "Bearer " + os.environ["MLFLOW_TRACKING_TOKEN"], "Content-Type": "application/json"}
    said = {"run_id": os.environ["MLFLOW_RUN_ID"], "key": name, "value": value, "step": step}
    urllib.request.build_opener().open(urllib.request.Request(address, json.dumps(said).encode(), headers))
"""
"""MLflow's call without MLflow, which takes seconds to import."""
TERMINAL = ("Completed", "Failed", "Canceled")


def unique(prefix: str) -> str:
    """A name that no other test uses."""
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def written(folder: Path, files: dict[str, str]) -> Path:
    """A folder with files."""
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder


def environment(client: Any) -> str:
    """A registered environment; the stand-in never builds it."""
    from azure.ai.ml.entities import Environment

    made = client.environments.create_or_update(
        Environment(name="science", version="1", image="mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04:latest")
    )
    return f"azureml:{made.name}:{made.version}"


def ended(client: Any, name: str, seconds: float = 120) -> Any:
    """A job that has come to its end."""
    deadline = time.monotonic() + seconds
    while (job := client.jobs.get(name)).status not in TERMINAL:
        assert time.monotonic() < deadline, f"{name} is still {job.status}"
        time.sleep(0.1)
    return job


def file_asset(client: Any, folder: Path, content: str) -> str:
    """A registered file; its name and version as jobs refer to it."""
    from azure.ai.ml.entities import Data

    path = written(folder, {"rows.csv": content}) / "rows.csv"
    made = client.data.create_or_update(Data(name=unique("rows"), version="1", type="uri_file", path=str(path)))
    return f"azureml:{made.name}:{made.version}"


def model_asset(client: Any, folder: Path, says: str) -> str:
    """A registered model that is one file in a folder; its name and version as deployments refer to it."""
    from azure.ai.ml.entities import Model

    path = written(folder / "model", {"said.txt": says})
    made = client.models.create_or_update(Model(name=unique("model"), version="1", type="custom_model", path=str(path)))
    return f"azureml:{made.name}:{made.version}"


def online_deployment(client: Any, endpoint: str, name: str, model: str, code: Path, **more: Any) -> Any:
    """A managed deployment of a model behind `SCORE`, as the SDK requests it."""
    from azure.ai.ml.entities import CodeConfiguration, ManagedOnlineDeployment, OnlineRequestSettings

    return ManagedOnlineDeployment(
        name=name,
        endpoint_name=endpoint,
        model=model,
        environment=environment(client),
        code_configuration=CodeConfiguration(code=str(code), scoring_script="score.py"),
        instance_type="Standard_DS3_v2",
        instance_count=1,
        request_settings=OnlineRequestSettings(request_timeout_ms=60000),
        environment_variables={"WHO": name},
        **more,
    )


def settings_of(standin: StandIn, workspace: str, **more: Any) -> AzureMLSettings:
    """Settings of a new workspace, or of one that is there."""
    standin.add_workspace(workspace)
    return AzureMLSettings(
        subscription=standin.subscription_id,
        resource_group=standin.resource_group,
        workspace=workspace,
        **{"poll_seconds": 0.3, **more},
    )


def platform_on(
    standin: StandIn, workspace: str, folder: Path, method: TrainingMethod | None = None, **more: Any
) -> AzureMLPlatform:
    """A platform on a workspace of its own."""
    return AzureMLPlatform(settings_of(standin, workspace, **more), folder, method or CommandMethod())


def make_registry(standin: StandIn, name: str) -> None:
    """A registry, which a person makes once."""
    from azure.ai.ml.entities import (
        Registry,
        RegistryRegionDetails,
        SystemCreatedAcrAccount,
        SystemCreatedStorageAccount,
    )

    storage = SystemCreatedStorageAccount(storage_account_hns=False, storage_account_type="Standard_LRS")
    images = [SystemCreatedAcrAccount(acr_account_sku="Premium")]
    region = RegistryRegionDetails(location="westeurope", storage_config=storage, acr_config=images)
    client = standin.ml_client()
    client.registries.begin_create(Registry(name=name, location="westeurope", replication_locations=[region])).result()
