"""Batch endpoints of the stand-in: the deployed script really goes over the files."""

from pathlib import Path
from typing import Any

from azure.ai.ml import Input
from azure.ai.ml.entities import (
    AmlCompute,
    BatchEndpoint,
    CodeConfiguration,
    Data,
    ModelBatchDeployment,
    ModelBatchDeploymentSettings,
)

from tests.azureml_builders import ended, environment, model_asset, unique, written

SCRIPT = """
import os, pathlib
def init():
    global said
    said = next(pathlib.Path(os.environ["AZUREML_MODEL_DIR"]).rglob("*.txt")).read_text()
def run(mini_batch):
    return [f"{pathlib.Path(file).name},{said},{len(mini_batch)}" for file in mini_batch]
"""


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
