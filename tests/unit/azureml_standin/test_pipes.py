"""Dagster Pipes through the stand-in: context and messages travel through its storage, by the identity of the compute."""

from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from azure.ai.ml import command
from azure.identity import DefaultAzureCredential
from azure.storage.blob import BlobServiceClient
from dagster_azure.pipes import (
    PipesAzureBlobStorageContextInjector,
    PipesAzureBlobStorageMessageReader,
    PipesAzureMLClient,
)

from tests.azureml_builders import environment, unique, written
from tests.emulators.azureml import StandIn

pytestmark = pytest.mark.depth

REPORTS = """
import os
from azure.identity import DefaultAzureCredential
from azure.storage.blob import BlobServiceClient
from dagster_pipes import PipesAzureBlobStorageContextLoader, PipesAzureBlobStorageMessageWriter, open_dagster_pipes
account = BlobServiceClient(os.environ["ACCOUNT_URL"], DefaultAzureCredential())
loader, writer = PipesAzureBlobStorageContextLoader(client=account), PipesAzureBlobStorageMessageWriter(client=account)
with open_dagster_pipes(context_loader=loader, message_writer=writer) as pipes:
    pipes.report_asset_materialization(metadata={"beans": pipes.extras["beans"] * 2})
"""


def test_a_job_reports_to_the_asset_that_started_it(azureml: StandIn, client: Any, tmp_path: Path) -> None:
    account = BlobServiceClient(azureml.account_url, DefaultAzureCredential())
    container = unique("pipes")
    account.create_container(container)
    pipes = PipesAzureMLClient(
        client,
        PipesAzureBlobStorageContextInjector(container=container, client=account),
        PipesAzureBlobStorageMessageReader(container=container, client=account, interval=0.1),
        poll_interval_seconds=0.2,
    )
    job = command(
        code=str(written(tmp_path / "code", {"reports.py": REPORTS})),
        command="python reports.py",
        environment=environment(client),
        environment_variables={"ACCOUNT_URL": azureml.account_url},
        name=unique("pipes"),
    )

    @dg.asset
    def beans(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        return pipes.run(context=context, command=job, extras={"beans": 21}).get_materialize_result()

    with dg.DagsterInstance.ephemeral() as instance:
        result = dg.materialize([beans], instance=instance)
    assert result.asset_materializations_for_node("beans")[0].metadata["beans"].value == 42
