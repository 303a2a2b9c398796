"""The whole graph as it runs in Azure, against its emulators: from files in a container to a request answered by a canary."""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from resources.endpoint.azureml.endpoint import AzureMLEndpoint
from resources.endpoint.endpoint import DesiredState
from resources.endpoint.serving_state import ServingStates
from resources.warehouse.duckdb_file import DuckDBWarehouse
from tests.azureml_builders import settings_of
from tests.blob_builders import Bay, Events, blob_variables
from tests.builders import sales
from tests.emulators.azureml import StandIn
from tests.emulators.azurite_server import Azurite
from tests.homes import Home, NewHome

CHAIN = ("--orders", "400", "--customers", "30", "--start", "2022-01-01", "--end", "2022-01-31")
A_DAY = "sales/usa/2022/01/31/sales.csv"

QUESTION = {"customer_id": "C0001", "region": "Canada", "weather": "Snowy", "date": "2022-03-01"}


@pytest.mark.slow
@pytest.mark.parametrize(
    "released",
    [
        pytest.param(False, id="held and retracted"),
        pytest.param(True, id="held, released and retracted", marks=pytest.mark.depth),
    ],
)
def test_from_blobs_to_a_canary_that_answers_and_back_to_a_blob_that_is_retracted(
    azureml: StandIn, azurite: Azurite, new_home: NewHome, released: bool
) -> None:
    bay, workspace = Bay.new(azurite), f"whole-graph-{'released' if released else 'held'}"
    chain, home = new_home().simulate(*CHAIN), new_home()
    paths = fill(bay, chain)
    lines = sum(len((chain.folder / "landing" / path).read_text().splitlines()) - 1 for path in paths)
    settings = settings_of(azureml, workspace, endpoint=workspace)
    variables = {
        **blob_variables(azurite, bay, Events.new(azurite, bay.container.container_name)),
        "GLOBOLATTE_ML": "azureml",
        "GLOBOLATTE_AZUREML_SUBSCRIPTION": settings.subscription,
        "GLOBOLATTE_AZUREML_RESOURCE_GROUP": settings.resource_group,
        "GLOBOLATTE_AZUREML_WORKSPACE": workspace,
        "GLOBOLATTE_AZUREML_POLL_SECONDS": "0.3",
        "GLOBOLATTE_AZUREML_ENDPOINT": workspace,
    }
    assert f"{len(paths)} files loaded with {lines:,} rows" in home.ok("run", **variables)
    assert not list((home.folder / "landing").iterdir())
    warehouse = DuckDBWarehouse(file=str(home.folder / "warehouse.duckdb"))
    assert len(sales(warehouse)) == lines
    assert warehouse.read("serving.recommendations").num_rows == 30 * 4 * 6
    assert home.ok("run", **variables).startswith("Nothing to do")
    client = azureml.ml_client(workspace_name=workspace)
    assert [job.status for job in client.jobs.list()] == ["Completed"]
    assert "blue" in home.ok("endpoints", "deploy", **variables)

    endpoint = AzureMLEndpoint(
        settings, home.folder / "azureml" / "models", ServingStates(folder=str(home.folder / "endpoints"))
    )
    champion = endpoint.desired().deployments["blue"]
    assert (Path(champion.model_folder) / "MLmodel").is_file()
    endpoint.deploy(DesiredState({"blue": champion, "green": champion}, {"blue": 90, "green": 10}))
    endpoint.wait_healthy("green")
    endpoint.wait_until_converged()
    answer = endpoint.score([QUESTION], deployment="green")
    assert answer["deployment"] == "green"
    assert answer["model_version"] == champion.model_version
    assert answer["recommendations"][0]["known_customer"]
    assert sum(product["probability"] for product in answer["recommendations"][0]["products"]) == pytest.approx(1)

    tags = client.models.get("globolatte-preference-model", version=champion.model_version).tags
    assert {"git_commit", "dagster_run_id", "snapshot", "content_hash", "champion_since"} <= set(tags)
    output = home.command("doctor", **variables).stdout
    assert workspace in output
    assert os.environ["AZURE_CLIENT_SECRET"] not in output
    exported = home.folder / "definitions"
    assert "definitions in" in home.ok("azureml", "export", str(exported), **variables)
    assert (exported / "deployment" / "deployment.json").is_file()
    assert (exported / "deployment" / "model" / "MLmodel").is_file()

    header, *rows = bay.container.download_blob(A_DAY).readall().decode().splitlines(keepends=True)
    bay.put(A_DAY, "".join([header, *(row.replace("BU_US", "BU_BR") for row in rows)]).encode())
    assert "1 held" in home.ok("run", **variables)
    assert len(sales(warehouse)) == lines
    if released:
        home.ok("quarantine", "release", A_DAY, **variables)
        assert len(sales(warehouse)) == lines - len(rows)
    home.ok("retract", A_DAY, "--yes", **variables)
    assert len(sales(warehouse)) == lines - len(rows)
    shown = home.ok("ledger", "show", A_DAY, **variables)
    assert "retracted" in shown
    assert not released or "superseded" in shown


def fill(bay: Bay, home: Home) -> list[str]:
    """Uploads what a chain has in its landing folder; returns the paths of the sales files."""
    landing = home.folder / "landing"
    files = [file for file in landing.rglob("*.csv") if file.is_file()]

    def upload(path: str) -> None:
        bay.container.upload_blob(path, (landing / path).read_bytes())

    paths = [file.relative_to(landing).as_posix() for file in files]
    with ThreadPoolExecutor(8) as uploading:
        list(uploading.map(upload, paths))
    return [path for path in paths if path.startswith("sales/")]
