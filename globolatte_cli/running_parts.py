"""The parts of a deployment that run beside the command line, each really used: the disk, the customer state, the endpoint with its
prediction log, the daemon with its sensors. For `globolatte doctor`.
"""

import os
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from globolatte_assets.endpoints.recommender import smoke_question
from globolatte_ml.scoring.prediction_log import FINISHED, UNFINISHED
from globolatte_ml.scoring.service import UNLOGGED
from globolatte_ml.scoring.state_bundle import read_state_bundle
from resources import environment
from resources.endpoint.endpoint import EndpointError, ObservedState
from resources.endpoint.local.endpoint import LocalEndpoint
from resources.settings.settings import Settings

LEAST_FREE_BYTES = 500 * 1024 * 1024
PROBE_SECONDS = 5.0
"""How long a probe's line may take into the log; it is written every fifth of a second."""
SILENT_SECONDS = 180.0
"""After how long without a sign of life the daemon counts as ended; it gives one every 30 seconds."""
TICK_SECONDS = 900.0
"""After how long without a tick of any sensor, while the daemon lives, they count as not running."""
FAILED_TICKS = 3
START = "run `globolatte endpoints start`"
BRING_BACK = "`globolatte endpoints start` starts it again, and so do `globolatte dev` and `globolatte run`"


@dataclass(frozen=True)
class Finding:
    """The result of one check: fine, or the remedy. `waits`: nothing is broken, but something waits for a person."""

    name: str
    fine: bool
    state: str
    remedy: str = ""
    waits: bool = False


def disk(settings: Settings) -> Finding:
    """Whether the home's disk takes what is written, and for how long it will."""
    home = settings.home
    if not home.is_dir() or not os.access(home, os.W_OK):
        return Finding("disk", True, "nothing is written: the home is read-only")
    free = shutil.disk_usage(home).free
    state, remedy = f"{free / 1e9:,.1f} GB free", f"make room on the disk of {home}, or move the home"
    try:
        with tempfile.TemporaryFile(dir=home, buffering=0) as file:
            file.write(bytes(65536))
    except OSError as error:
        return Finding("disk", False, f"{state}; nothing can be written: {error.strerror}", remedy)
    return Finding("disk", free >= LEAST_FREE_BYTES, state, remedy)


def customer_state(settings: Settings) -> Finding:
    """Opens the customer state that serving reads."""
    states = environment.states_of(settings)
    try:
        folder = states.current()
    except FileNotFoundError:
        return Finding("customer state", True, "none is published yet")
    try:
        bundle = read_state_bundle(folder)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with its files, it cannot be served
        return Finding("customer state", False, f"cannot be read: {error}", "run `globolatte run`: it publishes one")
    return Finding("customer state", True, f"{folder.name}, of {len(bundle.business_units)} units")


def online_endpoint(settings: Settings) -> Iterator[Finding]:
    """What should run and what runs; asks a question, and reads the line that its answer leaves in the log."""
    endpoint = environment.endpoint_of(settings)
    name, state = "online endpoint", endpoint.observed()
    if not isinstance(endpoint, LocalEndpoint):
        yield _as_observed(name, state, endpoint.describe())
        return
    try:
        declared = [f"{key} (model version {one.model_version})" for key, one in endpoint.desired().deployments.items()]
    except EndpointError as error:
        yield Finding(name, False, str(error), "run `globolatte endpoints deploy`")
        return
    if state.missing:
        yield Finding(name, False, f"declared, not running: {state.missing}", BRING_BACK)
        return
    if not state.running:
        stopped = f"stopped on purpose; {', '.join(declared)} would run; {START}" if declared else "nothing is deployed"
        yield Finding(name, True, stopped, waits=bool(declared))
        return
    if state.deployments and not declared:
        gone = f"{endpoint.files.desired} is gone; what runs goes on running until the next start"
        yield Finding(name, False, gone, "run `globolatte endpoints deploy`")
        return
    found = _as_observed(name, state, endpoint.describe())
    yield found
    if state.deployments and state.healthy:
        yield from _asked(settings, endpoint)


def _as_observed(name: str, state: ObservedState, where: str) -> Finding:
    if not state.running:
        return Finding(name, True, "nothing is deployed")
    serving = ", ".join(f"{one.name} ({one.phase}, {one.traffic} %)" for one in state.deployments) or "no deployment"
    problems = [f"{one.name}: {problem}" for one in state.deployments for problem in one.problems]
    down = [one.name for one in state.deployments if one.traffic and not one.healthy]
    words = "; ".join(
        [
            f"{where}: {serving}",
            *([] if state.healthy else ["the gateway does not answer"]),
            *problems,
            *filter(None, [state.note]),
        ]
    )
    logs = f"see `globolatte endpoints logs {down[0] if down else 'gateway'}`"
    remedy = logs if down or not state.healthy else "mend what the message names; it is tried again by itself"
    return Finding(name, state.healthy and not problems and not down, words, remedy, waits=bool(state.note))


