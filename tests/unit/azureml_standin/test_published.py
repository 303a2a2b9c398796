"""The stand-in's resources, and the models that the installed SDK carries, against what the published specification says of them."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import requests

from tests.azureml_builders import unique
from tests.emulators.azureml import StandIn, contracts
from tests.unit.azureml_standin import published
from tests.unit.azureml_standin.published import Published

pytestmark = pytest.mark.depth

VERSION = "2024-10-01"


def document(path: str, properties: dict[str, Any]) -> dict[str, Any]:
    """A resource as it is put; schedules have no place of their own."""
    return {"properties": properties, **({} if path.startswith("/schedules") else {"location": "westeurope"})}


@dataclass(frozen=True)
class Rest:
    """The workspace's REST API without the SDK."""

    standin: StandIn

    @property
    def workspace(self) -> str:
        scope = f"/subscriptions/{self.standin.subscription_id}/resourceGroups/{self.standin.resource_group}"
        return f"{scope}/providers/Microsoft.MachineLearningServices/workspaces/{self.standin.workspace_name}"

    def __call__(self, method: str, path: str, body: Any = None) -> requests.Response:
        token = self.standin.world.tenant.token("https://management.azure.com", 600)
        address = f"https://management.azure.com{self.workspace}{path}?api-version={VERSION}"
        return requests.request(method, address, json=body, headers={"Authorization": f"Bearer {token}"}, timeout=30)

    def made(self, path: str, properties: dict[str, Any]) -> dict[str, Any]:
        """The properties of a resource that was put, once it is provisioned or failed."""
        answer = self("PUT", path, document(path, properties))
        assert answer.status_code in (200, 201), answer.text
        deadline = time.monotonic() + 20
        while (returned := self("GET", path).json()["properties"])["provisioningState"] not in ("Succeeded", "Failed"):
            assert time.monotonic() < deadline, returned
            time.sleep(0.05)
        return dict(returned)


@pytest.fixture
def rest(azureml: StandIn) -> Rest:
    return Rest(azureml)


def online_endpoint(rest: Rest) -> tuple[str, dict[str, Any]]:
    return f"/onlineEndpoints/{unique('ep')}", {"authMode": "Key"}


def online_deployment(rest: Rest) -> tuple[str, dict[str, Any]]:
    path, given = online_endpoint(rest)
    rest.made(path, given)
    rest.standin.faults.fail_provisioning("blue", times=2)  # there is no model to serve
    return f"{path}/deployments/blue", {"endpointComputeType": "Managed"}


def batch_endpoint(rest: Rest) -> tuple[str, dict[str, Any]]:
    return f"/batchEndpoints/{unique('ep')}", {"authMode": "AADToken"}


def batch_deployment(rest: Rest) -> tuple[str, dict[str, Any]]:
    path, given = batch_endpoint(rest)
    rest.made(path, given)
    return f"{path}/deployments/weekly", {}


def schedule(rest: Rest) -> tuple[str, dict[str, Any]]:
    job = {"jobType": "Pipeline", "jobs": {}}
    trigger = {"triggerType": "Cron", "expression": "0 3 * * *"}
    return f"/schedules/{unique('s')}", {
        "action": {"actionType": "CreateJob", "jobDefinition": job},
        "trigger": trigger,
    }


KINDS: list[tuple[Published, Callable[[Rest], tuple[str, dict[str, Any]]]]] = [
    (published.ONLINE_ENDPOINT, online_endpoint),
    (published.ONLINE_DEPLOYMENT, online_deployment),
    (published.BATCH_ENDPOINT, batch_endpoint),
    (published.BATCH_DEPLOYMENT, batch_deployment),
    (published.SCHEDULE, schedule),
]


@pytest.mark.parametrize(("kind", "least"), KINDS, ids=[least.__name__ for _, least in KINDS])
def test_what_is_required_is_enough_and_the_rest_is_filled_in(kind: Published, least: Any, rest: Rest) -> None:
    path, given = least(rest)
    assert set(given) == kind.required
    returned = rest.made(path, given)
    assert kind.returned_only <= set(returned)
    assert {name: returned.get(name) for name in kind.left_out} == kind.left_out
    assert not kind.never_returned & {name for name, value in returned.items() if value is not None}


@pytest.mark.parametrize(
    ("kind", "least", "name"),
    [(kind, least, name) for kind, least in KINDS for name in sorted(kind.required)],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_nothing_is_made_without_what_is_required(kind: Published, least: Any, name: str, rest: Rest) -> None:
    path, given = least(rest)
    lacking = {key: value for key, value in given.items() if key != name}
    answer = rest("PUT", path, document(path, lacking))
    assert (answer.status_code, f"{name} is missing" in answer.text) == (400, True)
    assert rest("GET", path).status_code == 404
    rest.standin.journal.clear()  # breaking the contract is this test's point


@pytest.mark.parametrize("kind", [kind for kind, _ in KINDS], ids=lambda kind: kind.model)
def test_the_sdks_models_require_what_was_published_and_leave_the_rest_to_the_service(kind: Published) -> None:
    fields = contracts.fields_of(kind.model)
    assert {name for name, one in fields.items() if one.required and one.taken} == kind.required
    assert kind.returned_only <= {name for name, one in fields.items() if one.returned and not one.taken}
    assert kind.never_returned <= {name for name, one in fields.items() if one.taken and not one.returned}
    assert set(kind.left_out) <= set(fields)


@pytest.mark.parametrize("name", sorted(published.ENUMERATIONS))
def test_the_sdk_knows_the_published_values(name: str) -> None:
    known = {str(one.value) for one in contracts.model(name)}
    assert known >= published.ENUMERATIONS[name]
