"""A real workspace: skipped unless you say so, since it costs money and needs an account.

Set GLOBOLATTE_LIVE_AZUREML=1 and the three GLOBOLATTE_AZUREML_ variables that name the workspace, then: pytest tests/live
"""

import os
from pathlib import Path

import dagster as dg
import pytest

from tests.endpoint_builders import QUESTION, ml_builders, publish_state

SWITCH = "GLOBOLATTE_LIVE_AZUREML"
GIVEN = {name: value for name, value in os.environ.items() if name.startswith("GLOBOLATTE_AZUREML_")}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(7200),
    pytest.mark.skipif(os.environ.get(SWITCH) != "1", reason=f"needs an Azure ML workspace: set {SWITCH}=1"),
]


def test_a_model_is_trained_registered_and_served_in_a_real_workspace(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from resources.endpoint.azureml.endpoint import AzureMLEndpoint
    from resources.endpoint.endpoint import Deployment, DesiredState
    from resources.endpoint.serving_state import ServingStates
    from resources.ml.azureml.platform import AzureMLPlatform
    from resources.settings.azureml import AzureMLSettings

    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)
    settings = AzureMLSettings.from_environment()
    platform = AzureMLPlatform(settings, tmp_path / "copies")
    build = ml_builders()
    staging = platform.snapshot_staging("live")
    build.write_snapshot(build.chain(n_orders=300), staging)
    snapshot = platform.keep_snapshot(staging, "live-test")
    versions = []

    @dg.asset
    def model(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        versions.append(platform.register(platform.train(context, snapshot)))
        return dg.MaterializeResult()

    with dg.DagsterInstance.ephemeral() as instance:
        dg.materialize([model], instance=instance)
    version = versions[0]
    publish_state(tmp_path / "endpoints", "state-1")
    endpoint = AzureMLEndpoint(
        settings, tmp_path / "copies" / "models", ServingStates(folder=str(tmp_path / "endpoints"))
    )
    served = Deployment(str(version.folder), version.version, version.content_hash)
    endpoint.deploy(DesiredState({"blue": served}, {"blue": 100}))
    endpoint.wait_healthy("blue")
    endpoint.wait_until_converged()
    assert endpoint.score([QUESTION])["model_version"] == version.version
