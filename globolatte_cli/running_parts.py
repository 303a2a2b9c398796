"""The parts of a deployment that run beside the command line, each really used: the disk, the endpoint with the prediction log of each
deployment, each part of the daemon, each sensor. For `globolatte doctor`.
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
from resources import environment
from resources.endpoint.endpoint import EndpointError, ObservedState
from resources.endpoint.local.endpoint import LocalEndpoint
from resources.endpoint.local.files import read_json
from resources.endpoint.local.keys import present_key
from resources.settings.settings import Settings

LEAST_FREE_BYTES = 500 * 1024 * 1024
PROBE_SECONDS = 5.0
"""How long a probe's line may take into the log; it is written every fifth of a second."""
SILENT_SECONDS = 180.0
"""After how long without a sign of life the daemon counts as ended; it gives one every 30 seconds."""
PART_SECONDS = 600.0
"""After how long without a sign of life a part of a living daemon counts as ended: one that works on much gives none for minutes."""
TICK_SECONDS = 900.0
"""After how long without a tick a sensor counts as not running while the daemon lives, if it does not tick more seldom by itself."""
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
    if not home.is_dir():
        return Finding("disk", True, "nothing is written: the home is not made yet")
    if not os.access(home, os.W_OK):
        return Finding("disk", True, "nothing is written: the home is read-only")
    free = shutil.disk_usage(home).free
    state, remedy = f"{free / 1e9:,.1f} GB free", f"make room on the disk of {home}, or move the home"
    try:
        with tempfile.TemporaryFile(dir=home, buffering=0) as file:
            file.write(bytes(65536))
    except OSError as error:
        return Finding("disk", False, f"{state}; nothing can be written: {error.strerror}", remedy)
    return Finding("disk", free >= LEAST_FREE_BYTES, state, remedy)


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
    recorded = (read_json(endpoint.files.observed) or {}).get("deployments")
    if not state.running and recorded and not endpoint.files.desired.exists():
        gone = f"does not run, and {endpoint.files.desired} is gone, though {recorded[0]['name']} ran"
        yield Finding(name, False, gone, "run `globolatte endpoints deploy`")
        return
    if not state.running:
        stopped = f"stopped on purpose; {', '.join(declared)} would run; {START}" if declared else "nothing is deployed"
        yield Finding(name, True, stopped, waits=bool(declared))
        return
    if state.deployments and not declared:
        gone = f"{endpoint.files.desired} is gone; what runs goes on running until the next start"
        yield Finding(name, False, gone, "run `globolatte endpoints deploy`")
        return
    yield _as_observed(name, state, endpoint.describe())
    if state.healthy:
        for deployment in endpoint.desired().deployments:
            yield from _asked(settings, endpoint, deployment, state)


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


def _asked(settings: Settings, endpoint: LocalEndpoint, deployment: str, state: ObservedState) -> Iterator[Finding]:
    """Asks a deployment as a caller does. On a read-only home the question leaves nothing anywhere."""
    name, look = f"answer of {deployment}", "see `globolatte endpoints list` and `endpoints logs`"
    observed = state.named(deployment)
    if observed is None or not observed.healthy:
        phase = observed.phase if observed else "not there"
        yield Finding(name, False, f"none: it is declared and does not serve ({phase})", look)
        return
    if not endpoint.files.probe.exists():
        said = "not asked: the endpoint was started by an earlier version, which would log the question as a prediction"
        yield Finding(name, True, said, waits=True)
        return
    try:
        present_key(endpoint.files)
    except (EndpointError, OSError) as error:
        remedy = (
            "write the callers' key into it again, or run `globolatte endpoints rotate-key` and give them the new one"
        )
        yield Finding(name, False, f"not asked: {error}", remedy)
        return
    logged = os.access(settings.home, os.W_OK)
    request_id = f"{endpoint.files.probe_id()}{'' if logged else UNLOGGED}{uuid.uuid4().hex}"
    try:
        question = smoke_question(environment.states_of(settings).current())
        began = time.perf_counter()
        answer = endpoint.score([question], deployment, request_id=request_id)
    except (EndpointError, OSError, ValueError) as error:
        yield Finding(name, False, f"none: {error}", look)
        return
    seconds = time.perf_counter() - began
    if answer["deployment"] != deployment:
        yield Finding(name, False, f"{answer['deployment']} answered in its place", look)
        return
    yield Finding(name, True, f"given in {seconds * 1000:.0f} ms")
    log = f"prediction log of {deployment}"
    if not logged:
        yield Finding(log, True, "not tried: the home is read-only")
        return
    yield _logged(log, endpoint.files.prediction_log, request_id)


