"""Doctor uses each part, and is red with a remedy in every broken state; the faults are those of `globolatte drill`."""

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, nullcontext
from pathlib import Path

import dagster as dg
import pytest

from globolatte_cli.doctor import CHECKS, findings
from globolatte_cli.drill.stage import Fault, Stage, played, stage_in
from globolatte_cli.drill.states import STATES
from globolatte_cli.running_parts import Finding, daemon
from resources.settings.settings import Settings
from sensors.definitions import sensors
from tests.homes import NewHome


@pytest.fixture(scope="module")
def stage(home_that_ran: NewHome, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    """One copy of a home that has run, for all broken states: each is mended after it was played."""
    settings = Settings(home=home_that_ran().folder)
    with pytest.MonkeyPatch.context() as patch:
        for name in settings.environment_variables():
            patch.setenv(name, "")  # what doctor passes on to children ends with this module
        yield stage_in(tmp_path_factory.mktemp("stage") / "home", settings)


def contents(folder: Path) -> dict[str, str]:
    """Everything below a folder: files by their content, folders by their being there."""
    return {
        str(path): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "a folder"
        for path in folder.rglob("*")
        if not path.name.endswith(("-wal", "-shm"))  # SQLite makes them beside a file that is open
    }


def test_a_home_that_ran_is_all_green(stage: Stage) -> None:
    assert stage.doctor() == []


@pytest.mark.parametrize("fault", STATES, ids=lambda fault: fault.name)
def test_doctor_is_red_with_a_remedy_in_a_broken_state(stage: Stage, fault: Fault) -> None:
    shown = played(fault, stage)
    assert shown.fine, f"{shown}: {list(findings(stage.settings))}"


@pytest.mark.parametrize("fault", [None, *STATES], ids=lambda fault: fault.name if fault else "as it is")
def test_doctor_changes_nothing_in_the_home(stage: Stage, fault: Fault | None) -> None:
    with fault.play(stage) if fault else nullcontext():
        before = contents(stage.home)
        assert len(list(findings(stage.settings))) >= len(CHECKS)
        assert contents(stage.home) == before


def test_doctor_makes_nothing_where_there_is_no_home_yet(tmp_path: Path) -> None:
    found = {one.name: one for one in findings(Settings(home=tmp_path / "home"))}
    assert not list(tmp_path.iterdir())
    assert {name for name, one in found.items() if not one.fine} == {"landing zone", "ML platform"}
    assert "the first `globolatte run` makes it" in found["warehouse"].state


def test_there_are_at_least_fifteen_broken_states() -> None:
    assert len({fault.name for fault in STATES}) == len(STATES) >= 15


def test_after_all_of_them_were_mended_it_is_green_again(stage: Stage) -> None:
    assert stage.doctor() == []


# The daemon's own records ----------------------------------------------------------------------------------------------


def heartbeats(stage: Stage, seconds_ago: float, **others: float | None) -> None:
    """What each part of a daemon leaves of itself every 30 seconds; `others` by their name in lower case, none for no sign at all."""
    with dg.DagsterInstance.from_config(str(stage.settings.dagster_folder)) as instance:
        parts = instance.get_required_daemon_types()
    with closing(sqlite3.connect(stage.settings.dagster_folder / "history" / "runs.db")) as runs, runs:
        runs.execute("delete from daemon_heartbeats")
        for part in parts:
            ago = others.get(part.lower(), seconds_ago)
            if ago is None:
                continue
            at = time.time() - ago
            body = {
                "__class__": "DaemonHeartbeat",
                "daemon_id": "x",
                "daemon_type": part,
                "errors": [],
                "timestamp": at,
            }
            row = (part, "x", time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at)), json.dumps(body))
            runs.execute(
                "insert into daemon_heartbeats (daemon_type, daemon_id, timestamp, body) values (?, ?, ?, ?)", row
            )


def found(stage: Stage) -> dict[str, Finding]:
    return {one.name: one for one in daemon(stage.settings)}


def test_a_daemon_that_ended_is_red_with_the_time_of_its_last_sign_of_life(stage: Stage) -> None:
    heartbeats(stage, -4000)  # it was left before the clock was set back, after every run
    there = found(stage)["daemon"]
    assert not there.fine
    assert "does not run: its last sign of life was at" in there.state
    assert "globolatte dev" in there.remedy


def test_a_daemon_that_ended_and_passes_by_hand_since_then_only_wait(stage: Stage) -> None:
    heartbeats(stage, 10 * 365 * 86400)
    there = found(stage)["daemon"]
    assert (there.fine, there.waits) == (True, True)
    assert "runs were started without it" in there.state


def test_a_living_daemon_is_green(stage: Stage) -> None:
    heartbeats(stage, 5)
    assert found(stage)["daemon"].fine


