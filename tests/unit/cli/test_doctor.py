"""Doctor uses each part, and is red with a remedy in every broken state; the faults are those of `globolatte drill`."""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import dagster as dg
import pytest

from globolatte_cli.doctor import findings
from globolatte_cli.drill.stage import Fault, Stage, played, stage_in
from globolatte_cli.drill.states import STATES
from globolatte_cli.running_parts import Finding, daemon
from resources.settings.settings import Settings
from tests.homes import NewHome


@pytest.fixture(scope="module")
def stage(home_that_ran: NewHome, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One copy of a home that has run, for all broken states: each is mended after it was played."""
    settings = Settings(home=home_that_ran().folder)
    with pytest.MonkeyPatch.context() as patch:
        for name in settings.environment_variables():
            patch.setenv(name, "")  # what doctor passes on to children ends with this module
        yield stage_in(tmp_path_factory.mktemp("stage") / "home", settings)


def test_a_home_that_ran_is_all_green(stage: Stage) -> None:
    assert not stage.red
    assert stage.doctor() == []


@pytest.mark.parametrize("fault", STATES, ids=lambda fault: fault.name)
def test_doctor_is_red_with_a_remedy_in_a_broken_state(stage: Stage, fault: Fault) -> None:
    shown = played(fault, stage)
    assert not shown.silent, f"{shown}: {list(findings(stage.settings))}"


def test_after_all_of_them_were_mended_it_is_green_again(stage: Stage) -> None:
    assert stage.doctor() == []


# The daemon's own records ----------------------------------------------------------------------------------------------


def heartbeat(stage: Stage, seconds_ago: float) -> None:
    """What a daemon leaves of itself every 30 seconds."""
    at = time.time() - seconds_ago
    body = {"__class__": "DaemonHeartbeat", "daemon_id": "x", "daemon_type": "SENSOR", "errors": [], "timestamp": at}
    with closing(sqlite3.connect(stage.settings.dagster_folder / "history" / "runs.db")) as runs, runs:
        runs.execute("delete from daemon_heartbeats")
        row = ("SENSOR", "x", time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at)), json.dumps(body))
        runs.execute("insert into daemon_heartbeats (daemon_type, daemon_id, timestamp, body) values (?, ?, ?, ?)", row)


def found(stage: Stage) -> dict[str, Finding]:
    return {one.name: one for one in daemon(stage.settings)}


def test_a_daemon_that_ended_is_red_with_the_time_of_its_last_sign_of_life(stage: Stage) -> None:
    heartbeat(stage, -4000)  # it was left before the clock was set back, after every run
    there = found(stage)["daemon"]
    assert not there.fine
    assert "does not run: its last sign of life was at" in there.state
    assert "globolatte dev" in there.remedy


def test_a_daemon_that_ended_and_passes_by_hand_since_then_only_wait(stage: Stage) -> None:
    heartbeat(stage, 10 * 365 * 86400)
    there = found(stage)["daemon"]
    assert (there.fine, there.waits) == (True, True)
    assert "runs were started without it" in there.state


def test_a_living_daemon_is_green(stage: Stage) -> None:
    heartbeat(stage, 5)
    assert found(stage)["daemon"].fine


@contextmanager
def schedules(stage: Stage) -> Iterator[sqlite3.Connection]:
    """Dagster's records of sensors and their ticks."""
    with closing(sqlite3.connect(stage.settings.dagster_folder / "schedules" / "schedules.db")) as found, found:
        yield found


def sensor(stage: Stage, status: str, ticks: list[tuple[str, float]]) -> None:
    """A sensor as Dagster has it on record, with ticks as (status, seconds ago)."""
    repository = {
        "__class__": "ExternalRepositoryOrigin",
        "repository_location_origin": {
            "__class__": "RegisteredRepositoryLocationOrigin",
            "location_name": "globolatte",
        },
        "repository_name": "__repository__",
    }
    origin = {
        "__class__": "ExternalJobOrigin",
        "external_repository_origin": repository,
        "job_name": "landing_sensor",
    }
    kind = {"__enum__": "InstigatorType.SENSOR"}
    data = {"__class__": "SensorInstigatorData", "min_interval": 30}
    body = {"__class__": "InstigatorState", "job_specific_data": data, "job_type": kind, "origin": origin}
    body["status"] = {"__enum__": f"InstigatorStatus.{status}"}
    with dg.DagsterInstance.from_config(str(stage.settings.dagster_folder)):
        pass  # makes the tables
    with schedules(stage) as records:
        for table in ("jobs", "instigators", "job_ticks"):
            records.execute(f"delete from {table}")
        row = ("selector", "repository", status, "SENSOR", json.dumps(body))
        records.execute(
            "insert into instigators (selector_id, repository_selector_id, status, instigator_type, instigator_body) "
            "values (?, ?, ?, ?, ?)",
            row,
        )
    with dg.DagsterInstance.from_config(str(stage.settings.dagster_folder)) as instance:
        [state] = instance.all_instigator_state()
    for outcome, ago in ticks:
        at = time.time() - ago
        error = {
            "__class__": "SerializableErrorInfo",
            "cause": None,
            "cls_name": None,
            "message": "it broke",
            "stack": [],
        }
        tick = {
            "__class__": "TickData",
            "error": error if outcome == "FAILURE" else None,
            "job_name": state.name,
            "job_origin_id": state.instigator_origin_id,
            "job_type": kind,
            "selector_id": state.selector_id,
            "status": {"__enum__": f"TickStatus.{outcome}"},
            "timestamp": at,
            "run_ids": [],
            "run_keys": [],
        }
        moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))
        with schedules(stage) as records:
            records.execute(
                "insert into job_ticks (job_origin_id, selector_id, status, type, timestamp, tick_body) values (?, ?, ?, ?, ?, ?)",
                (state.instigator_origin_id, state.selector_id, outcome, "SENSOR", moment, json.dumps(tick)),
            )


@pytest.mark.parametrize(
    ("status", "ticks", "words"),
    [
        ("STOPPED", [], "landing_sensor is stopped"),
        (
            "RUNNING",
            [("FAILURE", 60.0), ("FAILURE", 30.0), ("FAILURE", 1.0)],
            "landing_sensor fails each time: it broke",
        ),
        ("RUNNING", [("SKIPPED", 3600.0)], "none has run for 60 minutes"),
        ("RUNNING", [("FAILURE", 60.0), ("FAILURE", 30.0), ("SKIPPED", 1.0)], ""),
    ],
    ids=["stopped", "fails each time", "does not run", "has recovered"],
)
def test_sensors_that_do_not_work_are_red_by_name(
    stage: Stage, status: str, ticks: list[tuple[str, float]], words: str
) -> None:
    heartbeat(stage, 5)
    sensor(stage, status, ticks)
    there = found(stage)["sensors"]
    assert there.fine is not bool(words)
    assert words in there.state
    assert "Automation" in there.remedy
