"""What goes wrong in Azure, as Dagster shows it: what happened, in which resource, where to look, what to do."""

import re
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import pytest

from globolatte_assets.endpoints.recommender import recommender
from resources.endpoint.azureml.endpoint import AzureMLEndpoint
from resources.ml.azureml.platform import AzureMLPlatform
from resources.ml.ml_platform import CHALLENGER
from resources.ml.training_method import CommandMethod
from tests.azureml_builders import unique
from tests.emulators.azureml import StandIn
from tests.emulators.azureml.faults import Faults
from tests.unit.azureml.conftest import Make

OFTEN = 100
Arrange = Callable[[Faults], None]


def deployed(one: AzureMLEndpoint) -> dg.ExecuteInProcessResult:
    """The asset that puts the champion behind the endpoint."""
    platform = AzureMLPlatform(one.settings, one.models_folder.parent, CommandMethod())
    version = platform.model(CHALLENGER)
    if version is None:
        made = platform.workspace.client.models.get("globolatte-preference-model", version="1")
        made.tags = {**made.tags, "challenger_since": "2026"}
        platform.workspace.client.models.create_or_update(made)
        version = platform.model(CHALLENGER)
    assert version is not None
    platform.promote(version, ["It is the first."])
    resources = {"ml": platform, "states": one.states, "endpoint": one}
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize([recommender], resources=resources, instance=instance, raise_on_error=False)


def shown(result: dg.ExecuteInProcessResult) -> dg.Failure:
    """The failure of the asset's step."""
    error = result.failure_data_for_node("endpoints__recommender")
    assert error is not None
    data = error.user_failure_data
    assert data is not None, error.error
    return dg.Failure(data.description, metadata=dict(data.metadata))


CASES: dict[str, tuple[Arrange, str, str, str]] = {
    "quota": (lambda faults: faults.out_of_quota("blue"), "deployment blue", "OutOfQuota: Not enough quota", "ask for more quota"),
    "provisioning": (
        lambda faults: faults.fail_provisioning("blue", "User container has crashed"), "deployment blue", "has crashed",
        "log in the studio",
    ),
    "endpoint": (
        lambda faults: faults.fail_provisioning("failing-", "The name is reserved"), "endpoint failing-", "The name is reserved",
        "what was done stays done",
    ),
    "token": (
        lambda faults: faults.expire_token("/onlineEndpoints/", times=OFTEN), "endpoint failing-", "ExpiredAuthenticationToken",
        "az login",
    ),
    "throttled": (
        lambda faults: faults.throttle("/onlineEndpoints/", times=OFTEN), "endpoint failing-", "429 TooManyRequests", "wait a few minutes",
    ),
    "forbidden": (
        lambda faults: faults.refuse("/deployments/", 403, "AuthorizationFailed", "No role", method="PUT"), "deployment blue",
        "403 AuthorizationFailed: No role", "AzureML Data Scientist",
    ),
    "unreachable": (
        lambda faults: faults.refuse("/onlineEndpoints/", 503, "ServiceUnavailable", "Down for repair", times=OFTEN),
        "endpoint failing-", "503 ServiceUnavailable", "run it again",
    ),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_each_failure_names_what_happened_where_and_the_remedy(name: str, azureml: StandIn, endpoint: Make) -> None:
    arrange, resource, what, remedy = CASES[name]
    one = endpoint(unique("failing"))
    arrange(azureml.faults)
    failure = shown(deployed(one))
    facts = {key: str(value.value) for key, value in failure.metadata.items()}
    assert facts["resource"].startswith(resource)
    assert what in facts["what_happened"]
    assert remedy in facts["remedy"]
    assert re.fullmatch(r"https://ml\.azure\.com/.+\?wsid=/subscriptions/.+", facts["studio"])
    assert all(part in str(failure.description) for part in (facts["resource"], what, facts["remedy"], facts["studio"]))
    assert "eyJ" not in str(failure.description), "no token is shown"


@pytest.mark.slow
def test_a_call_that_is_throttled_now_and_then_and_slow_operations_are_waited_out(
    azureml: StandIn, endpoint: Make
) -> None:
    azureml.faults.operation_polls = 6
    azureml.faults.throttle("/onlineEndpoints/", times=2)
    one = endpoint(unique("throttled"))
    assert deployed(one).success
    assert one.observed().converged


def test_training_with_an_expired_token_says_so(azureml: StandIn, endpoint: Make, tmp_path: Path) -> None:
    platform = AzureMLPlatform(endpoint(unique("token")).settings, tmp_path / "platform", CommandMethod())
    staging = platform.snapshot_staging("one")
    (staging / "examples.parquet").write_bytes(b"orders")
    snapshot = platform.keep_snapshot(staging, "one")

    @dg.asset
    def model(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        platform.train(context, snapshot)
        return dg.MaterializeResult()

    azureml.faults.expire_token("/jobs/", times=OFTEN)
    with (
        dg.DagsterInstance.ephemeral() as instance,
        pytest.raises(dg.Failure, match="ExpiredAuthenticationToken") as failed,
    ):
        dg.materialize([model], instance=instance)
    assert "az login" in failed.value.metadata["remedy"].value
    assert failed.value.metadata["studio"].value.startswith("https://ml.azure.com/runs/")
