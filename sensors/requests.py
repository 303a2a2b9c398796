"""From a backlog to runs: which to ask Dagster for, under which key, and when a batch whose runs failed is asked for again."""

import datetime as dt
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

import dagster as dg

from globolatte_assets.jobs import INGEST_SALES, LOAD_REFERENCE_DATA, RECORD_MISPLACED_FILES
from globolatte_assets.keys import MISPLACED_FILES
from globolatte_assets.partitions import partition_key
from globolatte_ingest.ledger import Attempts
from globolatte_ingest.pending import LoadRange, RetryPolicy
from resources.landing.landing_zone import LandedFile
from sensors.backlog import Backlog
from sensors.run_health import ACTIVE

BATCH_TAG = "globolatte/batch"
RANGE_START = "dagster/asset_partition_range_start"
RANGE_END = "dagster/asset_partition_range_end"

MOST_PATHS_OF_ONE_RUN = 500
"""Misplaced files that one run is told of by name."""


def range_tags(load: LoadRange) -> dict[str, str]:
    """The tags that make a run of the ingest job load one range."""
    return {
        RANGE_START: partition_key(load.folder, load.first),
        RANGE_END: partition_key(load.folder, load.last),
        BATCH_TAG: load.digest,
    }


def listing_digest(listing: Iterable[LandedFile]) -> str:
    """A name for a state of the landing zone, or for a set of file versions."""
    content = "\n".join([f"{path} {etag}" for path, etag, _ in listing])
    return hashlib.sha256(content.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Batch:
    """File versions that one run takes up together. `name` is the same for the same versions."""

    job: str
    name: str
    files: tuple[LandedFile, ...]
    tags: tuple[tuple[str, str], ...] = ()
    paths: tuple[str, ...] = ()
    """What the run is told of by name; a run told of nothing looks everywhere."""


def batches_of(backlog: Backlog) -> Iterator[Batch]:
    """Everything in a backlog that a run can take up, reference data first."""
    pending = backlog.pending
    if pending.reference:
        yield Batch(LOAD_REFERENCE_DATA, listing_digest(pending.reference), pending.reference)
    misplaced = tuple(item.file for item in pending.misplaced)
    if backlog.is_partial:
        misplaced = misplaced[:MOST_PATHS_OF_ONE_RUN]
    if misplaced:
        paths = tuple(file.path for file in misplaced) if backlog.is_partial else ()
        yield Batch(RECORD_MISPLACED_FILES, listing_digest(misplaced), misplaced, paths=paths)
    for load in backlog.loads:
        if load not in backlog.without_reference_data:
            files = tuple(item.file for item in load.files)
            yield Batch(INGEST_SALES, load.digest, files, tuple(range_tags(load).items()))


def runs_of(instance: dg.DagsterInstance, batch: Batch) -> list[dg.RunRecord]:
    """The runs of a batch, the latest first."""
    return list(
        instance.get_run_records(dg.RunsFilter(job_name=batch.job, tags={BATCH_TAG: batch.name}), ascending=False)
    )


def failures(runs: Iterable[dg.RunRecord]) -> Attempts | None:
    """How often runs failed, and when last: by the real clock in UTC without offset, also when another day is played."""
    failed = [run for run in runs if run.dagster_run.is_finished and not run.dagster_run.is_success]
    if not failed:
        return None
    return Attempts(len(failed), max(run.update_timestamp for run in failed).astimezone(dt.UTC).replace(tzinfo=None))


class Turn(Enum):
    """Where a batch stands."""

    DUE = "may be asked for"
    RUNNING = "a run is at it"
    WAITING = "failed, and waits for its next attempt"
    GIVEN_UP = "failed too often"


def turn_of(runs: Iterable[dg.RunRecord], policy: RetryPolicy) -> Turn:
    """Where a batch stands, from its runs."""
    runs = list(runs)
    failed = failures(runs)
    if any(run.dagster_run.status in ACTIVE for run in runs):
        return Turn.RUNNING
    if failed is not None and failed.count >= policy.max_attempts:
        return Turn.GIVEN_UP
    now = dt.datetime.now(dt.UTC).replace(tzinfo=None)
    return Turn.DUE if policy.is_due(failed, now) else Turn.WAITING


def run_request(batch: Batch, earlier: int) -> dg.RunRequest:
    """Asks for a batch. The run key counts earlier runs: Dagster takes a key once, whatever became of its run."""
    return dg.RunRequest(
        run_key=f"{batch.job}:{batch.name}:{earlier}",
        job_name=batch.job,
        tags={**dict(batch.tags), BATCH_TAG: batch.name},
        run_config=_told(batch),
    )


def _told(batch: Batch) -> dict[str, object]:
    if not batch.paths:
        return {}
    return {"ops": {MISPLACED_FILES.to_python_identifier(): {"config": {"paths": list(batch.paths)}}}}


def is_running(instance: dg.DagsterInstance, job: str) -> bool:
    """Whether a run of the job is under way or waits for its turn."""
    return instance.get_runs_count(dg.RunsFilter(job_name=job, statuses=ACTIVE)) > 0


def requests_for(
    instance: dg.DagsterInstance, backlog: Backlog, policy: RetryPolicy
) -> Iterator[tuple[Batch, dg.RunRequest]]:
    """The runs to ask for. Reference data goes first: sales cannot be judged without it.

    A batch whose runs failed is asked for again after a wait that doubles, and no more once they failed as often as the policy
    allows; for reference data, sales then go on with what was loaded before.
    """
    for batch in batches_of(backlog):
        if batch.job != LOAD_REFERENCE_DATA and is_running(instance, LOAD_REFERENCE_DATA):
            return
        runs = runs_of(instance, batch)
        turn = turn_of(runs, policy)
        if turn is Turn.DUE:
            yield batch, run_request(batch, len(runs))
        if batch.job == LOAD_REFERENCE_DATA and turn is not Turn.GIVEN_UP:
            return
