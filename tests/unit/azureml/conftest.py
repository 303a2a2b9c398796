"""Two registered models, and endpoints on the stand-in to serve them from."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from globolatte_ml.data.snapshot import read_snapshot
from globolatte_ml.model.model import PreferenceModel
from resources.endpoint.azureml.endpoint import AzureMLEndpoint
from resources.endpoint.endpoint import Deployment
from resources.endpoint.serving_state import ServingStates
from resources.ml.azureml import models
from resources.ml.azureml.workspace import Workspace
from resources.ml.ml_platform import TrainedModel
from tests.azureml_builders import settings_of
from tests.emulators.azureml import StandIn
from tests.endpoint_builders import deployment, ml_builders, publish_state

WORKSPACE = "serving"
Make = Callable[..., AzureMLEndpoint]


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> list[Deployment]:
    """Two models of small chains."""
    root = tmp_path_factory.mktemp("models")
    return [deployment(_fitted(root / version, seed=int(version)), version) for version in ("1", "2")]


def _fitted(folder: Path, seed: int) -> Path:
    """A model without a search for its penalty, which takes most of the time."""
    build = ml_builders()
    snapshot = read_snapshot(build.write_snapshot(build.chain(n_orders=200, seed=seed), folder / "snapshot"))
    model = PreferenceModel(penalties=(0.01,)).fit(snapshot.states, snapshot.contexts, snapshot.y, snapshot.products)
    model.save(folder / "model")
    return folder / "model"


@pytest.fixture
def endpoint(azureml: StandIn, tmp_path: Path, trained: list[Deployment]) -> Make:
    """Makes an endpoint of a name, as a new process would: nothing is remembered. Both models are registered."""
    publish_state(tmp_path / "endpoints", "state-1")

    def make(name: str, **more: Any) -> AzureMLEndpoint:
        settings = settings_of(azureml, WORKSPACE, endpoint=name, **more)
        return AzureMLEndpoint(settings, tmp_path / "copies", ServingStates(folder=str(tmp_path / "endpoints")))

    workspace = Workspace(settings_of(azureml, WORKSPACE))
    for one in trained:
        registered = TrainedModel(Path(one.model_folder), one.content_hash, "snapshot", "job", {})
        if models.same(workspace, registered) is None:
            models.create(workspace, registered, one.model_folder)
    return make