@pytest.mark.parametrize(
    ("ago", "words"),
    [(3600.0, "its part SENSOR has given none since"), (None, "its part SENSOR has given no sign of life")],
    ids=["ended", "never began"],
)
def test_a_dead_part_of_a_living_daemon_is_red_by_name(stage: Stage, ago: float | None, words: str) -> None:
    heartbeats(stage, 5, sensor=ago)
    there = found(stage)["daemon"]
    assert not there.fine
    assert words in there.state
    assert "start it again" in there.remedy


Ticks = list[tuple[str, float]]
"""As (status, seconds ago)."""
WELL: Ticks = [("SKIPPED", 1.0)]


def ticked(stage: Stage, landing: tuple[str, Ticks] | None) -> None:
    """The sensors as Dagster has them on record: all well, and the landing zone's with this status and these ticks, if it has any."""
    records = {sensor.name: ("RUNNING", WELL) for sensor in sensors(stage.settings).sensors or ()}
    records.pop("landing_sensor")
    records |= {"sensor_of_an_earlier_release": ("RUNNING", [("FAILURE", 86400.0)])}
    records |= {"landing_sensor": landing} if landing else {}
    with dg.DagsterInstance.from_config(str(stage.settings.dagster_folder)):
        pass  # makes the tables
    with closing(sqlite3.connect(stage.settings.dagster_folder / "schedules" / "schedules.db")) as there, there:
        for table in ("jobs", "instigators", "job_ticks"):
            there.execute(f"delete from {table}")
        for name, (status, _) in records.items():
            row = (name, "repository", status, "SENSOR", json.dumps(instigator(name, status)))
            there.execute(
                "insert into instigators (selector_id, repository_selector_id, status, instigator_type, instigator_body) "
                "values (?, ?, ?, ?, ?)",
                row,
            )
    with dg.DagsterInstance.from_config(str(stage.settings.dagster_folder)) as instance:
        states = {state.name: state for state in instance.all_instigator_state()}
    with closing(sqlite3.connect(stage.settings.dagster_folder / "schedules" / "schedules.db")) as there, there:
        for name, (_, ticks) in records.items():
            origin = states[name].instigator_origin_id
            for outcome, ago in ticks:
                at = time.time() - ago
                moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at))
                row = (origin, states[name].selector_id, outcome, "SENSOR", moment)
                there.execute(
                    "insert into job_ticks (job_origin_id, selector_id, status, type, timestamp, tick_body) values (?, ?, ?, ?, ?, ?)",
                    (*row, json.dumps(tick(name, origin, outcome, at))),
                )


SENSOR = {"__enum__": "InstigatorType.SENSOR"}


def instigator(name: str, status: str) -> dict[str, object]:
    """A sensor as Dagster writes it."""
    location = {"__class__": "RegisteredRepositoryLocationOrigin", "location_name": "globolatte"}
    repository = {
        "__class__": "ExternalRepositoryOrigin",
        "repository_location_origin": location,
        "repository_name": "__repository__",
    }
    return {
        "__class__": "InstigatorState",
        "job_specific_data": {"__class__": "SensorInstigatorData", "min_interval": 30},
        "job_type": SENSOR,
        "origin": {"__class__": "ExternalJobOrigin", "external_repository_origin": repository, "job_name": name},
        "status": {"__enum__": f"InstigatorStatus.{status}"},
    }


def tick(name: str, origin: str, outcome: str, at: float) -> dict[str, object]:
    """A sensor's tick as Dagster writes it."""
    error = {"__class__": "SerializableErrorInfo", "cause": None, "cls_name": None, "message": "it broke", "stack": []}
    return {
        "__class__": "TickData",
        "error": error if outcome == "FAILURE" else None,
        "job_name": name,
        "job_origin_id": origin,
        "job_type": SENSOR,
        "selector_id": name,
        "status": {"__enum__": f"TickStatus.{outcome}"},
        "timestamp": at,
        "run_ids": [],
        "run_keys": [],
    }


@pytest.mark.parametrize(
    ("landing", "words"),
    [
        (("STOPPED", []), "landing_sensor is stopped"),
        (
            ("RUNNING", [("FAILURE", 60.0), ("FAILURE", 30.0), ("FAILURE", 1.0)]),
            "landing_sensor fails each time: it broke",
        ),
        (("RUNNING", [("SKIPPED", 3600.0)]), "landing_sensor has not run for 60 minutes"),
        (("RUNNING", []), "landing_sensor has never run"),
        (None, "landing_sensor has never run"),
        (("RUNNING", [("FAILURE", 60.0), ("FAILURE", 30.0), ("SKIPPED", 1.0)]), ""),
    ],
    ids=["stopped", "fails each time", "does not run", "without a tick", "not on record", "has recovered"],
)
def test_a_sensor_that_does_not_work_is_red_by_name_though_all_others_do(
    stage: Stage, landing: tuple[str, Ticks] | None, words: str
) -> None:
    heartbeats(stage, 5)
    ticked(stage, landing)
    there = found(stage)["sensors"]
    assert (there.fine, there.state if words else "") == (not words, words)
    assert "Automation" in there.remedy
