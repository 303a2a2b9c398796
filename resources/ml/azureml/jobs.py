"""Jobs of the workspace: started once, continued when a run is retried, cancelled with the run, explained if they fail.

A job's name is derived from what it computes, so that a repeated request finds the same job. Only if it failed or was cancelled does
another attempt begin, with a number after the name.

Command jobs run under Dagster Pipes: context and messages travel as blobs of the default datastore, which the job sees as a mounted input
and a mounted output (`globolatte_ml.azureml_job`), so that no key or signature is written into its definition. What dagster-azure's client
lacks is added here: continuing a job that exists, and passing an interrupt on.
"""

import contextlib
import io
import itertools
import json
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg
from dagster_pipes import PipesContextData

from resources.ml.azureml.faults import AzureMLError, faults_of, found_or_none, message_of, remedy_for
from resources.ml.azureml.workspace import Workspace

if TYPE_CHECKING:
    from azure.ai.ml.entities import Command, Job
    from azure.storage.blob import BlobServiceClient


DONE = "Completed"
GIVEN_UP = frozenset({"Failed", "Canceled", "CancelRequested", "NotResponding"})
TERMINAL = frozenset({DONE, "Failed", "Canceled"})
CANCEL_SECONDS = 120.0
LOG_LINES = 20
Say = Callable[[str], object]


@dataclass
class Attempt:
    """An existing job, or the name under which to start it."""

    name: str
    status: str | None = None

    @property
    def is_there(self) -> bool:
        """Whether there is a job to go on with."""
        return self.status is not None


def attempt(workspace: Workspace, base: str) -> Attempt:
    """The job of this name that runs or is done; else the next free name."""
    for number in itertools.count(1):
        name = base if number == 1 else f"{base}-{number}"
        status = status_of(workspace, name)
        if status is None or status not in GIVEN_UP:
            return Attempt(name, status)
    raise AssertionError


def status_of(workspace: Workspace, name: str) -> str | None:
    """A job's status; none if there is no such job."""
    job = found_or_none(f"job {name}", lambda: workspace.client.jobs.get(name), workspace.job_page(name))
    return None if job is None else str(getattr(job.status, "value", job.status))


def run_job(workspace: Workspace, base: str, build: Callable[[str], Any], say: Say) -> str:
    """Starts a job, or continues the existing one, and waits until it is done; returns its name.

    `build` makes the job of a name. Raises `AzureMLError` if it fails. An interrupt cancels it and is passed on.
    """
    found = attempt(workspace, base)
    page = workspace.job_page(found.name)
    say(f"Azure ML job {found.name} {'is there and goes on' if found.is_there else 'begins'}: {page}")
    with cancelled_if_interrupted(workspace, found.name, say):
        if not found.is_there:
            job = build(found.name)
            with faults_of(f"job {found.name}", page):
                workspace.client.jobs.create_or_update(job)
        wait_for(workspace, found.name, say)
    return found.name


@contextlib.contextmanager
def cancelled_if_interrupted(workspace: Workspace, name: str, say: Say) -> Iterator[None]:
    """An interrupt within the block cancels the job and is passed on."""
    try:
        yield
    except BaseException as error:
        if not isinstance(error, Exception):  # a fault between here and Azure, or the job's own end, cancels nothing
            cancel(workspace, name, say)
        raise


def wait_for(workspace: Workspace, name: str, say: Say) -> None:
    """Waits until a job is done. Raises `AzureMLError` if it ends otherwise."""
    before = None
    while True:
        status = status_of(workspace, name)
        if status != before:
            say(f"Azure ML job {name}: {status}")
        before = status
        if status == DONE:
            return
        if status is None or status in GIVEN_UP - {"CancelRequested"}:
            raise failure(workspace, name, status or "not there any more")
        time.sleep(workspace.settings.poll_seconds)


def cancel(workspace: Workspace, name: str, say: Say) -> None:
    """Cancels a job that has not ended, and waits a while until it has ended: its run was interrupted."""
    status = status_of(workspace, name)
    if status is None or status in TERMINAL:
        return
    say(f"the run was interrupted: cancelling Azure ML job {name}")
    with faults_of(f"job {name}", workspace.job_page(name)):
        workspace.client.jobs.begin_cancel(name)
    deadline = time.monotonic() + CANCEL_SECONDS
    while status_of(workspace, name) not in (*TERMINAL, None) and time.monotonic() < deadline:
        time.sleep(min(1.0, workspace.settings.poll_seconds))


def failure(workspace: Workspace, name: str, status: str) -> AzureMLError:
    """The outcome of a job, with the service's own reason and the end of its log."""
    reason, log = last_words(workspace, name)
    what = f"ended as {status}" + (f": {reason}" if reason else "")
    if log:
        what += f". The last lines of its log:\n{log}\n"
    remedy = "run it again: a new attempt begins"
    if status == "Failed":
        remedy = remedy_for("quota") if "quota" in what.lower() else f"correct the cause, then {remedy}"
    return AzureMLError(f"job {name}", what, remedy, workspace.job_page(name))


