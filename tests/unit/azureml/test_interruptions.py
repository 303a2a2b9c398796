"""Killing a run at any step and running it again ends with one job, one version, one deployment; terminating it cancels the job."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests import warm_commands
from tests.azureml_builders import settings_of
from tests.emulators.azureml import StandIn
from tests.endpoint_builders import publish_state

DOOMED = Path(__file__).with_name("doomed.py")


def start(standin: StandIn, workspace: str, folder: Path, **more: str) -> warm_commands.Command:
    """A run in a process of its own, in a group of its own."""
    settings = settings_of(standin, workspace)
    variables = {
        "GLOBOLATTE_AZUREML_SUBSCRIPTION": settings.subscription,
        "GLOBOLATTE_AZUREML_RESOURCE_GROUP": settings.resource_group,
        "GLOBOLATTE_AZUREML_WORKSPACE": workspace,
        "GLOBOLATTE_AZUREML_POLL_SECONDS": "0.3",
        "GLOBOLATTE_AZUREML_ENDPOINT": workspace,
    }
    return warm_commands.start([str(folder)], {**os.environ, **variables, **more}, folder / "run.log", script=DOOMED)


def end_when(
    process: warm_commands.Command, happened: Callable[[], bool], how: signal.Signals, *, may_be_done: bool = False
) -> None:
    """Sends a signal to a run as soon as something has happened; waits for its end.

    `may_be_done`: the run before may have been killed just after this had happened, and then it does not happen again.
    """
    deadline = time.monotonic() + 240
    while not happened():
        if may_be_done and process.wait(0) == 0:
            return
        assert process.is_alive(), "the run ended before it could be interrupted"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.killpg(process.pid, how)
    process.wait(120)


def made(standin: StandIn, kind: str) -> int:
    """How often a resource of a kind was put; the kind is the last word but one of its path, versions apart."""
    routes = [call.route.removesuffix("/versions/{version}") for call in standin.journal.calls if call.method == "PUT"]
    return sum(route.split("/")[-2] == kind for route in routes)


STEPS = ("data", "jobs", "models", "onlineEndpoints", "environments", "codes", "deployments", "onlineEndpoints")
"""What a run puts after its start: the last is the endpoint's traffic. Training's own environment and code come before its job."""

A_FEW = ("jobs", "deployments")
"""What takes long and costs money, and must be one at the end. That a model registered again is the same version: tests/contracts."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("workspace", "steps"),
    [
        pytest.param("killed", A_FEW, id="a few"),
        pytest.param("killed-at-each", STEPS, id="all", marks=pytest.mark.depth),
    ],
)
def test_a_run_killed_at_each_step_goes_on_where_it_was(
    azureml: StandIn, tmp_path: Path, workspace: str, steps: tuple[str, ...]
) -> None:
    publish_state(tmp_path / "endpoints", "state-1")
    for kind in steps:
        before = made(azureml, kind)
        run = start(azureml, workspace, tmp_path)
        end_when(
            run, lambda kind=kind, before=before: made(azureml, kind) > before, signal.SIGKILL, may_be_done=before > 0
        )
    last = start(azureml, workspace, tmp_path)
    assert last.wait(240) == 0, (tmp_path / "run.log").read_text()[-3000:]
    assert "answered by blue with model 1" in (tmp_path / "run.log").read_text()
    client = azureml.ml_client(workspace_name=workspace)
    assert [job.status for job in client.jobs.list()] == ["Completed"]
    assert [model.version for model in client.models.list(name="globolatte-preference-model")] == ["1"]
    assert [one.name for one in client.online_deployments.list(workspace)] == ["blue"]
    (environment,) = client.environments.list("globolatte-serving")
    assert environment.version
    assert (made(azureml, "jobs"), made(azureml, "deployments")) == (1, 1)
    assert client.online_endpoints.get(workspace).traffic == {"blue": 100}


JOBS = {"command": ["command"], "sweep": ["sweep"], "automl": ["automl", "command"], "pipeline": ["pipeline"]}
"""The jobs of each way to train, in their order."""


@pytest.mark.slow
@pytest.mark.depth
@pytest.mark.parametrize("kind", JOBS)
def test_a_run_killed_at_each_of_its_jobs_goes_on_with_them(azureml: StandIn, tmp_path: Path, kind: str) -> None:
    chosen = {"GLOBOLATTE_TRAINING": kind, "DOOMED_UNTIL": "model"}
    before = made(azureml, "jobs")
    for number in range(len(JOBS[kind])):
        run = start(azureml, f"killed-{kind}", tmp_path, **chosen)
        end_when(run, lambda begun=before + number: made(azureml, "jobs") > begun, signal.SIGKILL)
    last = start(azureml, f"killed-{kind}", tmp_path, **chosen)
    assert last.wait(240) == 0, (tmp_path / "run.log").read_text()[-3000:]
    client = azureml.ml_client(workspace_name=f"killed-{kind}")
    jobs = list(client.jobs.list())[::-1]
    assert [(job.type, job.status) for job in jobs] == [(one, "Completed") for one in JOBS[kind]]
    assert made(azureml, "jobs") - before == len(JOBS[kind])
    assert [model.version for model in client.models.list(name="globolatte-preference-model")] == ["1"]


@pytest.mark.slow
@pytest.mark.depth
@pytest.mark.parametrize("kind", ["automl", "sweep", "pipeline"])
def test_terminating_a_run_cancels_the_job_of_any_way_to_train(azureml: StandIn, tmp_path: Path, kind: str) -> None:
    azureml.faults.hold_job(f"globolatte-{kind}")
    before = made(azureml, "jobs")
    run = start(azureml, f"terminated-{kind}", tmp_path, GLOBOLATTE_TRAINING=kind, DOOMED_UNTIL="model")
    end_when(run, lambda: made(azureml, "jobs") > before, signal.SIGINT)
    client = azureml.ml_client(workspace_name=f"terminated-{kind}")
    assert [(job.type, job.status) for job in client.jobs.list()] == [(JOBS[kind][0], "Canceled")]


@pytest.mark.slow
def test_a_terminated_run_cancels_its_job_and_the_next_begins_another(azureml: StandIn, tmp_path: Path) -> None:
    azureml.faults.hold_job()
    before = made(azureml, "jobs")
    run = start(azureml, "terminated", tmp_path)
    end_when(run, lambda: made(azureml, "jobs") > before, signal.SIGINT)
    client = azureml.ml_client(workspace_name="terminated")
    assert [job.status for job in client.jobs.list()] == ["Canceled"]
