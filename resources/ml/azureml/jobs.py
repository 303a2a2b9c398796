"""Jobs of the workspace: begun once, continued when a run is tried again, cancelled with the run, explained when they fail.

A job's name is made of what it computes, so that whoever requests the same again finds it. Only where it failed or was cancelled does
another attempt begin, with a number behind the name.
"""

import contextlib
import io
import itertools
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from resources.ml.azureml.faults import AzureMLError, faults_of, is_missing, remedy_for, said
from resources.ml.azureml.files import job_page
from resources.ml.azureml.workspace import Workspace

DONE = "Completed"
GIVEN_UP = frozenset({"Failed", "Canceled", "CancelRequested", "NotResponding"})
TERMINAL = frozenset({DONE, "Failed", "Canceled"})
CANCEL_SECONDS = 120.0
LOG_LINES = 20
Say = Callable[[str], object]


@dataclass
class Attempt:
    """The job that a name leads to: one that is there, or the name to begin it under."""

    name: str
    status: str | None = field(default=None)

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
    with faults_of(f"job {name}", job_page(workspace, name)):
        try:
            status = workspace.client.jobs.get(name).status
            return str(getattr(status, "value", status))
        except Exception as error:
            if is_missing(error):
                return None
            raise


def run_job(workspace: Workspace, base: str, build: Callable[[str], Any], say: Say) -> str:
    """Begins a job, or goes on with the one that is there, and waits until it is done; its name.

    `build` makes the job of a name. Raises `AzureMLError` if it fails. An interrupt cancels it and goes on.
    """
    found = attempt(workspace, base)
    page = job_page(workspace, found.name)
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
    """An interrupt within cancels the job and goes on."""
    try:
        yield
    except Exception:
        raise  # a fault between here and Azure, or the job's own end: nothing to cancel
    except BaseException:
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
    """Cancels a job that has not ended, and waits a while until it has: the run that wanted it was interrupted."""
    status = status_of(workspace, name)
    if status is None or status in TERMINAL:
        return
    say(f"the run was interrupted: cancelling Azure ML job {name}")
    with faults_of(f"job {name}", job_page(workspace, name)):
        workspace.client.jobs.begin_cancel(name)
    deadline = time.monotonic() + CANCEL_SECONDS
    while status_of(workspace, name) not in (*TERMINAL, None) and time.monotonic() < deadline:
        time.sleep(min(1.0, workspace.settings.poll_seconds))


def failure(workspace: Workspace, name: str, status: str) -> AzureMLError:
    """What became of a job, with the service's own reason and the end of its log."""
    reason, log = last_words(workspace, name)
    what = f"ended as {status}" + (f": {reason}" if reason else "")
    if log:
        what += f". The last lines of its log:\n{log}\n"
    remedy = (
        "mend the cause, then run it again: a new attempt begins"
        if status == "Failed"
        else "run it again: a new attempt begins"
    )
    if status == "Failed" and "quota" in what.lower():
        remedy = remedy_for("quota")
    return AzureMLError(f"job {name}", what, remedy, job_page(workspace, name))


def last_words(workspace: Workspace, name: str) -> tuple[str, str]:
    """Why a job failed as the service says it, and the end of what it printed. The SDK prints the log and raises the reason."""
    printed, reason = io.StringIO(), ""
    with contextlib.redirect_stdout(printed):
        try:
            workspace.client.jobs.stream(name)
        except Exception as error:  # noqa: BLE001 - whatever keeps the reason from us, the job has failed, and that is reported
            reason = _message(said(error))
    lines = [line for line in printed.getvalue().splitlines() if line.strip()]
    start = next((i for i, line in enumerate(lines) if line.startswith("Streaming")), -1) + 1
    log = itertools.takewhile(lambda line: not line.startswith(("Execution Summary", "Error:")), lines[start:])
    return reason, "\n".join(list(log)[-LOG_LINES:])


def _message(text: str) -> str:
    """The message out of the document that the SDK puts into its exception."""
    found = re.search(r'"message":\s*"((?:[^"\\]|\\.)*)"', text)
    return found[1] if found else text.removeprefix("Exception :").strip()
