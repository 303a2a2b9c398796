"""What goes wrong in Azure, as Dagster shows it: what happened, in which resource, where to look, what to do."""

import re
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest
from azure.core.exceptions import HttpResponseError
from pydantic import ValidationError

from globolatte_assets.endpoints.recommender import recommender
from resources.endpoint.azureml.endpoint import AzureMLEndpoint
from resources.endpoint.endpoint import Deployment, DesiredState
from resources.ml.azureml import faults
from resources.ml.azureml.faults import AzureMLError, faults_of, remedy_for, when_free
from resources.ml.azureml.platform import AzureMLPlatform
from resources.ml.ml_platform import CHALLENGER
from resources.ml.training_method import CommandMethod
from resources.settings.azureml import AzureMLSettings
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
        "choose another name",
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


@pytest.mark.slow
def test_a_change_waits_while_someone_else_changes_the_endpoint(azureml: StandIn, endpoint: Make) -> None:
    one = endpoint(unique("conflict"))
    for place in ("/onlineEndpoints/[^/]+$", "/deployments/"):
        azureml.faults.refuse(place, 409, "Conflict", "Another operation is in progress", method="PUT", times=2)
    assert deployed(one).success
    assert one.observed().converged


def test_what_someone_else_changed_while_a_change_waited_stays(
    azureml: StandIn, endpoint: Make, trained: list[Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = endpoint(unique("meanwhile"))
    one.deploy(DesiredState())
    endpoints, name = one.workspace.client.online_endpoints, one.settings.endpoint

    def someone_else(_: float) -> None:
        theirs = endpoints.get(name)
        theirs.tags = {**theirs.tags, "cost_centre": "4711"}
        endpoints.begin_create_or_update(theirs).result()

    monkeypatch.setattr(faults, "time", SimpleNamespace(monotonic=time.monotonic, sleep=someone_else))
    azureml.faults.refuse(
        f"/onlineEndpoints/{name}$", 409, "Conflict", "Another operation is in progress", method="PUT"
    )
    one.deploy(DesiredState({"blue": trained[0]}, {"blue": 100}))
    assert endpoints.get(name).tags["cost_centre"] == "4711"
    assert one.desired().traffic == {"blue": 100}


def conflict() -> HttpResponseError:
    error = HttpResponseError("Another operation on this endpoint is in progress")
    error.status_code = 409
    return error


def test_what_stays_in_conflict_is_said_with_its_remedy_and_other_faults_at_once() -> None:
    tries: list[int] = []

    def refused(error: HttpResponseError) -> None:
        tries.append(1)
        raise error

    with (
        pytest.raises(AzureMLError, match="Remedy: someone else is changing it at this moment"),
        faults_of("endpoint one"),
    ):
        when_free(lambda: refused(conflict()), wait_seconds=0.05, poll_seconds=0.01)
    assert len(tries) > 1
    tries.clear()
    with pytest.raises(AzureMLError, match="Remedy: correct what the message names"), faults_of("endpoint one"):
        when_free(lambda: refused(HttpResponseError("no such size")), wait_seconds=60, poll_seconds=0.01)
    assert len(tries) == 1


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("409 Conflict: Another operation is in progress", "wait until that is done"),
        ("OutOfQuota: Not enough quota available", "ask for more quota"),
        ("ClusterCoreQuotaReached: exceeds the regional Cores Quota", "ask for more quota"),
        ("QuotaExceeded: the subscription has not enough cores", "ask for more quota"),
        ("OutOfCapacity: not enough capacity in westeurope", "run it again later, or choose another size"),
        ("400 InvalidName: the endpoint name is too long", "choose another name"),
    ],
)
def test_each_refusal_of_azure_has_its_remedy(said: str, remedy: str) -> None:
    assert remedy in remedy_for(said)


@pytest.mark.parametrize(
    ("field", "value", "kind", "fits"),
    [
        ("endpoint", "ab", "serverless", False),
        ("endpoint", "a" * 32, "serverless", True),
        ("endpoint", "a" * 33, "serverless", False),
        ("endpoint", "1abc", "serverless", False),
        ("endpoint", "abc-", "serverless", False),
        ("endpoint", "caf\u00e9-one", "serverless", False),
        ("batch_endpoint", "a_b", "serverless", False),
        ("compute_name", "c" * 32, "cluster", True),
        ("compute_name", "c" * 33, "cluster", False),
        ("compute_name", "c" * 25, "instance", False),
        ("compute_name", "cpu-1", "instance", False),
        ("compute_name", "cpu-1a", "instance", True),
        ("compute_name", "cpu_1", "serverless", True),
    ],
)
def test_names_that_azure_would_refuse_are_refused_before(field: str, value: str, kind: str, *, fits: bool) -> None:
    given: dict[str, Any] = {
        "subscription": "s",
        "resource_group": "g",
        "workspace": "w",
        "compute": kind,
        field: value,
    }
    if fits:
        assert getattr(AzureMLSettings(**given), field) == value
    else:
        with pytest.raises(ValidationError, match="name; use 3 to"):
            AzureMLSettings(**given)


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
