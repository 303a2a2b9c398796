"""Which calls each operation of the installed SDK makes, against those that were written down for its version.

A new version of the SDK that calls something else fails here, route by route, before it fails anywhere less clear. Then look at
what changed, teach the stand-in, and write the new version's file: `WRITE_GOLDEN=1 pytest` this file.
"""

import json
import os
from collections.abc import Callable
from importlib.metadata import version
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from azure.ai.ml import Input, Output, command, dsl
from azure.ai.ml.entities import (
    AmlCompute,
    BatchEndpoint,
    CodeConfiguration,
    Environment,
    JobSchedule,
    KubernetesCompute,
    KubernetesOnlineEndpoint,
    ManagedOnlineEndpoint,
    ModelBatchDeployment,
    ModelBatchDeploymentSettings,
    RecurrenceTrigger,
)
from azure.ai.ml.sweep import Choice

from tests.azureml_builders import (
    SCORE,
    ended,
    environment,
    file_asset,
    make_registry,
    model_asset,
    online_deployment,
    unique,
    written,
)
from tests.emulators.azureml import StandIn

pytestmark = pytest.mark.depth

SDK = ".".join(version("azure-ai-ml").split(".")[:2])
GOLDEN = Path(__file__).parent / "golden" / f"azure-ai-ml-{SDK}.json"
WRITE = "WRITE_GOLDEN"
CLUSTER = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/coffee"
UNTOLD = ("login.microsoftonline.com", "/discovery", "mfeOperationsStatus", "mfeOperationResults")
"""Routes that are called or not as tokens, addresses and the speed of the machine have it."""


class Recorder:
    """Operations by name, and the calls that each made."""

    def __init__(self, standin: StandIn) -> None:
        self.standin = standin
        self.sequences: dict[str, list[str]] = {}

    def __call__(self, name: str, operation: Callable[[], Any]) -> Any:
        mark = self.standin.journal.mark()
        result = operation()
        calls = [call for call in self.standin.journal.since(mark) if not any(part in call.route for part in UNTOLD)]
        shown = (f"{call.method} {call.status} {_short(call.route)} {call.api_version or ''}".strip() for call in calls)
        self.sequences[name] = [text for text, _ in groupby(shown)]
        return result


def _short(route: str) -> str:
    scope = "/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.MachineLearningServices"
    return route.replace("management.azure.com", "").replace(scope, "")


def _recorded(standin: StandIn, client: Any, folder: Path) -> dict[str, list[str]]:
    did = Recorder(standin)
    rows = did("data.create_or_update", lambda: file_asset(client, folder / "data", "a\n"))
    did("data.get", lambda: client.data.get(rows.split(":")[1], version="1"))
    model = did("models.create_or_update", lambda: model_asset(client, folder, "latte"))
    did("models.list", lambda: list(client.models.list()))
    asked = Environment(name=unique("env"), version="1", image="image")
    did("environments.create_or_update", lambda: client.environments.create_or_update(asked))
    cluster = AmlCompute(name=unique("c"), size="Standard_DS3_v2", max_instances=1)
    did("compute.begin_create_or_update", lambda: client.compute.begin_create_or_update(cluster).result())
    _record_jobs(did, client, rows, folder)
    endpoint = ManagedOnlineEndpoint(name=unique("ep"), auth_mode="key")
    did(
        "online_endpoints.begin_create_or_update",
        lambda: client.online_endpoints.begin_create_or_update(endpoint).result(),
    )
    did("online_endpoints.get_keys", lambda: client.online_endpoints.get_keys(endpoint.name))
    did("online_endpoints.begin_delete", lambda: client.online_endpoints.begin_delete(endpoint.name).result())
    _record_online(did, client, model, folder)
    _record_batch(did, client, model, cluster.name, rows, folder)
    _record_registry(did, client, standin, model)
    return did.sequences


def _record_online(did: Recorder, client: Any, model: str, folder: Path) -> None:
    code = written(folder / "served", {"score.py": SCORE})
    endpoints, deployments = client.online_endpoints, client.online_deployments
    name, on_cluster = unique("ep"), unique("ep")
    endpoints.begin_create_or_update(ManagedOnlineEndpoint(name=name, auth_mode="aml_token")).result()
    did("online_endpoints.get_keys token", lambda: endpoints.get_keys(name))
    for colour in ("blue", "green"):
        asked = online_deployment(client, name, colour, model, code)
        did(
            f"online_deployments.begin_create_or_update {colour}",
            lambda asked=asked: deployments.begin_create_or_update(asked, skip_script_validation=True).result(),
        )
    did("online_deployments.get", lambda: deployments.get("blue", name))
    did("online_deployments.list", lambda: list(deployments.list(name)))
    did("online_deployments.get_logs", lambda: deployments.get_logs("blue", name, lines=5))
    for label, traffic in (("traffic", {"blue": 90, "green": 10}), ("traffic back", {"blue": 100, "green": 0})):
        endpoint = endpoints.get(name)
        endpoint.traffic = traffic
        did(
            f"online_endpoints.begin_create_or_update {label}",
            lambda endpoint=endpoint: endpoints.begin_create_or_update(endpoint).result(),
        )
    did("online_deployments.begin_delete", lambda: deployments.begin_delete("green", endpoint_name=name).result())
    cluster = KubernetesCompute(name=unique("aks")[:16], resource_id=CLUSTER)
    did("compute.begin_create_or_update kubernetes", lambda: client.compute.begin_create_or_update(cluster).result())
    kubernetes = KubernetesOnlineEndpoint(name=on_cluster, compute=cluster.name, auth_mode="key")
    did(
        "online_endpoints.begin_create_or_update kubernetes",
        lambda: endpoints.begin_create_or_update(kubernetes).result(),
    )


