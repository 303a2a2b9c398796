"""The stand-in started by hand: it says what to export, serves whoever exports it, and leaves no process behind."""

import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from tests.emulators.azurite_server import why_not

pytestmark = pytest.mark.depth

REPOSITORY = Path(__file__).parents[3]
ASKS = """
import os
from azure.ai.ml import MLClient
from azure.identity import DefaultAzureCredential
client = MLClient(DefaultAzureCredential(), os.environ["SUBSCRIPTION"], os.environ["RESOURCE_GROUP"], os.environ["WORKSPACE"])
print([store.name for store in client.datastores.list()])
"""


@pytest.mark.slow
@pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
def test_it_serves_whoever_exports_what_it_says_and_leaves_nothing_behind() -> None:
    command = [sys.executable, "-m", "tests.emulators.azureml"]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.PIPE, text=True) as standin:
        assert standin.stdout is not None
        exports = {}
        for line in standin.stdout:
            if not line.startswith("export "):
                break
            name, _, value = line.removeprefix("export ").strip().partition("=")
            exports[name] = shlex.split(value)[0]
        children = psutil.Process(standin.pid).children(recursive=True)
        asked = subprocess.run(
            [sys.executable, "-c", ASKS], env={**os.environ, **exports}, capture_output=True, text=True, check=False
        )
        standin.send_signal(signal.SIGINT)
    assert "workspaceblobstore" in asked.stdout, asked.stderr
    assert standin.returncode == 0
    assert children
    assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]


@pytest.mark.slow
@pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
def test_jobs_and_servers_end_with_it(tmp_path: Path) -> None:
    from azure.ai.ml import command
    from azure.ai.ml.entities import ManagedOnlineEndpoint

    from tests.azureml_builders import SCORE, environment, model_asset, online_deployment, written
    from tests.emulators.azureml import azureml_standin

    with azureml_standin(tmp_path / "standin") as standin, standin.reachable():
        client = standin.ml_client()
        endless = command(command="sleep 987654", environment=environment(client), name="endless")
        client.jobs.create_or_update(endless)
        client.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name="served", auth_mode="key")).result()
        code = written(tmp_path / "code", {"score.py": SCORE})
        asked = online_deployment(client, "served", "blue", model_asset(client, tmp_path, "latte"), code)
        client.online_deployments.begin_create_or_update(asked).result()
        while client.jobs.get("endless").status != "Running":
            pass
        mine = [
            child
            for child in psutil.Process().children(recursive=True)
            if str(tmp_path) in " ".join([*child.cmdline(), child.cwd()])
        ]
        assert any("sleep" in child.name() for child in mine)
        assert any(
            "azmlinfsrv" in " ".join(child.cmdline()) or "gunicorn" in " ".join(child.cmdline()) for child in mine
        )
    _, alive = psutil.wait_procs(mine, timeout=10)
    assert not [child for child in alive if child.status() != psutil.STATUS_ZOMBIE]
