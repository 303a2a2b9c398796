"""The whole graph with `GLOBOLATTE_ML=azureml`, against the stand-in: from sales files to a request answered by a canary."""

import os
from pathlib import Path

import pytest

from resources.endpoint.azureml.endpoint import AzureMLEndpoint
from resources.endpoint.endpoint import DesiredState
from resources.endpoint.serving_state import ServingStates
from tests.azureml_builders import settings_of
from tests.emulators.azureml import StandIn
from tests.homes import NewHome

WORKSPACE = "whole-graph"
QUESTION = {"customer_id": "C0001", "region": "Canada", "weather": "Snowy", "date": "2022-03-01"}


@pytest.mark.slow
def test_from_sales_files_to_a_canary_that_answers(azureml: StandIn, small_home: NewHome) -> None:
    home = small_home()
    settings = settings_of(azureml, WORKSPACE, endpoint=WORKSPACE)
    variables = {
        "GLOBOLATTE_ML": "azureml",
        "GLOBOLATTE_AZUREML_SUBSCRIPTION": settings.subscription,
        "GLOBOLATTE_AZUREML_RESOURCE_GROUP": settings.resource_group,
        "GLOBOLATTE_AZUREML_WORKSPACE": WORKSPACE,
        "GLOBOLATTE_AZUREML_POLL_SECONDS": "0.3",
        "GLOBOLATTE_AZUREML_ENDPOINT": WORKSPACE,
    }
    assert "files loaded" in home.ok("run", **variables)
    client = azureml.ml_client(workspace_name=WORKSPACE)
    assert [job.status for job in client.jobs.list()] == ["Completed"]
    assert "blue" in home.ok("endpoints", "deploy", **variables)

    endpoint = AzureMLEndpoint(
        settings, home.folder / "azureml" / "models", ServingStates(folder=str(home.folder / "endpoints"))
    )
    champion = endpoint.desired().deployments["blue"]
    assert (Path(champion.model_folder) / "MLmodel").is_file()
    endpoint.deploy(DesiredState({"blue": champion, "green": champion}, {"blue": 90, "green": 10}))
    endpoint.wait_healthy("green")
    endpoint.wait_settled()
    answer = endpoint.score([QUESTION], deployment="green")
    assert answer["deployment"] == "green"
    assert answer["model_version"] == champion.model_version
    assert answer["recommendations"][0]["known_customer"]
    assert sum(product["probability"] for product in answer["recommendations"][0]["products"]) == pytest.approx(1)

    tags = client.models.get("globolatte-preference-model", version=champion.model_version).tags
    assert {"git_commit", "dagster_run_id", "snapshot", "content_hash", "champion_since"} <= set(tags)
    said = home.command("doctor", **variables).stdout
    assert WORKSPACE in said
    assert os.environ["AZURE_CLIENT_SECRET"] not in said
    exported = home.folder / "definitions"
    assert "definitions in" in home.ok("azureml", "export", str(exported), **variables)
    assert (exported / "deployment" / "deployment.json").is_file()
    assert (exported / "deployment" / "model" / "MLmodel").is_file()
