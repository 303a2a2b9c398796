"""Transfers files between this machine and the workspace's storage, and resolves its addresses."""

import re
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

from resources.ml.azureml.faults import AzureMLError, faults_of
from resources.ml.azureml.workspace import DEFAULT_DATASTORE, Workspace, datastore_uri

IN_DATASTORE = re.compile(r"azureml://.*?datastores/(?P<datastore>[^/]+)/paths/(?P<path>.+)", re.IGNORECASE)
IN_JOB = re.compile(
    r"azureml://.*?jobs/(?P<job>[^/]+)/outputs/(?P<output>[^/]+)(?:/paths)?/?(?P<path>.*)", re.IGNORECASE
)


def fetch(workspace: Workspace, address: str, folder: Path) -> None:
    """Everything below an address of the workspace into a folder. Raises `AzureMLError` if nothing is there."""
    in_job = IN_JOB.fullmatch(address)
    if in_job:
        fetch_job_output(workspace, in_job["job"], in_job["output"], folder, in_job["path"])
        return
    found = IN_DATASTORE.fullmatch(address)
    if found is None or found["datastore"] != DEFAULT_DATASTORE:
        raise AzureMLError(address, "is not in the workspace's default datastore", "register it from there")
    _fetch_blobs(workspace, found["path"].strip("/"), folder, address)


def _fetch_blobs(workspace: Workspace, prefix: str, folder: Path, address: str) -> None:
    with workspace.storage() as (service, name_of_container), faults_of(address):
        container = service.get_container_client(name_of_container)
        names = [str(name) for name in container.list_blob_names(name_starts_with=f"{prefix}/")]
        for name in names:
            target = (folder / name.removeprefix(f"{prefix}/")).resolve()
            if not target.is_relative_to(folder.resolve()):
                raise AzureMLError(address, f"holds {name!r}, which leads out of its folder", "delete that blob")
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("wb") as stream:
                container.download_blob(name).readinto(stream)
    if not names:
        raise AzureMLError(address, "holds no files", "materialize again what wrote it")


def put_beside(workspace: Workspace, prefix: str, small: Mapping[str, bytes], expected: Iterable[str]) -> None:
    """Writes small files below a prefix of the default datastore, where others have put the `expected` ones.

    Raises `AzureMLError` if one of those is not there: then they were written into some other container.
    """
    with workspace.storage() as (service, name_of_container), faults_of(datastore_uri(prefix)):
        container = service.get_container_client(name_of_container)
        there = {
            str(name).removeprefix(f"{prefix}/") for name in container.list_blob_names(name_starts_with=f"{prefix}/")
        }
        if missing := sorted(set(expected) - there):
            raise AzureMLError(
                datastore_uri(prefix),
                f"has no {', '.join(missing)}",
                f"let the stage lead to azure://{service.primary_hostname}/{name_of_container}/{prefix.partition('/')[0]}/ "
                "(infra/snowflake/5_snapshots.sql)",
            )
        for name, content in small.items():
            container.upload_blob(f"{prefix}/{name}", content, overwrite=True)


def fetch_job_output(workspace: Workspace, job: str, output: str, folder: Path, path: str = "") -> None:
    """Downloads a job's named output, or a path of it. Raises `AzureMLError` if there is none."""
    scratch = folder.with_name(f"{folder.name}.download")
    shutil.rmtree(scratch, ignore_errors=True)
    page = workspace.job_page(job)
    with faults_of(f"job {job}, output {output}", page):
        workspace.client.jobs.download(job, download_path=scratch, output_name=output)
    found = scratch / "named-outputs" / output / path
    if not found.is_dir():
        remedy = "read the job's log, correct the cause, then run it again"
        raise AzureMLError(f"job {job}", f"left no output {output}", remedy, page)
    shutil.copytree(found, folder, dirs_exist_ok=True)
    shutil.rmtree(scratch)
