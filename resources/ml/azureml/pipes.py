"""Dagster Pipes with an Azure ML job: context and messages travel as blobs of the workspace's default datastore.

The job sees them as a mounted input and a mounted output (`globolatte_ml.azureml_job`), so that no key or signature is written into a
job's definition. dagster-azure's client submits the job and follows it; what it lacks is added here: going on with a job that is
there, and an interrupt that stays one.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import dagster as dg

from resources.ml.azureml.faults import AzureMLError, faults_of
from resources.ml.azureml.files import job_page
from resources.ml.azureml.jobs import GIVEN_UP, Attempt, cancelled_if_interrupted, failure, status_of, wait_for
from resources.ml.azureml.workspace import Workspace

if TYPE_CHECKING:
    from azure.ai.ml.entities import Command, Job
    from azure.storage.blob import BlobServiceClient

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

    Raises `AzureMLError` if it fails. An interrupt cancels it and stays an interrupt.
    """
    page, jobs = job_page(workspace, found.name), _Jobs(workspace)
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
    from dagster_pipes import PipesContextData

    class ContextOfJob(PipesAzureBlobStorageContextInjector):
        """Writes the context where the job's input is mounted from."""

        @contextmanager
        def inject_context(self, context: PipesContextData) -> Iterator[dict[str, Any]]:
            import json

            key = context_blob(job)
            with self.client.get_blob_client(self.bucket, key) as blob:
                blob.upload_blob(json.dumps(context).encode(), overwrite=True)
            yield {"bucket": self.bucket, "key": key}

    class MessagesOfJob(PipesAzureBlobStorageMessageReader):
        """Reads the messages where the job's output is mounted to."""

        @contextmanager
        def get_params(self) -> Iterator[dict[str, Any]]:
            yield {"bucket": self.bucket, "key_prefix": messages_folder(job), "include_stdio_in_messages": False}

    return PipesAzureMLClient(
        client=jobs,  # type: ignore[arg-type]  # it uses no more of an MLClient than `_Jobs` has
        context_injector=ContextOfJob(container=bucket, client=service),
        message_reader=MessagesOfJob(container=bucket, client=service, interval=READ_SECONDS),
        poll_interval_seconds=poll_seconds,
    )
