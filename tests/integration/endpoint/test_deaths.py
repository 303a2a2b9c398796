"""The online endpoint when its processes die, what it wrote down by then, and the asset that deploys to it."""

import datetime as dt
import os
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import dagster as dg
import psutil
import pytest

from globolatte_assets.monitoring.prediction_log import Ingestion, ingest_file
from globolatte_cli.running_parts import online_endpoint
from resources.clock import Clock
from resources.endpoint.endpoint import DesiredState, EndpointError, ObservedState
from resources.endpoint.local.endpoint import LocalEndpoint
from resources.endpoint.local.files import read_json, write_json
from resources.endpoint.local.processes import PROJECT_ROOT, marked
from resources.endpoint.local.slots import get_json
from resources.endpoint.prediction_files import PredictionFiles
from resources.settings.settings import Settings
from tests.builders import fetch, warehouse_in
from tests.endpoint_builders import QUESTION, Caller, Crowd, answers, children_of, eventually, kill, only, process_of

# What dies -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("victim", ["blue", "gateway"])
def test_what_is_killed_is_started_again(endpoint, caller, victim):
    before, url = process_of(endpoint, victim), endpoint.observed().url
    kill(before)
    eventually(lambda: not before.alive)
    caller.close()
    eventually(lambda: answers(caller))
    eventually(lambda: process_of(endpoint, victim) not in (None, before))
    assert endpoint.observed().url == url


def _succeeded(endpoint, before, seconds=20):
    """Waits until another supervisor than `before` keeps what is declared."""
    eventually(lambda: endpoint.supervisor() not in (None, before), seconds)
    endpoint.wait_until_converged()
    assert {os.getpgid(one.pid) for one in marked(endpoint.files)} == {one.pid for one in children_of(endpoint)}


def test_what_a_killed_supervisor_leaves_is_taken_over_and_no_request_fails(endpoint, caller):
    children, url = children_of(endpoint), endpoint.observed().url

    def kill_twice():
        for _ in range(2):  # the second is the gateway's own child
            supervisor = endpoint.supervisor()
            kill(supervisor)
            _succeeded(endpoint, supervisor)

    crowd = Crowd(endpoint, size=4).during(kill_twice)
    assert (crowd.errors, set(crowd.statuses)) == ([], {200})
    assert (children_of(endpoint), endpoint.observed().url) == (children, url)
    for victim in ("blue", "gateway"):  # it keeps them as its own
        before, restarts = process_of(endpoint, victim), _restarts(endpoint, victim)
        kill(before)
        eventually(lambda was=before, name=victim: process_of(endpoint, name) not in (None, was))
        assert _restarts(endpoint, victim) == restarts + 1
    caller.close()
    eventually(lambda: answers(caller))
    assert endpoint.observed().url == url


def _restarts(endpoint, name):
    document = read_json(endpoint.files.observed)
    return next(one["restarts"] for one in (document["gateway"], *document["deployments"]) if one["name"] == name)


def test_what_is_not_on_record_as_itself_is_not_taken_over(endpoint, caller):
    supervisor, gateway, blue = endpoint.supervisor(), process_of(endpoint, "gateway"), process_of(endpoint, "blue")
    document = read_json(endpoint.files.observed)
    kill(supervisor)
    document["deployments"][0]["process"][1] = "1"  # as if another process had got its number
    write_json(endpoint.files.observed, document)
    _succeeded(endpoint, supervisor)
    assert (process_of(endpoint, "gateway"), blue.alive) == (gateway, False)


@pytest.mark.depth
def test_what_hangs_is_not_taken_over(endpoint, caller):
    supervisor, gateway, hung = endpoint.supervisor(), process_of(endpoint, "gateway"), process_of(endpoint, "blue")
    group = [process for process in marked(endpoint.files) if os.getpgid(process.pid) == hung.pid]
    kill(supervisor)
    eventually(lambda: not supervisor.alive)  # the kernel wakes a stopped group when its supervisor ends
    for process in group:
        os.kill(process.pid, signal.SIGSTOP)
    _succeeded(endpoint, supervisor, seconds=40)
    assert (process_of(endpoint, "gateway"), hung.alive) == (gateway, False)