def _record_batch(did: Recorder, client: Any, model: str, cluster: str, rows: str, folder: Path) -> None:
    batch = BatchEndpoint(name=unique("batch"))
    did("batch_endpoints.begin_create_or_update", lambda: client.batch_endpoints.begin_create_or_update(batch).result())
    script = "def init():\n    pass\ndef run(files):\n    return list(files)\n"
    deployment = ModelBatchDeployment(
        name="weekly",
        endpoint_name=batch.name,
        model=model,
        environment=environment(client),
        code_configuration=CodeConfiguration(
            code=str(written(folder / "batch", {"score.py": script})), scoring_script="score.py"
        ),
        compute=cluster,
        settings=ModelBatchDeploymentSettings(mini_batch_size=1),
    )
    did(
        "batch_deployments.begin_create_or_update",
        lambda: client.batch_deployments.begin_create_or_update(deployment, skip_script_validation=True).result(),
    )
    did("batch_deployments.get", lambda: client.batch_deployments.get("weekly", batch.name))
    endpoint = client.batch_endpoints.get(batch.name)
    endpoint.defaults.deployment_name = "weekly"
    did(
        "batch_endpoints.begin_create_or_update default",
        lambda: client.batch_endpoints.begin_create_or_update(endpoint).result(),
    )
    job = did(
        "batch_endpoints.invoke",
        lambda: client.batch_endpoints.invoke(batch.name, input=Input(type="uri_file", path=rows)),
    )
    ended(client, job.name)


def _record_registry(did: Recorder, client: Any, standin: StandIn, model: str) -> None:
    name, (model_name, version) = unique("coffee"), model.removeprefix("azureml:").split(":")
    did("registries.begin_create", lambda: make_registry(standin, name))
    did(
        "models.share",
        lambda: client.models.share(
            name=model_name, version=version, share_with_name="shared", share_with_version="1", registry_name=name
        ),
    )
    registry = standin.ml_client(workspace_name=None, registry_name=name)
    did("models.get registry", lambda: registry.models.get("shared", version="1"))


def _record_jobs(did: Recorder, client: Any, rows: str, folder: Path) -> None:
    code = written(folder / "code", {"count.py": "import sys; print(len(open(sys.argv[1]).readlines()))"})
    text = "python count.py ${{inputs.rows}} && touch ${{outputs.done}}/${{inputs.mark}}"
    job = command(
        code=str(code),
        command=text,
        inputs={"rows": Input(type="uri_file", path=rows), "mark": "x"},
        outputs={"done": Output(type="uri_folder")},
        environment=environment(client),
        name=unique("golden"),
    )
    did("jobs.create_or_update command", lambda: client.jobs.create_or_update(job))
    ended(client, job.name)
    did("jobs.get", lambda: client.jobs.get(job.name))
    did("jobs.download", lambda: client.jobs.download(job.name, download_path=folder / "got", all=True))
    sweep = job(mark=Choice(["a"])).sweep(sampling_algorithm="grid", primary_metric="auc", goal="Maximize")
    sweep.set_limits(max_total_trials=1)
    sweep.name = unique("golden")
    did("jobs.create_or_update sweep", lambda: client.jobs.create_or_update(sweep))
    did("jobs.begin_cancel", lambda: client.jobs.begin_cancel(sweep.name).result())

    @dsl.pipeline(compute="serverless")
    def pipeline(rows: Input):
        job.component(rows=rows, mark="y")

    steps = pipeline(rows=Input(type="uri_file", path=rows))
    steps.name = unique("golden")
    did("jobs.create_or_update pipeline", lambda: client.jobs.create_or_update(steps))
    ended(client, steps.name)
    schedule = JobSchedule(name=unique("s"), trigger=RecurrenceTrigger(frequency="day", interval=1), create_job=steps)
    did("schedules.begin_create_or_update", lambda: client.schedules.begin_create_or_update(schedule).result())
    did("schedules.get", lambda: client.schedules.get(schedule.name))
    did("schedules.begin_disable", lambda: client.schedules.begin_disable(schedule.name).result())
    did("schedules.begin_enable", lambda: client.schedules.begin_enable(schedule.name).result())
    ended(client, sweep.name)


def test_the_sdk_makes_the_calls_that_were_written_down(azureml: StandIn, client: Any, tmp_path: Path) -> None:
    recorded = _recorded(azureml, client, tmp_path)
    if os.environ.get(WRITE):
        GOLDEN.write_text(json.dumps(recorded, indent=1) + "\n")
    if not GOLDEN.exists():
        pytest.fail(
            f"no calls are written down for azure-ai-ml {SDK}: look at what changed, then run this with {WRITE}=1"
        )
    assert recorded == json.loads(GOLDEN.read_text())
