"""Batch endpoints of the stand-in: the deployed script really goes over the files."""

from pathlib import Path
from typing import Any

import pytest
from azure.ai.ml import Input
from azure.ai.ml.entities import (
    AmlCompute,
    BatchEndpoint,
    BatchRetrySettings,
    CodeConfiguration,
    Data,
    ModelBatchDeployment,
    ModelBatchDeploymentSettings,
)

from tests.azureml_builders import ended, environment, model_asset, unique, written

pytestmark = pytest.mark.depth

SCRIPT = """
import os, pathlib
def init():
    global said
    said = next(pathlib.Path(os.environ["AZUREML_MODEL_DIR"]).rglob("*.txt")).read_text()
def run(mini_batch):
    return [f"{pathlib.Path(file).name},{said},{len(mini_batch)}" for file in mini_batch]
"""


TROUBLED = """
import os, pathlib, time
def init():
    pass
def run(mini_batch):
    name = pathlib.Path(mini_batch[0]).name
    tried = pathlib.Path.cwd() / f"tried-{name}"
    first = not tried.exists()
    tried.touch()
    if name.startswith("flaky") and first:
        raise RuntimeError("once")
    if name.startswith("slow") and first:
        time.sleep(60)
    if name.startswith("bad"):
        raise RuntimeError("always")
    time.sleep(0.3)
    (pathlib.Path(os.environ["AZUREML_BI_OUTPUT_PATH"]) / f"by-{os.getpid()}").touch()
    return [name]
"""


def scored(client: Any, folder: Path, script: str, files: list[str], **settings: Any) -> tuple[Any, Path]:
    """The ended job of a batch of files, and the folder of what it left."""
    name, cluster = unique("batch"), unique("c")
    client.compute.begin_create_or_update(AmlCompute(name=cluster, size="Standard_DS3_v2", max_instances=1)).result()
    client.batch_endpoints.begin_create_or_update(BatchEndpoint(name=name)).result()
    deployment = ModelBatchDeployment(
        name="weekly",
        endpoint_name=name,
        model=model_asset(client, folder, "latte"),
        environment=environment(client),
        code_configuration=CodeConfiguration(
            code=str(written(folder / "code", {"score.py": script})), scoring_script="score.py"
        ),
        compute=cluster,
        settings=ModelBatchDeploymentSettings(**settings),
    )
    client.batch_deployments.begin_create_or_update(deployment).result()
    endpoint = client.batch_endpoints.get(name)
    endpoint.defaults.deployment_name = "weekly"
    client.batch_endpoints.begin_create_or_update(endpoint).result()
    data = written(folder / "data", dict.fromkeys(files, "x"))
    asset = client.data.create_or_update(Data(name=unique("asked"), version="1", type="uri_folder", path=str(data)))
    job = client.batch_endpoints.invoke(name, input=Input(type="uri_folder", path=f"azureml:{asset.name}:1"))
    done = ended(client, job.name)
    step = next(iter(client.jobs.list(parent_job_name=job.name)))
    if done.status == "Completed":
        client.jobs.download(step.name, download_path=folder / "got", output_name="score")
    return done, folder / "got" / "named-outputs" / "score"


def test_what_fails_once_or_takes_too_long_is_tried_again_by_as_many_processes_as_asked_for(
    client: Any, tmp_path: Path
) -> None:
    files = ["flaky.csv", "good-1.csv", "good-2.csv", "good-3.csv", "slow.csv"]
    retries = BatchRetrySettings(max_retries=1, timeout=2)
    job, left = scored(
        client,
        tmp_path,
        TROUBLED,
        files,
        mini_batch_size=1,
        max_concurrency_per_instance=2,
        retry_settings=retries,
        output_file_name="scores.csv",
    )
    assert job.status == "Completed"
    assert (left / "scores.csv").read_text().splitlines() == files
    assert len(list(left.glob("by-*"))) == 2


@pytest.mark.parametrize(("allowed", "status"), [(1, "Completed"), (0, "Failed")])
def test_a_batch_fails_with_more_files_than_are_allowed_to(
    client: Any, tmp_path: Path, allowed: int, status: str
) -> None:
    job, left = scored(
        client, tmp_path, TROUBLED, ["bad.csv", "good.csv"], mini_batch_size=1, error_threshold=allowed,
        retry_settings=BatchRetrySettings(max_retries=0, timeout=30), output_action="summary_only",
    )  # fmt: skip
    assert job.status == status
    assert not list(left.glob("*.csv"))
    assert len(list(left.glob("by-*"))) == allowed


def test_every_file_is_scored_once_in_mini_batches(client: Any, tmp_path: Path) -> None:
    name, cluster = unique("batch"), unique("c")
    client.compute.begin_create_or_update(AmlCompute(name=cluster, size="Standard_DS3_v2", max_instances=1)).result()
    client.batch_endpoints.begin_create_or_update(BatchEndpoint(name=name)).result()
    deployment = ModelBatchDeployment(
        name="weekly",
        endpoint_name=name,
        model=model_asset(client, tmp_path, "latte"),
        environment=environment(client),
        code_configuration=CodeConfiguration(
            code=str(written(tmp_path / "code", {"score.py": SCRIPT})), scoring_script="score.py"
        ),
        compute=cluster,
        settings=ModelBatchDeploymentSettings(mini_batch_size=2, output_file_name="scores.csv"),
    )
    client.batch_deployments.begin_create_or_update(deployment).result()
    endpoint = client.batch_endpoints.get(name)
    endpoint.defaults.deployment_name = "weekly"
    client.batch_endpoints.begin_create_or_update(endpoint).result()
    folder = written(tmp_path / "data", {"a.csv": "", "b.csv": "", "c.csv": ""})
    data = client.data.create_or_update(
        Data(name=unique("customers"), version="1", type="uri_folder", path=str(folder))
    )
    job = client.batch_endpoints.invoke(name, input=Input(type="uri_folder", path=f"azureml:{data.name}:1"))
    assert ended(client, job.name).status == "Completed"
    step = next(iter(client.jobs.list(parent_job_name=job.name)))
    client.jobs.download(step.name, download_path=tmp_path / "got", output_name="score")
    rows = next((tmp_path / "got").rglob("scores.csv")).read_text().splitlines()
    assert rows == ["a.csv,latte,2", "b.csv,latte,2", "c.csv,latte,1"]
    assert [listed.name for listed in client.batch_endpoints.list_jobs(name)] == [job.name]
