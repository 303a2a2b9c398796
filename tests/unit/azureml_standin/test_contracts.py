"""The check of bodies against the SDK's own models: what fits passes, and each way of not fitting is told."""

import copy
from typing import Any

import pytest

from tests.emulators.azureml import contracts, modelled
from tests.emulators.azureml.calls import GROUP
from tests.emulators.azureml.network import WORKSPACE_API
from tests.emulators.azureml.routes import ROUTES

JOB: dict[str, Any] = {
    "properties": {
        "jobType": "Command",
        "command": "python train.py",
        "environmentId": "env",
        "limits": {"jobLimitsType": "Command", "timeout": "PT1H"},
        "inputs": {"rows": {"jobInputType": "uri_file", "uri": "azureml:rows:1", "mode": "ReadOnlyMount"}},
    }
}


def changed(path: str, value: object) -> dict[str, Any]:
    """The job with one thing different; `...` takes it out."""
    body = copy.deepcopy(JOB)
    *above, last = path.split(".")
    inner = body
    for key in above:
        inner = inner[key]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return body


def test_a_job_as_the_sdk_sends_it_fits() -> None:
    assert contracts.request_faults("JobBase", JOB) == []


@pytest.mark.parametrize(
    ("path", "value", "fault"),
    [
        ("properties.colour", "red", "colour is unknown to CommandJob"),
        ("properties.command", ..., "command is missing"),
        ("properties.command", None, "command is null"),
        ("properties.command", 3, "is 3, not str"),
        ("properties.isArchived", "yes", "not bool"),
        ("properties.limits.timeout", "one hour", "no timedelta"),
        ("properties.inputs.rows.mode", "Sideways", "InputDeliveryMode does not know"),
        ("properties.inputs.rows.uri", ..., "uri is missing"),
        ("properties.inputs", ["rows"], "not dict"),
        ("properties", "a job", "not an object"),
    ],
)
def test_what_does_not_fit_is_told(path: str, value: object, fault: str) -> None:
    faults = contracts.request_faults("JobBase", changed(path, value))
    assert len(faults) == 1
    assert fault in faults[0]


def test_secrets_are_sent_to_the_service_and_never_told_by_it() -> None:
    store = {
        "datastoreType": "AzureBlob",
        "credentials": {"credentialsType": "AccountKey", "secrets": {"secretsType": "AccountKey", "key": "k"}},
    }
    assert contracts.request_faults("Datastore", {"properties": store}) == []
    assert "never told" in contracts.answer_faults("Datastore", {"properties": store})[0]


def test_the_service_reads_enumerations_in_any_case_and_numbers_as_texts() -> None:
    asked = {"properties": {"codeUri": "https://x", "properties": {"hash_version": 202208}}}
    assert contracts.as_the_service_reads("CodeVersion", asked)["properties"]["properties"] == {
        "hash_version": "202208"
    }
    mode = changed("properties.inputs.rows.mode", "readonlymount")
    assert contracts.as_the_service_reads("JobBase", mode) == JOB


def test_a_page_holds_what_fits_and_nothing_else() -> None:
    assert contracts.page_faults("JobBase", {"value": [JOB], "nextLink": "https://next"}) == []
    assert contracts.page_faults("JobBase", {"value": [JOB], "count": 1}) == ["JobBase: a page has no 'count'"]
    assert contracts.page_faults("JobBase", {"values": []}) == ["JobBase: a page has a list under 'value'"]


def test_every_model_that_a_route_names_is_one_of_the_installed_sdk() -> None:
    assert modelled.MODULES
    named = [getattr(route.contract, side) for route in ROUTES for side in ("takes", "gives", "lists")]
    for name in filter(None, named):
        assert contracts.model(name).__name__ in name


def test_no_two_routes_answer_the_same_call() -> None:
    assert len({(route.method, route.pattern.pattern) for route in ROUTES}) == len(ROUTES)


def test_every_route_of_the_resource_manager_is_held_to_a_model() -> None:
    free = [
        route
        for route in ROUTES
        if route.template.startswith(GROUP)
        and route.method != "DELETE"
        and route.template.rpartition("/")[2] not in WITHOUT_BODY
        and not any((route.contract.takes, route.contract.gives, route.contract.lists))
    ]
    assert [f"{route.method} {route.template.removeprefix(GROUP)}" for route in free] == UNCARRIED
    written = [route for route in ROUTES if route.template.startswith(GROUP) and route.method in ("PUT", "PATCH")]
    assert [route.template for route in written if route.contract.takes is None] == []


def test_what_no_model_is_carried_for_is_of_other_services() -> None:
    hosts = {
        route.template.partition("/")[0]
        for route in ROUTES
        if not route.template.startswith("management.azure.com")
        and not any((route.contract.takes, route.contract.gives, route.contract.lists))
    }
    assert hosts == OTHER_SERVICES


WITHOUT_BODY = frozenset({"start", "stop", "restart", "cancel"})
UNCARRIED = [
    "GET ",  # a resource group, which is another provider's
    "POST /providers/Microsoft.MachineLearningServices/workspaces/{workspace}/schedules/{name}/trigger",  # read as it comes
]
OTHER_SERVICES = {
    "login.microsoftonline.com", WORKSPACE_API, "{host}", "{endpoint}.westeurope.inference.ml.azure.com"
}  # fmt: skip