def last_words(workspace: Workspace, name: str) -> tuple[str, str]:
    """Why a job failed according to the service, and the end of its output. The SDK prints the log and raises the reason."""
    printed, reason = io.StringIO(), ""
    with contextlib.redirect_stdout(printed):
        try:
            workspace.client.jobs.stream(name)
        except Exception as error:  # noqa: BLE001 - whatever keeps the reason from us, the job has failed, and that is reported
            reason = _message(message_of(error))
    lines = [line for line in printed.getvalue().splitlines() if line.strip()]
    start = next((i for i, line in enumerate(lines) if line.startswith("Streaming")), -1) + 1
    log = itertools.takewhile(lambda line: not line.startswith(("Execution Summary", "Error:")), lines[start:])
    return reason, "\n".join(list(log)[-LOG_LINES:])


def _message(text: str) -> str:
    """The message out of the document that the SDK puts into its exception."""
    found = re.search(r'"message":\s*"((?:[^"\\]|\\.)*)"', text)
    return found[1] if found else text.removeprefix("Exception :").strip()


READ_SECONDS = 2.0


def context_blob(job: str) -> str:
    """Where a job's context is."""
    return f"globolatte/pipes/{job}/context.json"


def messages_folder(job: str) -> str:
    """Where a job's messages go."""
    return f"globolatte/pipes/{job}/messages"


class _Jobs:
    """What dagster-azure's client uses of an `MLClient`, for one job."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace, self.jobs = workspace, self
        self.interrupted = False

    def create_or_update(self, command: "Command") -> "Job":
        """Begins the job."""
        return self._workspace.client.jobs.create_or_update(command)

    def get(self, name: str) -> "Job":
        """The job as it is."""
        return self._workspace.client.jobs.get(name)

    def begin_cancel(self, name: str) -> Any:
        """Cancels the job: only an interrupt does that."""
        self.interrupted = True
        return self._workspace.client.jobs.begin_cancel(name)


def run_under_pipes(
    context: dg.AssetExecutionContext, workspace: Workspace, found: Attempt, command: "Command | None"
) -> None:
    """Runs a command job under Pipes, or waits for the one that is there (whose messages went to the run that began it).

    Raises `AzureMLError` if it fails. An interrupt cancels it and is passed on.
    """
    page, jobs = workspace.job_page(found.name), _Jobs(workspace)
    with cancelled_if_interrupted(workspace, found.name, context.log.info):
        try:
            if command is None:
                wait_for(workspace, found.name, context.log.info)
                return
            with workspace.storage() as (service, container), faults_of(f"job {found.name}", page):
                client = _client(jobs, service, container, found.name, workspace.settings.poll_seconds)
                client.run(context=context, command=command)
        except AzureMLError:
            raise
        except Exception:
            status = status_of(workspace, found.name)
            if status in GIVEN_UP:
                raise failure(workspace, found.name, str(status)) from None
            raise  # a fault between here and Azure: the job goes on, and so does the next run with it
    if jobs.interrupted:  # dagster-azure's client cancels the job and returns as if it were done
        raise dg.DagsterExecutionInterruptedError


def _client(jobs: _Jobs, service: "BlobServiceClient", bucket: str, job: str, poll_seconds: float) -> Any:
    """dagster-azure's client with context and messages of this job. Its classes are imported here, not with this module."""
    from dagster_azure.pipes import (
        PipesAzureBlobStorageContextInjector,
        PipesAzureBlobStorageMessageReader,
        PipesAzureMLClient,
    )

    class ContextOfJob(PipesAzureBlobStorageContextInjector):
        """Writes the context where the job's input is mounted from."""

        @contextlib.contextmanager
        def inject_context(self, context: PipesContextData) -> Iterator[dict[str, Any]]:
            key = context_blob(job)
            with self.client.get_blob_client(self.bucket, key) as blob:
                blob.upload_blob(json.dumps(context).encode(), overwrite=True)
            yield {"bucket": self.bucket, "key": key}

    class MessagesOfJob(PipesAzureBlobStorageMessageReader):
        """Reads the messages where the job's output is mounted to."""

        @contextlib.contextmanager
        def get_params(self) -> Iterator[dict[str, Any]]:
            yield {"bucket": self.bucket, "key_prefix": messages_folder(job), "include_stdio_in_messages": False}

    return PipesAzureMLClient(
        client=jobs,  # type: ignore[arg-type]  # it uses no more of an MLClient than `_Jobs` has
        context_injector=ContextOfJob(container=bucket, client=service),
        message_reader=MessagesOfJob(container=bucket, client=service, interval=READ_SECONDS),
        poll_interval_seconds=poll_seconds,
    )