def test_who_starts_it_just_after_the_supervisor_was_killed_leaves_that_to_the_gateway(endpoint, caller):
    supervisor, children = endpoint.supervisor(), children_of(endpoint)
    kill(supervisor)
    eventually(lambda: endpoint.supervisor() is None)
    endpoint.ensure_running()
    _succeeded(endpoint, supervisor)
    assert children_of(endpoint) == children


def test_what_a_killed_supervisor_left_goes_on_while_the_declaration_is_damaged(endpoint, caller):
    supervisor, children, declared = endpoint.supervisor(), children_of(endpoint), endpoint.files.desired.read_bytes()
    endpoint.files.desired.write_bytes(b"{")
    kill(supervisor)
    eventually(lambda: endpoint.supervisor() not in (None, supervisor) and endpoint.observed().healthy)
    time.sleep(0.5)
    assert children_of(endpoint) == children
    assert answers(caller)
    endpoint.files.desired.write_bytes(declared)
    _succeeded(endpoint, supervisor)
    assert children_of(endpoint) == children


def test_stopping_just_after_the_supervisor_was_killed_ends_everything(endpoint, caller):
    kill(endpoint.supervisor())
    endpoint.stop()
    time.sleep(1.5)  # as long as a successor would need
    assert (endpoint.supervisor(), marked(endpoint.files)) == (None, [])
    endpoint.ensure_running()


def test_who_starts_it_while_it_ends_waits_for_that_and_starts_it_anew(endpoint, caller):
    before = endpoint.supervisor()
    os.kill(before.pid, signal.SIGTERM)
    eventually(lambda: endpoint.files.keeper() is None or endpoint.files.keeper().ending)
    endpoint.ensure_running()
    assert endpoint.supervisor() not in (None, before)
    _succeeded(endpoint, before)


def test_doctor_asks_each_declared_deployment_and_names_the_one_whose_log_is_dead(endpoint, caller, models):
    settings = Settings(home=Path(endpoint.folder).parent)
    both = DesiredState({"blue": models["1"], "green": models["2"]}, {"blue": 100, "green": 0})
    endpoint.deploy(both)
    endpoint.wait_until_converged()
    well = {found.name: found.fine for found in online_endpoint(settings)}
    asked = ["answer of blue", "prediction log of blue", "answer of green", "prediction log of green"]
    assert well == dict.fromkeys(["online endpoint", *asked], True)
    canary = psutil.Process(process_of(endpoint, "green").pid)
    try:
        for process in (canary, *canary.children(recursive=True)):
            before = resource.prlimit(process.pid, resource.RLIMIT_FSIZE)
            resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (0, before[1]))  # its disk takes nothing more
        ill = {found.name: found for found in online_endpoint(settings)}
    finally:
        endpoint.deploy(only("blue", models["1"]))
    assert [name for name in asked if not ill[name].fine] == ["prediction log of green"]
    assert "see `globolatte endpoints list`" in ill["prediction log of green"].remedy
    now = {child.pid for child in children_of(endpoint)}
    groups = {os.getpgid(process.pid) for process in marked(endpoint.files)}
    assert groups == now


