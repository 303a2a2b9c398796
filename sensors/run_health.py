"""Finds runs whose process is gone, marks them failed, frees their pool slots, and requests what they left undone.

A killed run still occupies its pool slot, and the next run would wait for it for ever.
"""

import datetime as dt
import hashlib
import json
import time
from collections.abc import Iterable

import dagster as dg
import psutil

from globolatte_assets.automation import FOLLOWERS
from globolatte_assets.execution import PROCESS_TAG, as_tag, from_tag, run_beat, run_lock
from globolatte_assets.keys import DBT_GROUPS
from resources.endpoint.endpoint import Endpoint
from resources.endpoint.serving_state import ServingStates
from resources.environment import warehouse_with_short_timeout
from resources.ml.ml_platform import MLPlatform
from resources.processes import HERE, ProcessId, Standing, find_process, is_held
from resources.settings.settings import Settings
from resources.warehouse.warehouse import WarehouseBusyError
from sensors.outstanding import lost_work

UNFINISHED = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.CANCELING]
ACTIVE = [*UNFINISHED, dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED]


CLOCK_SECONDS = 86_400.0
"""How far the clock may have been set. By the clock only processes of runs that name none themselves are told apart."""


LAUNCHED_TAG = "globolatte/launched_process"
"""Which process a launched run had when it was first seen without naming one itself: `run process`, see `PROCESS_TAG`."""


def process_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> ProcessId | None:
    """The process that executes a run, or none while no process has reported it."""
    if PROCESS_TAG in run.tags and not _is_inherited(instance, run):
        return from_tag(run.tags[PROCESS_TAG])
    records = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT).records
    for record in records:
        event = record.event_log_entry.dagster_event
        metadata = event.engine_event_data.metadata if event is not None else {}
        if "pid" in metadata:
            return _launched_process(instance, run, int(str(metadata["pid"].value)), record.event_log_entry.timestamp)
    return None