def _asked(settings: Settings, endpoint: LocalEndpoint) -> Iterator[Finding]:
    """Asks the endpoint as a caller does. On a read-only home the question leaves nothing anywhere."""
    if not endpoint.files.probe.exists():
        state = (
            "not asked: the endpoint was started by an earlier version, which would log the question as a prediction"
        )
        yield Finding("an answer", True, state, waits=True)
        return
    logged = os.access(settings.home, os.W_OK)
    request_id = f"{endpoint.files.probe_id()}{'' if logged else UNLOGGED}{uuid.uuid4().hex}"
    try:
        question = smoke_question(environment.states_of(settings).current())
        began = time.perf_counter()
        answer = endpoint.score([question], request_id=request_id)
    except (EndpointError, OSError, ValueError) as error:
        yield Finding("an answer", False, f"none: {error}", "see `globolatte endpoints list` and `endpoints logs`")
        return
    seconds = time.perf_counter() - began
    yield Finding("an answer", True, f"{answer['deployment']} answered in {seconds * 1000:.0f} ms")
    if not logged:
        yield Finding("prediction log", True, "not tried: the home is read-only")
        return
    yield _logged(endpoint.files.prediction_log, request_id)


def _logged(folder: Path, request_id: str) -> Finding:
    until = time.monotonic() + PROBE_SECONDS
    while not _is_in(folder, request_id):
        if time.monotonic() > until:
            state = f"an answer given {PROBE_SECONDS:.0f} seconds ago is not in {folder}"
            return Finding(
                "prediction log", False, state, "see `globolatte endpoints list` for the reason; make room there"
            )
        time.sleep(0.1)
    waiting = [path.stat() for path in folder.glob(f"*{FINISHED}")]
    size = sum(one.st_size for one in waiting)
    oldest = max((time.time() - one.st_mtime for one in waiting), default=0.0)
    state = f"written and read; {len(waiting):,} files of {size / 1e6:,.1f} MB wait to be loaded"
    return Finding("prediction log", True, state, waits=oldest > 3600)


def _is_in(folder: Path, request_id: str) -> bool:
    """Whether the end of a file that was written just now has the line."""
    for path in [*folder.glob(f"*{UNFINISHED}"), *folder.glob(f"*{FINISHED}")]:
        try:
            if time.time() - path.stat().st_mtime < 10 * PROBE_SECONDS:
                with path.open("rb") as stream:
                    stream.seek(max(0, path.stat().st_size - 1024 * 1024))
                    if request_id.encode() in stream.read():
                        return True
        except FileNotFoundError:  # it was finished, or loaded, just now
            continue
    return False


def daemon(settings: Settings) -> Iterator[Finding]:
    """The daemon's last sign of life, and what its sensors did."""
    folder = settings.dagster_folder
    if not (folder / "dagster.yaml").exists():
        yield Finding("daemon", True, "has never run; `globolatte dev` starts it")
        return
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        beats = instance.get_daemon_heartbeats().values()
        if not beats:
            yield Finding("daemon", True, "has never run; `globolatte dev` starts it")
            return
        last = max(beat.timestamp for beat in beats)
        silent = abs(time.time() - last)  # a sign from the future was left before the clock was set back
        at = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(last))
        if silent > SILENT_SECONDS:
            newest = instance.get_run_records(limit=1)
            by_hand = bool(newest) and newest[0].create_timestamp.timestamp() > last + SILENT_SECONDS
            state = f"does not run: its last sign of life was at {at}, and nothing is taken up by itself"
            state += "; runs were started without it since then" if by_hand else ""
            yield Finding(
                "daemon", by_hand, state, "run `globolatte dev`, or `globolatte run` for one pass", waits=by_hand
            )
            return
        errors = [error.message.strip().splitlines()[0] for beat in beats for error in beat.errors or ()]
        state = f"alive at {at}" + "".join(f"; {error}" for error in errors)
        yield Finding("daemon", not errors, state, "see what `globolatte dev` printed")
        yield _sensors(instance)


def _sensors(instance: dg.DagsterInstance) -> Finding:
    wrong, newest = list[str](), 0.0
    states = [state for state in instance.all_instigator_state() if state.instigator_type.value == "SENSOR"]
    for state in states:
        if state.status.value == "STOPPED":
            wrong.append(f"{state.name} is stopped")
            continue
        ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=FAILED_TICKS)
        newest = max([newest, *(tick.timestamp for tick in ticks)])
        failed = [tick for tick in ticks if tick.status.value == "FAILURE"]
        if ticks and len(failed) == len(ticks) == FAILED_TICKS:
            why = failed[0].error.message.strip().splitlines()[0] if failed[0].error else "no reason is on record"
            wrong.append(f"{state.name} fails each time: {why}")
    if states and not wrong and time.time() - newest > TICK_SECONDS:
        wrong.append(f"none has run for {(time.time() - newest) / 60:.0f} minutes")
    remedy = "start stopped ones in the UI (Automation); for the others see their ticks there, and what `globolatte dev` printed"
    return Finding("sensors", not wrong, "; ".join(wrong) or f"{len(states)} run", remedy)
