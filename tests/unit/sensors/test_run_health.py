"""Runs whose process is gone, distinguished from those that live, with real processes."""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import dagster as dg
import pytest

from globolatte_assets.execution import PROCESS_TAG, as_tag, executor, from_tag, held, run_beat, run_lock
from globolatte_assets.keys import SALES_TRANSACTIONS
from globolatte_cli.running_parts import online_endpoint
from resources.endpoint.endpoint import Deployment as Served
from resources.endpoint.endpoint import DesiredState
from resources.endpoint.local.endpoint import LocalEndpoint
from resources.endpoint.local.files import write_desired
from resources.environment import endpoint_of, ml_of, states_of
from resources.processes import ProcessId, find_process, is_held, take, this_process
from sensors.run_health import LAUNCHED_TAG, fail_dead_runs, free_slots_of_finished_runs, out_of_sight
from tests.builders import Deployment, deployment
from tests.endpoint_builders import eventually

STARTING = dg.DagsterRunStatus.STARTING
STARTED, FAILURE, SUCCESS = dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.SUCCESS
POOL = "warehouse"


@dg.op(pool=POOL)
def touch_the_warehouse() -> None: ...


@dg.job
def any_job() -> None:
    touch_the_warehouse()


@pytest.fixture
def pooled(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance on disk with a pool of one: only there do pools count their slots."""
    (tmp_path / "dagster.yaml").write_text("telemetry: {enabled: false}\nconcurrency: {pools: {default_limit: 1}}\n")
    with dg.DagsterInstance.from_config(str(tmp_path)) as on_disk:
        on_disk.event_log_storage.initialize_concurrency_limit_to_default(POOL)
        yield on_disk


@pytest.fixture
def living() -> Iterator[ProcessId]:
    """A process that lives as long as the test."""
    with subprocess.Popen([sys.executable, "-S", "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as child:
        process = find_process(child.pid)
        assert process is not None
        yield process
        assert child.stdin is not None
        child.stdin.close()


@pytest.fixture
def dead() -> ProcessId:
    """A process that has lived."""
    with subprocess.Popen([sys.executable, "-S", "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as child:
        process = find_process(child.pid)
        child.communicate()
    assert process is not None
    return process


def start_run(
    instance: dg.DagsterInstance, process: ProcessId | None, status: dg.DagsterRunStatus = STARTED
) -> dg.DagsterRun:
    tags = {PROCESS_TAG: as_tag(process)} if process is not None else {}
    return instance.create_run_for_job(any_job, tags=tags, status=status)


def status_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRunStatus:
    found = instance.get_run_by_id(run.run_id)
    assert found is not None
    return found.status


def succeeded(run: dg.DagsterRun) -> dg.EventLogEntry:
    event = dg.DagsterEvent(dg.DagsterEventType.RUN_SUCCESS.value, run.job_name)
    return dg.EventLogEntry(None, "INFO", "", run.run_id, time.time(), job_name=run.job_name, dagster_event=event)


def take_slot(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    claim = instance.event_log_storage.claim_concurrency_slot(POOL, run.run_id, "touch_the_warehouse")
    assert claim.is_claimed


def holders(instance: dg.DagsterInstance) -> set[str]:
    return set(instance.event_log_storage.get_concurrency_info(POOL).active_run_ids)


def test_a_run_whose_process_is_gone_is_marked_failed_and_its_slot_is_freed(
    pooled: dg.DagsterInstance, dead: ProcessId
) -> None:
    run = start_run(pooled, dead)
    take_slot(pooled, run)
    assert fail_dead_runs(pooled) == [run.run_id]
    assert status_of(pooled, run) == FAILURE
    assert holders(pooled) == set()
    take_slot(pooled, start_run(pooled, this_process()))


def test_a_run_whose_process_lives_is_left_alone(pooled: dg.DagsterInstance, living: ProcessId) -> None:
    run = start_run(pooled, living)
    take_slot(pooled, run)
    assert fail_dead_runs(pooled) == []
    assert free_slots_of_finished_runs(pooled) == []
    assert status_of(pooled, run) == STARTED
    assert holders(pooled) == {run.run_id}


def test_this_very_process_lives(instance: dg.DagsterInstance) -> None:
    run = start_run(instance, this_process())
    assert fail_dead_runs(instance) == []
    assert status_of(instance, run) == STARTED


def test_another_process_that_got_the_same_id_does_not_count_as_the_first(
    instance: dg.DagsterInstance, living: ProcessId
) -> None:
    run = start_run(instance, living._replace(started="long ago"))
    assert fail_dead_runs(instance) == [run.run_id]


def test_of_another_machine_nothing_is_known_so_its_runs_count_as_alive(
    instance: dg.DagsterInstance, dead: ProcessId
) -> None:
    start_run(instance, dead._replace(host="another-machine", boot="another-boot"))
    assert fail_dead_runs(instance) == []


def elsewhere(process: ProcessId) -> ProcessId:
    """In a container that was restarted on another node."""
    return process._replace(host="container-1", boot="boot of another node", space="pid:[1]")


def test_a_run_that_died_on_another_machine_is_marked_failed_when_it_is_silent_for_long(
    pooled: dg.DagsterInstance, dead: ProcessId
) -> None:
    run = start_run(pooled, elsewhere(dead))
    lock, beat = run_lock(pooled, run.run_id), run_beat(pooled, run.run_id)
    lock.parent.mkdir()
    lock.touch()
    beat.write_text("000000000007")
    take_slot(pooled, run)
    assert fail_dead_runs(pooled) == [], "it is seen for the first time"
    assert fail_dead_runs(pooled, silent_seconds=0) == [run.run_id]
    assert holders(pooled) == set()
    assert not lock.exists()
    assert not beat.exists()


def test_a_run_that_goes_on_on_another_machine_is_left_alone(pooled: dg.DagsterInstance, dead: ProcessId) -> None:
    run = start_run(pooled, elsewhere(dead))
    with held(pooled, run.run_id, beat_seconds=0.01):
        assert fail_dead_runs(pooled, silent_seconds=0) == [], "its lock is held"
        run_lock(pooled, run.run_id).unlink()  # as on a file system that carries no locks
        for _ in range(3):
            assert fail_dead_runs(pooled, silent_seconds=0.15) == []
            before = run_beat(pooled, run.run_id).read_text()
            eventually(lambda before=before: run_beat(pooled, run.run_id).read_text() > before)
    assert not run_beat(pooled, run.run_id).exists()


def test_a_run_of_which_nothing_can_be_seen_is_said(pooled: dg.DagsterInstance, dead: ProcessId) -> None:
    run, here = start_run(pooled, elsewhere(dead)), start_run(pooled, this_process())
    assert fail_dead_runs(pooled, silent_seconds=0) == []
    assert out_of_sight(pooled) == [f"{run.run_id} on container-1"]
    with held(pooled, run.run_id):
        assert out_of_sight(pooled) == []
    assert status_of(pooled, here) == STARTED


def test_a_repeated_run_is_not_judged_by_what_is_known_of_the_first(
    pooled: dg.DagsterInstance, dead: ProcessId
) -> None:
    """Dagster gives a repetition all tags of the run that died."""
    cut_off, first = start_run(pooled, None, STARTING), start_run(pooled, dead)
    assert sorted(fail_dead_runs(pooled, patience_seconds=0)) == sorted([cut_off.run_id, first.run_id])
    for one in (cut_off, first):
        known = pooled.get_run_by_id(one.run_id)
        assert known is not None
        pooled.create_run_for_job(
            any_job, tags=known.tags, status=STARTING, parent_run_id=one.run_id, root_run_id=one.run_id
        )
    assert fail_dead_runs(pooled, patience_seconds=0.5) == []


def test_a_run_of_which_no_process_is_known_yet_is_left_alone(instance: dg.DagsterInstance) -> None:
    start_run(instance, None)
    assert fail_dead_runs(instance) == []


def test_a_run_that_ends_while_it_is_looked_at_has_not_died(
    pooled: dg.DagsterInstance, dead: ProcessId, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its process, and the lock's file with it, may be gone before the next look: what the run itself says by then counts."""
    run = start_run(pooled, dead)
    monkeypatch.setattr("sensors.run_health.time.sleep", lambda _: pooled.handle_new_event(succeeded(run)))
    assert fail_dead_runs(pooled) == []
    assert status_of(pooled, run) == SUCCESS


def test_a_run_that_takes_its_lock_while_it_is_looked_at_has_not_died(
    pooled: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has its lock's file for an instant before the lock."""
    run = start_run(pooled, this_process())
    lock = run_lock(pooled, run.run_id)
    lock.parent.mkdir()
    lock.touch()
    with ExitStack() as taken:
        monkeypatch.setattr("sensors.run_health.time.sleep", lambda _: taken.enter_context(take(lock)))
        assert fail_dead_runs(pooled) == []
    assert status_of(pooled, run) == STARTED


@pytest.mark.parametrize("status", [SUCCESS, FAILURE, dg.DagsterRunStatus.CANCELED])
def test_a_run_that_ended_is_left_as_it_is(
    instance: dg.DagsterInstance, dead: ProcessId, status: dg.DagsterRunStatus
) -> None:
    run = start_run(instance, dead, status)
    assert fail_dead_runs(instance) == []
    assert status_of(instance, run) == status


@pytest.mark.parametrize(
    "status", [dg.DagsterRunStatus.NOT_STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.CANCELING]
)
def test_a_run_that_died_while_it_started_or_was_ended_is_marked_failed(
    instance: dg.DagsterInstance, dead: ProcessId, status: dg.DagsterRunStatus
) -> None:
    run = start_run(instance, dead, status)
    assert fail_dead_runs(instance) == [run.run_id]
    assert status_of(instance, run) == FAILURE


def test_a_run_in_a_container_is_told_by_its_lock(pooled: dg.DagsterInstance, dead: ProcessId) -> None:
    """Its process id means another process here, or none."""
    inside = dead._replace(space="pid:[1]", host="container")
    run, without_lock = start_run(pooled, inside), start_run(pooled, inside)
    with held(pooled, run.run_id):
        assert fail_dead_runs(pooled) == []
    left = run_lock(pooled, run.run_id)
    left.touch()  # as after a kill: the file is there, and nobody holds it
    assert fail_dead_runs(pooled) == [run.run_id]
    assert not left.exists()
    assert status_of(pooled, without_lock) == STARTED, "nothing is known of it"


def test_in_a_copy_of_a_home_the_runs_of_the_original_are_dead(pooled: dg.DagsterInstance, tmp_path: Path) -> None:
    run = start_run(pooled, this_process())
    with held(pooled, run.run_id):
        copy = Path(shutil.copytree(tmp_path, tmp_path.with_name(f"{tmp_path.name}-copy")))
        with dg.DagsterInstance.from_config(str(copy)) as copied:
            assert fail_dead_runs(copied) == [run.run_id]
        assert fail_dead_runs(pooled) == []


def test_after_a_restart_of_the_machine_all_its_runs_are_dead(instance: dg.DagsterInstance, living: ProcessId) -> None:
    run = start_run(instance, living._replace(boot="the boot before"))
    assert fail_dead_runs(instance) == [run.run_id]


def test_slots_that_finished_runs_still_hold_are_freed(pooled: dg.DagsterInstance, dead: ProcessId) -> None:
    for status in (SUCCESS, FAILURE):
        run = start_run(pooled, dead, status)
        take_slot(pooled, run)
        assert free_slots_of_finished_runs(pooled) == [run.run_id]
        assert holders(pooled) == set()


RUN = """
import sys
import dagster as dg

@dg.op(pool="warehouse")
def wait() -> None:
    print("running", flush=True)
    sys.stdin.read()

@dg.job
def waiting_job() -> None:
    wait()

with dg.DagsterInstance.from_config(sys.argv[1]) as instance:
    waiting_job.execute_in_process(instance=instance)
"""


def process_seen(pid: int) -> ProcessId:
    process = find_process(pid)
    assert process is not None
    return process


def test_a_launched_run_is_known_by_the_kernel_from_the_first_look_on(pooled: dg.DagsterInstance) -> None:
    """Another process that gets its id within a day, which no clock would tell apart, is not the first."""
    command = [sys.executable, "-c", RUN, pooled.root_directory]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"running\n"
        assert fail_dead_runs(pooled) == []
        [run] = pooled.get_runs()
        first = process_seen(child.pid)._replace(started="1")
        pooled.add_run_tags(run.run_id, {LAUNCHED_TAG: f"{run.run_id} {as_tag(first)}"})
        assert fail_dead_runs(pooled) == [run.run_id]
        child.communicate()


def test_a_run_that_is_killed_is_found_by_the_process_that_dagster_named(pooled: dg.DagsterInstance) -> None:
    command = [sys.executable, "-c", RUN, pooled.root_directory]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"running\n"
        [run] = pooled.get_runs()
        assert holders(pooled) == {run.run_id}
        assert fail_dead_runs(pooled) == []
        [seen] = pooled.get_runs()
        assert seen.tags[LAUNCHED_TAG] == f"{run.run_id} {as_tag(process_seen(child.pid))}"
        pooled.add_run_tags(run.run_id, {LAUNCHED_TAG: seen.tags[LAUNCHED_TAG].replace(run.run_id, "another run")})
        assert fail_dead_runs(pooled) == [], "what is on record of another run says nothing of this one"
        child.kill()
    assert holders(pooled) == {run.run_id}
    assert fail_dead_runs(pooled) == [run.run_id]
    assert status_of(pooled, run) == FAILURE
    assert holders(pooled) == set()


CLEAN_UP = """
import sys
import dagster as dg
from sensors.run_health import fail_dead_runs
with dg.DagsterInstance.from_config(sys.argv[1]) as instance:
    print(fail_dead_runs(instance))
"""


@pytest.mark.parametrize("step", [10, -10])
def test_a_launched_run_goes_on_when_the_clock_was_set(
    pooled: dg.DagsterInstance, stepped_clock: Callable[[int], list[str]], step: int
) -> None:
    command = [sys.executable, "-c", RUN, pooled.root_directory]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"running\n"
        looking = [*stepped_clock(step), sys.executable, "-c", CLEAN_UP, pooled.root_directory]
        assert subprocess.run(looking, capture_output=True, text=True, check=True).stdout.strip() == "[]"
        child.communicate()


@dg.op
def look_at_itself(context: dg.OpExecutionContext) -> None:
    assert is_held(run_lock(context.instance, context.run_id))
    run = context.instance.get_run_by_id(context.run_id)
    assert run is not None
    assert run.tags[PROCESS_TAG] == as_tag(this_process())


@dg.job(executor_def=executor)
def looking_job() -> None:
    look_at_itself()


def test_a_run_names_its_process_itself_and_holds_its_lock(pooled: dg.DagsterInstance) -> None:
    with dg.execute_job(dg.reconstructable(looking_job), instance=pooled) as done:
        assert done.success
        assert not run_lock(pooled, done.run_id).exists()


def test_all_our_jobs_run_so() -> None:
    from definitions import defs

    assert {defs.resolve_job_def(job.name).executor_def for job in defs.resolve_all_job_defs()} == {executor}


@pytest.fixture
def watched(tmp_path: Path, pooled: dg.DagsterInstance) -> Deployment:
    """A deployment whose sales were loaded, and nothing else was done."""
    made = deployment(tmp_path / "home", pooled)
    for name in ("business_units", "products", "customers", "holidays"):
        pooled.report_runless_asset_event(dg.AssetMaterialization(["raw", name]))
    pooled.report_runless_asset_event(dg.AssetMaterialization(SALES_TRANSACTIONS, partition="usa|2022-01-03"))
    return made


def tick(there: Deployment, cursor: str | None = None) -> dg.SensorResult:
    context = dg.build_sensor_context(
        instance=there.instance,
        cursor=cursor,
        repository_def=there.definitions.get_repository_def(),
        resources={
            "ml": ml_of(there.settings),
            "states": states_of(there.settings),
            "endpoint": endpoint_of(there.settings),
        },
    )
    with context:
        result = there.definitions.resolve_sensor_def("run_health_sensor")(context)
    assert isinstance(result, dg.SensorResult)
    return result


def test_the_sensor_cleans_up_and_says_what_it_did(watched: Deployment, dead: ProcessId) -> None:
    instance = watched.instance
    killed, finished = start_run(instance, dead), start_run(instance, dead, SUCCESS)
    take_slot(instance, finished)
    said = tick(watched).skip_reason
    assert said == dg.SkipReason("1 dead runs marked failed, slots of 1 finished runs freed.")
    assert status_of(instance, killed) == FAILURE
    assert holders(instance) == set()


def test_what_was_left_behind_is_requested_once_it_was_seen_twice(watched: Deployment) -> None:
    first = tick(watched)
    assert not first.run_requests
    [request] = tick(watched, first.cursor).run_requests or []
    names = {key.to_user_string() for key in request.asset_selection or []}
    assert {"staging/stg_sales_transactions", "features/feat_training_examples", "endpoints/serving_state"} <= names
    assert "endpoints/recommendations" not in names, "there is no champion to recommend by"
    [again] = tick(watched, first.cursor).run_requests or []
    assert again.run_key == request.run_key, "Dagster starts no second run of the same key"
    watched.instance.report_runless_asset_event(dg.AssetMaterialization(SALES_TRANSACTIONS, partition="usa|2022-01-04"))
    assert not tick(watched, first.cursor).run_requests, "automation answers what is new"


def test_while_a_run_is_under_way_nothing_is_requested(watched: Deployment, living: ProcessId) -> None:
    first = tick(watched)
    start_run(watched.instance, living)
    assert not tick(watched, first.cursor).run_requests


def test_a_process_in_a_tag_is_read_again_whatever_its_host_is_called(living: ProcessId) -> None:
    for process in (living, living._replace(host="a/host/with/slashes")):
        assert from_tag(as_tag(process)) == process


def test_a_tag_of_an_earlier_version_is_read(instance: dg.DagsterInstance, living: ProcessId, dead: ProcessId) -> None:
    goes_on, killed = (
        instance.create_run_for_job(any_job, tags={PROCESS_TAG: f"{one.host}/{one.pid}/{one.started}"}, status=STARTED)
        for one in (living, dead)
    )
    assert fail_dead_runs(instance) == [killed.run_id]
    assert status_of(instance, goes_on) == STARTED


def test_a_run_whose_launch_was_cut_off_is_marked_failed_when_patience_is_over(pooled: dg.DagsterInstance) -> None:
    """Killed between Dagster's note that it starts the run and the start of its process."""
    cut_off = start_run(pooled, None, dg.DagsterRunStatus.STARTING)
    queued = start_run(pooled, None, dg.DagsterRunStatus.NOT_STARTED)
    assert fail_dead_runs(pooled) == []
    assert fail_dead_runs(pooled, patience_seconds=0) == [cut_off.run_id]
    assert status_of(pooled, cut_off) is FAILURE
    assert status_of(pooled, queued) is dg.DagsterRunStatus.NOT_STARTED


def test_a_run_that_is_starting_in_a_living_process_is_let_be(pooled: dg.DagsterInstance, living: ProcessId) -> None:
    start_run(pooled, living, dg.DagsterRunStatus.STARTING)
    assert fail_dead_runs(pooled, patience_seconds=0) == []


def test_an_endpoint_that_is_declared_and_does_not_run_is_started_again(watched: Deployment) -> None:
    """As after a restart of the machine."""
    endpoint = endpoint_of(watched.settings)
    assert isinstance(endpoint, LocalEndpoint)
    write_desired(endpoint.files, DesiredState({"blue": Served("no/such/model", "1", "content")}, {"blue": 100}))
    [declared] = online_endpoint(watched.settings)
    assert (declared.fine, declared.state) == (False, "declared, not running: blue (100 %)")
    assert "globolatte endpoints start" in declared.remedy
    try:
        assert "it is started again" in str(tick(watched).skip_reason)
        eventually(lambda: endpoint.supervisor() is not None)
        assert "started again" not in str(tick(watched).skip_reason)
    finally:
        endpoint.stop()
    assert "started again" not in str(tick(watched).skip_reason), "somebody stopped it"