def _logged(name: str, folder: Path, request_id: str) -> Finding:
    until = time.monotonic() + PROBE_SECONDS
    while not _is_in(folder, request_id):
        if time.monotonic() > until:
            state = f"an answer given {PROBE_SECONDS:.0f} seconds ago is not in {folder}"
            return Finding(name, False, state, "see `globolatte endpoints list` for the reason; make room there")
        time.sleep(0.1)
    waiting = [path.stat() for path in folder.glob(f"*{FINISHED}")]
    size = sum(one.st_size for one in waiting)
    oldest = max((time.time() - one.st_mtime for one in waiting), default=0.0)
    state = f"written and read; {len(waiting):,} files of {size / 1e6:,.1f} MB wait to be loaded"
    return Finding(name, True, state, waits=oldest > 3600)


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
    """The last sign of life of the daemon and of each of its parts, and what each sensor did."""
    name, ended = "daemon", "run `globolatte dev`, or `globolatte run` for one pass"
    with dg.DagsterInstance.from_config(str(settings.dagster_folder)) as instance:
        beats = instance.get_daemon_heartbeats()
        if not beats:
            yield Finding(name, True, "has never run; `globolatte dev` starts it")
            return
        last = max(beat.timestamp for beat in beats.values())
        if _ago(last) > SILENT_SECONDS:
            newest = instance.get_run_records(limit=1)
            by_hand = bool(newest) and newest[0].create_timestamp.timestamp() > last + SILENT_SECONDS
            state = f"does not run: its last sign of life was at {_at(last)}, and nothing is taken up by itself"
            state += "; runs were started without it since then" if by_hand else ""
            yield Finding(name, by_hand, state, ended, waits=by_hand)
            return
        wrong = list[str]()
        for part in sorted(instance.get_required_daemon_types()):
            beat = beats.get(part)
            if beat is None:
                wrong.append(f"its part {part} has given no sign of life")
            elif _ago(beat.timestamp) > PART_SECONDS:
                wrong.append(f"its part {part} has given none since {_at(beat.timestamp)}")
            wrong += [f"{part}: {_first_line(error.message)}" for error in (beat.errors if beat else None) or ()]
        remedy = "see what `globolatte dev` printed; if it was not started a minute ago, stop it and start it again"
        yield Finding(name, not wrong, "; ".join([f"alive at {_at(last)}", *wrong]), remedy)
        yield _sensors(settings, instance)


def _ago(timestamp: float) -> float:
    """Seconds; a sign from the future was left before the clock was set back, and is as old."""
    return abs(time.time() - timestamp)


def _at(timestamp: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(timestamp))


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else "no reason is on record"


def _sensors(settings: Settings, instance: dg.DagsterInstance) -> Finding:
    """Each sensor by itself; what is on record of those that this release does not have counts for nothing."""
    from sensors.definitions import sensors  # takes the assets with it, and only a living daemon has use for it

    states = {state.name: state for state in instance.all_instigator_state()}
    wrong, on = list[str](), 0
    for sensor in sensors(settings).sensors or ():
        state = states.get(sensor.name)
        if state is not None and state.status.value == "STOPPED":
            wrong.append(f"{sensor.name} is stopped")
            continue
        on += 1
        if state is None:
            wrong.append(f"{sensor.name} has never run")
            continue
        ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=FAILED_TICKS)
        failed = [tick for tick in ticks if tick.status.value == "FAILURE"]
        limit = max(TICK_SECONDS, 3 * (sensor.minimum_interval_seconds or 0))
        if not ticks:
            wrong.append(f"{sensor.name} has never run")
        elif len(failed) == len(ticks) == FAILED_TICKS:
            why = failed[0].error.message if failed[0].error else ""
            wrong.append(f"{sensor.name} fails each time: {_first_line(why)}")
        elif _ago(newest := max(tick.timestamp for tick in ticks)) > limit:
            wrong.append(f"{sensor.name} has not run for {_ago(newest) / 60:.0f} minutes")
    remedy = (
        "start stopped ones in the UI (Automation); for the others see their ticks there, and what `globolatte dev` printed; if that was "
        "started less than a minute ago, look again"
    )
    return Finding("sensors", not wrong, "; ".join(wrong) or f"{on} run", remedy)