def _is_inherited(instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether the tag is about the run of which this one is a repetition: Dagster gives it all its tags."""
    parent = instance.get_run_by_id(run.parent_run_id) if run.parent_run_id else None
    return parent is not None and parent.tags.get(PROCESS_TAG) == run.tags[PROCESS_TAG]


def _launched_process(instance: dg.DagsterInstance, run: dg.DagsterRun, pid: int, reported_at: float) -> ProcessId:
    """The process of a launched run that does not name it yet. It is one that has ended if a much younger process has its id.

    Dagster records nothing of it but the id, so the first look goes by the clock; what it saw is on record for the next.
    """
    of_run, _, seen = run.tags.get(LAUNCHED_TAG, "").partition(" ")
    if of_run == run.run_id:
        return from_tag(seen)
    ended = ProcessId(pid, "ended")
    try:
        started_later = psutil.Process(pid).create_time() > reported_at + CLOCK_SECONDS
    except psutil.NoSuchProcess:
        started_later = True
    found = None if started_later else find_process(pid)
    if found is None:
        return ended
    instance.add_run_tags(run.run_id, {LAUNCHED_TAG: f"{run.run_id} {as_tag(found)}"})
    return found


SILENT_SECONDS = 600.0
"""After how long without a new sign of life a run counts as dead whose process and lock cannot be seen. It gives one every 20 seconds."""
BEAT_TAG = f"globolatte/seen_beat_{HERE.boot}"
"""The last sign of life of such a run and when this machine, since its start, first saw it: `run/seconds/beat`, by the clock of the kernel
that nobody sets. Each machine that looks has a tag of its own."""


def is_dead(
    instance: dg.DagsterInstance, run: dg.DagsterRun, process: ProcessId, silent_seconds: float = SILENT_SECONDS
) -> bool:
    """Whether the process of a run has ended.

    Of this boot of this machine the lock of the run tells, also where the process itself cannot be seen, in a container, or where
    it executes the run of another home of which this one is a copy. Processes of other machines cannot be seen, and whether their locks
    are depends on the file system: a lock that is held says that the run goes on, one that is not says nothing, and then the sign of
    life in the home counts. Where it gives none that can be read here, nothing is known, and the run counts as alive.
    """
    lock = run_lock(instance, run.run_id)
    if process.boot and process.boot == HERE.boot and lock.exists():
        return not is_held(lock)
    if process.standing is not Standing.UNSEEN:
        return process.standing is Standing.ENDED
    return not is_held(lock) and _is_silent(instance, run, silent_seconds)


def _beat(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str | None:
    try:
        return run_beat(instance, run.run_id).read_text()
    except OSError:
        return None


def _is_silent(instance: dg.DagsterInstance, run: dg.DagsterRun, silent_seconds: float) -> bool:
    """Whether a run gave no new sign of life for so long. One that is gone is none."""
    beat, seen = _beat(instance, run), run.tags.get(BEAT_TAG, "").split("/")
    known = len(seen) == 3 and seen[0] == run.run_id
    if beat is None and not known:
        return False
    if not known or beat not in (None, seen[2]):
        seen = [run.run_id, str(time.monotonic()), beat or ""]
        instance.add_run_tags(run.run_id, {BEAT_TAG: "/".join(seen)})
    return time.monotonic() - float(seen[1]) >= silent_seconds


def out_of_sight(instance: dg.DagsterInstance) -> list[str]:
    """Unfinished runs of other machines or containers of which nothing can be known here; only a person can say that they have ended."""
    runs = instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))
    seen = [(run, process_of(instance, run)) for run in runs]
    return [
        f"{run.run_id} on {process.host}"
        for run, process in seen
        if process is not None
        and process.standing is Standing.UNSEEN
        and not run_lock(instance, run.run_id).exists()
        and _beat(instance, run) is None
        and BEAT_TAG not in run.tags
    ]


START_PATIENCE_SECONDS = 300.0
"""How long a run may be starting before a process has reported it. A process starts within seconds, a container within minutes."""


SEEN_TAG = "globolatte/seen_starting"
"""When a run without a process was first seen: `run/boot/seconds`, by the clock of the kernel that nobody sets."""


def never_started(instance: dg.DagsterInstance, record: dg.RunRecord, patience_seconds: float) -> bool:
    """Whether the run's launch was cut off before it had a process: it would stay in its start for ever, and others would wait.

    The time since it was first seen counts, not that by a clock which may have been set meanwhile.
    """
    run = record.dagster_run
    if run.status is not dg.DagsterRunStatus.STARTING:
        return False
    if (dt.datetime.now(dt.UTC) - record.update_timestamp).total_seconds() >= patience_seconds + CLOCK_SECONDS:
        return True
    mark, _, seen = run.tags.get(SEEN_TAG, "").rpartition("/")
    if not seen or mark != f"{run.run_id}/{HERE.boot}":
        mark, seen = f"{run.run_id}/{HERE.boot}", str(time.monotonic())
        instance.add_run_tags(run.run_id, {SEEN_TAG: f"{mark}/{seen}"})
    return time.monotonic() - float(seen) >= patience_seconds


SECOND_LOOK_SECONDS = 0.2
"""After how long a run that looks dead is looked at again: one that begins has its lock's file for an instant before the lock, and
one that ends removes the file before its process is gone."""


def fail_dead_runs(
    instance: dg.DagsterInstance,
    patience_seconds: float = START_PATIENCE_SECONDS,
    silent_seconds: float = SILENT_SECONDS,
) -> list[str]:
    """Marks runs whose process is gone, or never started, as failed and frees their pool slots; returns their ids."""

    def looking_dead(among: list[str] | None = None) -> list[dg.DagsterRun]:
        found = []
        unfinished = [*UNFINISHED, dg.DagsterRunStatus.NOT_STARTED]
        for record in instance.get_run_records(dg.RunsFilter(run_ids=among, statuses=unfinished)):
            run = record.dagster_run
            process = process_of(instance, run)
            if (
                is_dead(instance, run, process, silent_seconds)
                if process
                else never_started(instance, record, patience_seconds)
            ):
                found.append(run)
        return found

    dead = looking_dead()
    if dead:
        time.sleep(SECOND_LOOK_SECONDS)
        dead = looking_dead([run.run_id for run in dead])
    for run in dead:
        instance.report_run_failed(
            run, "The process of this run is gone (killed, the machine was restarted, or no sign of life came from it)."
        )
        run_lock(instance, run.run_id).unlink(missing_ok=True)
        run_beat(instance, run.run_id).unlink(missing_ok=True)
    free_slots_of(instance, (run.run_id for run in dead))
    return [run.run_id for run in dead]


def free_slots_of(instance: dg.DagsterInstance, run_ids: Iterable[str]) -> None:
    """Gives back the pool slots that these runs hold or wait for."""
    storage = instance.event_log_storage
    if storage.supports_global_concurrency_limits:
        for run_id in run_ids:
            storage.free_concurrency_slots_for_run(run_id)


def free_slots_of_finished_runs(instance: dg.DagsterInstance) -> list[str]:
    """Gives back pool slots that finished runs still hold; returns the ids of those runs."""
    storage = instance.event_log_storage
    if not storage.supports_global_concurrency_limits:
        return []
    holders = {
        run_id for key in storage.get_concurrency_keys() for run_id in storage.get_concurrency_info(key).active_run_ids
    }
    runs = instance.get_runs(dg.RunsFilter(run_ids=list(holders))) if holders else []
    finished = [run.run_id for run in runs if run.is_finished]
    free_slots_of(instance, finished)
    return finished


def run_health_sensor(settings: Settings) -> dg.SensorDefinition:
    """Builds the sensor that cleans up after killed runs, and takes up what they left undone.

    Automation requests updates for new data within a tick. What it did not request is requested here once, when no run is under way and
    the finding is the same as at this sensor's previous tick; the cursor is the last finding.
    """

    @dg.sensor(
        name="run_health_sensor",
        minimum_interval_seconds=60,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Marks runs whose process is gone as failed and frees their pool slots, so that nothing waits for them. Starts the "
        "online endpoint again if it is declared and does not run, as after a restart of the machine. Requests what follows new data "
        "and was left behind it: by a run that died or failed, or since the asset is new.",
        target=dg.AssetSelection.groups(*DBT_GROUPS) | dg.AssetSelection.assets(*FOLLOWERS),
    )
    def watch_runs(
        context: dg.SensorEvaluationContext,
        ml: dg.ResourceParam[MLPlatform],
        states: ServingStates,
        endpoint: dg.ResourceParam[Endpoint],
    ) -> dg.SensorResult:
        instance = context.instance
        dead = fail_dead_runs(instance)
        freed = free_slots_of_finished_runs(instance)
        report = f"{len(dead)} dead runs marked failed, slots of {len(freed)} finished runs freed."
        if dead or freed:
            context.log.error(
                f"Runs whose process was gone, marked failed: {dead}. Runs whose pool slots were freed: {freed}."
            )
        if unknown := out_of_sight(instance):
            report += (
                f" Of {len(unknown)} runs nothing can be seen from here ({', '.join(unknown)}); if they have ended, terminate them in the "
                "UI, with force."
            )
        if endpoint.bring_back():
            report += " The online endpoint is declared and did not run; it is started again."
            context.log.error(report)
        if instance.get_runs_count(dg.RunsFilter(statuses=ACTIVE)):
            return dg.SensorResult(skip_reason=dg.SkipReason(report))
        if context.repository_def is None:
            raise RuntimeError("this sensor is evaluated without its definitions; give them to the context")
        graph, warehouse = context.repository_def.asset_graph, warehouse_with_short_timeout(settings)
        try:
            left = lost_work(graph, instance, settings, warehouse, ml, states)
        except WarehouseBusyError as busy:
            return dg.SensorResult(skip_reason=dg.SkipReason(f"{report} {busy}. Looking again in a minute."))
        found = json.dumps({key.to_user_string(): place for key, place in sorted(left.items())})
        if not left or found != context.cursor:
            return dg.SensorResult(cursor=found, skip_reason=dg.SkipReason(report))
        request = dg.RunRequest(run_key=hashlib.sha256(found.encode()).hexdigest(), asset_selection=sorted(left))
        return dg.SensorResult(run_requests=[request], cursor=found)

    return watch_runs
