"""Jobs at work: one run per job, in a thread of its own, with what run history knows of it."""

import copy
import shutil
import threading
import traceback
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.emulators.azureml.storage import Place
from tests.emulators.azureml.store import Resource, now
from tests.emulators.azureml.workspaces import ARTIFACT_DATASTORE

if TYPE_CHECKING:
    from tests.emulators.azureml.world import World

MODEL_TYPES = ("mlflow_model", "custom_model", "triton_model")
TERMINAL = frozenset({"Completed", "Failed", "Canceled"})
AT_ONCE = 2
"""How many processes work at a time: what a machine with two cores bears."""


class JobFailed(Exception):  # noqa: N818
    """The job's own fault, or its input's; run history reports it."""

    def __init__(self, message: str, code: str = "UserError") -> None:
        super().__init__(message)
        self.code, self.message = code, message


class JobCancelled(Exception):  # noqa: N818
    """Somebody cancelled the job."""


@dataclass
class Run:
    """One job at work. Metrics are kept in the order in which they were logged: (value, step, milliseconds)."""

    world: "World"
    job: Resource
    folder: Path
    parent: str | None = None
    cancelled: threading.Event = field(default_factory=threading.Event)
    started: str | None = None
    ended: str | None = None
    error: dict[str, Any] | None = None
    metrics: dict[str, list[tuple[float, int, int]]] = field(default_factory=dict)
    parameters: dict[str, str] = field(default_factory=dict)
    delivered: list[str] = field(default_factory=list)
    """The named outputs that are in their datastores."""
    asset_versions: dict[str, str] = field(default_factory=dict)
    """As which version each output is to be registered, where a pipeline's step says so: a job's own description does not tell."""
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    @property
    def name(self) -> str:
        return str(self.job["name"])

    @property
    def workspace(self) -> str:
        """The ARM id of the workspace."""
        return str(self.job["id"]).rpartition("/jobs/")[0]

    @property
    def properties(self) -> dict[str, Any]:
        """The job's own properties, as Azure shows them."""
        found: dict[str, Any] = self.job["properties"]
        return found

    @property
    def status(self) -> str:
        return str(self.properties["status"])

    @status.setter
    def status(self, value: str) -> None:
        self.properties["status"] = value

    @property
    def artifacts(self) -> Place:
        """Where its logs and its `outputs` folder are kept."""
        store = self.world.store.need(f"{self.workspace}/datastores/{ARTIFACT_DATASTORE}")
        return Place(store["properties"]["containerName"], f"ExperimentRun/dcid.{self.name}")

    @property
    def root(self) -> str:
        """The job at the top: itself, or the sweep or pipeline that it belongs to."""
        above = self.world.runs.get(self.workspace, self.parent) if self.parent else None
        return above.root if above is not None else self.name

    def check(self) -> None:
        """Raises `JobCancelled` if somebody cancelled it."""
        if self.cancelled.is_set():
            raise JobCancelled

    def metric(self, name: str) -> float | None:
        """The last value of a metric, or none."""
        values = self.metrics.get(name)
        return values[-1][0] if values else None


Executor = Callable[[Run], None]


class Runs:
    """All runs of a stand-in."""

    def __init__(self, world: "World") -> None:
        self.world = world
        self.slots = threading.Semaphore(AT_ONCE)
        self._lock = threading.Lock()
        self._all: dict[str, Run] = {}
        self._threads: list[threading.Thread] = []

    def get(self, workspace: str, name: str) -> Run | None:
        """The run of a job."""
        return self._all.get(f"{workspace}/jobs/{name}".lower())

    def children(self, run: Run) -> list[Run]:
        """The runs that belong to one, oldest first."""
        with self._lock:
            return [one for one in self._all.values() if one.parent == run.name and one.workspace == run.workspace]

    def add(self, job: Resource, parent: str | None = None) -> Run:
        """Takes a job into the books, queued."""
        workspace = str(job["id"]).rpartition("/jobs/")[0].rpartition("/")[2]
        folder = self.world.folder / "jobs" / workspace / str(job["name"])
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        run = Run(self.world, job, folder, parent)
        with self._lock:
            self._all[str(job["id"]).lower()] = run
        return run

    def start(self, job: Resource, executor: Executor) -> Run:
        """Begins a job, in a thread of its own."""
        run = self.add(job)
        thread = threading.Thread(target=self.carry_out, args=(run, executor), daemon=True, name=run.name)
        self._threads.append(thread)
        thread.start()
        return run

    def carry_out(self, run: Run, executor: Executor) -> None:
        """Takes a job from its beginning to one of its ends; raises nothing."""
        outcome, error = "Completed", None
        try:
            run.status = "Queued"
            self._meet_faults(run)
            run.check()
            run.started = now()
            executor(run)
        except JobCancelled:
            outcome = "Canceled"
        except JobFailed as failure:
            outcome, error = "Failed", {"code": failure.code, "message": failure.message}
        except Exception:  # noqa: BLE001 - a fault of the stand-in: the job ends, and the test that caused it fails
            self.world.journal.violations.append(f"job {run.name}: {traceback.format_exc()}")
            outcome, error = "Failed", {"code": "ServiceError", "message": "The stand-in failed; see its journal"}
        run.error = None if error is None else {"error": error, "time": now(), "componentName": "execution-wrapper"}
        run.ended = now()
        run.status = outcome

    def _meet_faults(self, run: Run) -> None:
        faults = self.world.faults
        if faults.taken("hold-job", run.name):
            run.cancelled.wait()
            raise JobCancelled
        if faults.taken("cancel-job", run.name):
            raise JobCancelled
        failure = faults.taken("fail-job", run.name)
        if failure is not None:
            raise JobFailed(str(failure.detail), "ServiceError")

    def cancel(self, run: Run) -> None:
        """Asks a run and those that belong to it to end."""
        for child in self.children(run):
            self.cancel(child)
        if run.status not in TERMINAL:
            run.status = "CancelRequested"
            run.cancelled.set()

    def stop(self) -> None:
        """Ends everything, and waits until it has ended."""
        for run in list(self._all.values()):
            run.cancelled.set()
        for thread in self._threads:
            thread.join(timeout=60)


def child_job(run: Run, suffix: str, properties: dict[str, Any]) -> Resource:
    """A job that belongs to another, as Azure shows it."""
    from tests.emulators.azureml.jobs.jobs import keep_job

    shown = {"experimentName": run.properties.get("experimentName"), **copy.deepcopy(properties)}
    return keep_job(run.world, run.workspace, f"{run.name}_{suffix}", shown)