def test_only_one_supervisor_runs_for_a_folder(endpoint, caller):
    second = subprocess.run(
        [sys.executable, "-m", "resources.endpoint.local.supervisor", endpoint.folder],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert "another supervisor keeps" in second.stdout
    assert answers(caller)


def test_stopping_ends_everything_and_starting_brings_it_back(endpoint, caller):
    url = endpoint.observed().url
    endpoint.stop()
    assert not marked(endpoint.files)
    assert not endpoint.observed().running
    endpoint.ensure_running()
    endpoint.wait_until_converged()
    assert endpoint.observed().url == url


def test_after_a_restart_of_the_machine_it_is_declared_and_not_running_until_it_is_brought_back(endpoint, caller):
    for process in (endpoint.supervisor(), *children_of(endpoint), *marked(endpoint.files)):
        with suppress(ProcessLookupError):
            kill(process)
    eventually(lambda: not marked(endpoint.files))
    assert endpoint.observed().missing == "blue (100 %)"
    assert endpoint.bring_back()
    caller.close()
    eventually(lambda: answers(caller))
    assert not endpoint.observed().missing
    assert not endpoint.bring_back()


def test_what_somebody_stopped_is_not_brought_back(endpoint, caller):
    endpoint.stop()
    assert not endpoint.observed().missing
    assert not endpoint.bring_back()
    endpoint.ensure_running()


def test_a_port_that_another_program_has_is_said_and_taken_back_when_it_is_free(endpoint, caller):
    usual = endpoint.observed().url
    port = int(usual.rpartition(":")[2])
    endpoint.stop()
    with socket.create_server(("127.0.0.1", port)):
        endpoint.ensure_running()
        endpoint.wait_until_converged()
        meanwhile = Caller(endpoint)
        assert answers(meanwhile)
        meanwhile.close()
        other = int(endpoint.observed().url.rpartition(":")[2])
        assert other != port
        assert f"port {port}, its usual one, is taken by another program" in endpoint.observed().note
    eventually(lambda: endpoint.observed().url == usual)
    caller.close()
    eventually(lambda: answers(caller))
    assert get_json(other, "/health")["healthy"], "who knows the other port still gets answers"
    assert not endpoint.observed().note


# What is written down --------------------------------------------------------------------------------------------------


def test_who_asks_for_another_port_while_it_runs_is_told_that_it_goes_on_with_its_own(endpoint, caller):
    port = int(endpoint.observed().url.rpartition(":")[2])
    asked = endpoint.model_copy(update={"port": port + 1})
    asked.ensure_running()
    assert asked.observed().note.startswith(f"answers on port {port}, not on {port + 1}: it was started so")
    assert not endpoint.observed().note


def test_every_answer_is_ingested_once_whatever_is_killed(endpoint, caller, tmp_path):
    warehouse, files = warehouse_in(tmp_path), PredictionFiles(folder=str(endpoint.files.prediction_log))
    for path in files.finished():
        path.unlink()
    statuses = [caller.post(QUESTION, x_request_id=f"logged-{number}").status for number in range(50)]
    assert statuses == [200] * 50
    time.sleep(0.5)  # what is written is no longer lost by a kill
    kill(process_of(endpoint, "blue"))
    eventually(files.finished)
    _ingest_and_be_killed_before_removing(tmp_path, endpoint)
    assert files.finished(), "the file is still there: the process died between commit and removal"
    done = Ingestion()
    for path in files.finished():
        ingest_file(warehouse, PredictionFiles(folder=str(path.parent)), path, "again", Clock(), done)
    assert done.known_files == 1
    assert files.finished() == []
    counted = fetch(
        warehouse,
        "select count(*), count(distinct request_id) from monitoring.prediction_log where request_id like 'logged-%'",
    )
    assert counted == [(50, 50)]


def _ingest_and_be_killed_before_removing(home, endpoint):
    program = f"""
import os, signal
from pathlib import Path
from globolatte_assets.monitoring.prediction_log import Ingestion, ingest_file
from resources.clock import Clock
from resources.endpoint.prediction_files import PredictionFiles
from resources.warehouse.duckdb_file import DuckDBWarehouse
Path.unlink = lambda path, **how: os.kill(os.getpid(), signal.SIGKILL)
files = PredictionFiles(folder={str(endpoint.files.prediction_log)!r})
for path in files.finished():
    ingest_file(DuckDBWarehouse(file={str(home / "warehouse.duckdb")!r}), files, path, "first", Clock(), Ingestion())
"""
    killed = subprocess.run([sys.executable, "-c", program], cwd=Path(__file__).parents[3], timeout=60, check=False)
    assert killed.returncode == -signal.SIGKILL


def test_the_recommender_asset_deploys_the_champion(endpoint, caller, models, tmp_path):
    from globolatte_assets.endpoints.recommender import recommender
    from resources.endpoint.serving_state import ServingStates
    from resources.ml.local.platform import LocalMLPlatform
    from resources.ml.ml_platform import TrainedModel

    ml, model = LocalMLPlatform(folder=str(tmp_path / "mlflow")), models["2"]
    ml.promote(
        ml.register(TrainedModel(Path(model.model_folder), model.content_hash, "snapshot", "job", {})), ["the first"]
    )
    resources = {"ml": ml, "states": ServingStates(folder=endpoint.folder), "endpoint": endpoint}
    result = dg.materialize([recommender], resources=resources, selection=[recommender.key])
    metadata = result.asset_materializations_for_node("endpoints__recommender")[0].metadata
    assert metadata["model_version"].value == "1"  # the registry's first version, whatever its content
    assert metadata["content_hash"].value == model.content_hash
    assert metadata["url"].value == f"{endpoint.observed().url}/score"
    assert metadata["deployment"].value == endpoint.desired().live == "green"
    assert float(metadata["smoke_latency_ms"].value) > 0
    assert dt.datetime.fromisoformat(endpoint.wait_healthy("green").since)


# What is on record and is not so ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("copied", [shutil.copy2, os.link], ids=["copied", "hard links"])
def test_a_copy_of_the_folder_has_no_endpoint_and_stopping_it_leaves_the_original_alone(
    endpoint, caller, tmp_path, copied
):
    copy = LocalEndpoint(folder=str(shutil.copytree(endpoint.folder, tmp_path / "endpoints", copy_function=copied)))
    before = endpoint.supervisor(), children_of(endpoint)
    nothing = ObservedState(None, running=False, healthy=False, routed=False, converged=False, deployments=[])
    assert copy.observed() == replace(nothing, missing="blue (100 %)")
    with pytest.raises(EndpointError, match="does not run"):
        copy.score([QUESTION])
    assert copy.stop() == 0
    assert (endpoint.supervisor(), children_of(endpoint)) == before
    assert answers(caller)


AFTER_A_STEP = """
import sys
from resources.endpoint.local.endpoint import LocalEndpoint
endpoint = LocalEndpoint(folder=sys.argv[1])
assert endpoint.observed().converged
before = endpoint.supervisor()
endpoint.ensure_running()
assert endpoint.supervisor() == before
endpoint.deploy(endpoint.desired())
endpoint.wait_healthy("blue", 5)
"""


@pytest.mark.parametrize("step", [1, -10])
def test_a_step_of_the_clock_changes_nothing(endpoint, caller, stepped_clock, step):
    subprocess.run(
        [*stepped_clock(step), sys.executable, "-c", AFTER_A_STEP, endpoint.folder], cwd=PROJECT_ROOT, check=True
    )
    assert answers(caller)


def test_after_a_step_of_the_clock_what_says_it_has_stopped_has_stopped(endpoint, caller, stepped_clock):
    program = "import sys; from resources.endpoint.local.endpoint import LocalEndpoint; LocalEndpoint(folder=sys.argv[1]).stop()"
    everything = [endpoint.supervisor(), *children_of(endpoint)]
    subprocess.run([*stepped_clock(10), sys.executable, "-c", program, endpoint.folder], cwd=PROJECT_ROOT, check=True)
    assert not any(process.alive for process in everything)
    endpoint.ensure_running()
    endpoint.wait_until_converged()


def test_its_lock_is_there_again_when_a_cleaner_removed_it(endpoint, caller):
    supervisor = endpoint.supervisor()
    endpoint.files.lock.unlink()
    eventually(lambda: endpoint.supervisor() == supervisor)
    assert answers(caller)


def test_what_says_it_has_stopped_has_stopped_after_a_move_of_its_folder_too(endpoint, caller):
    """It was started for a place where it is no more: it ends, in its new place it can be started, and in the old one nothing is made."""
    old, process, children = Path(endpoint.folder), endpoint.supervisor(), children_of(endpoint)
    new = old.with_name("moved")
    shutil.move(old, new)
    moved = LocalEndpoint(folder=str(new), log_seconds=0.5, wait_seconds=40)
    try:
        moved.ensure_running()  # at once: what still holds the lock is about to end
        assert moved.supervisor() not in (None, process)
        assert "was moved, removed or replaced" in moved.files.log("supervisor").read_text()
        assert not any(one.alive for one in (process, *children))
        assert not old.exists()
        moved.wait_until_converged()
        caller.close()
        assert answers(Caller(moved))
        gateway = process_of(moved, "gateway")
        kill(moved.supervisor())  # and its gateway, so that nothing is left that could see the next move
        kill(gateway)
        shutil.move(new, old)
        assert endpoint.stop() > 0, "what was left by the killed ones is found where the folder is now"
    finally:
        moved.stop()
        endpoint.stop()
    assert not marked(endpoint.files)
    endpoint.ensure_running()
    endpoint.wait_until_converged()
