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
    Environment,
    JobSchedule,
    ManagedOnlineEndpoint,
    RecurrenceTrigger,
)
from azure.ai.ml.sweep import Choice

from tests.azureml_builders import ended, environment, file_asset, model_asset, unique, written
from tests.emulators.azureml import StandIn

SDK = ".".join(version("azure-ai-ml").split(".")[:2])
GOLDEN = Path(__file__).parent / "golden" / f"azure-ai-ml-{SDK}.json"
WRITE = "WRITE_GOLDEN"
UNTOLD = ("login.microsoftonline.com", "/discovery", "mfeOperationsStatus")
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
    batch = BatchEndpoint(name=unique("batch"))
    did("batch_endpoints.begin_create_or_update", lambda: client.batch_endpoints.begin_create_or_update(batch).result())
    assert model
    return did.sequences


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
