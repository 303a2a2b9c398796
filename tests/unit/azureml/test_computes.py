"""What jobs run on is made or attached through the SDK as the settings choose it, once, and tried again where that failed."""

from typing import Any

import pytest

from resources.ml.azureml.computes import ensure_compute
from resources.ml.azureml.faults import AzureMLError
from resources.ml.azureml.workspace import Workspace
from tests.azureml_builders import ended, environment, settings_of, unique
from tests.emulators.azureml import StandIn

CLUSTER = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.ContainerService/managedClusters/coffee"


def made(standin: StandIn) -> int:
    return sum(call.method == "PUT" and "/computes/" in call.route for call in standin.journal.calls)


@pytest.mark.parametrize(
    ("more", "wanted"),
    [
        (
            {"compute": "cluster", "compute_tier": "low_priority", "compute_max_nodes": 7, "compute_idle_seconds": 90},
            {"type": "amlcompute", "tier": "low_priority", "min_instances": 0, "max_instances": 7, "idle_time_before_scale_down": 90},
        ),
        (
            {"compute": "instance", "compute_size": "STANDARD_E4S_V3"},
            {"type": "computeinstance", "size": "STANDARD_E4S_V3", "idle_time_before_shutdown_minutes": 15},
        ),
        (
            {"compute": "kubernetes", "kubernetes_cluster": CLUSTER, "kubernetes_namespace": "ml"},
            {"type": "kubernetes", "resource_id": CLUSTER, "namespace": "ml"},
        ),
    ],
    ids=["cluster", "instance", "kubernetes"],
)  # fmt: skip
def test_a_compute_is_made_once_and_jobs_run_on_it(
    azureml: StandIn, more: dict[str, Any], wanted: dict[str, Any]
) -> None:
    from azure.ai.ml import command

    name = unique("c")
    workspace = Workspace(settings_of(azureml, "computes", compute_name=name, **more))
    assert [ensure_compute(workspace), ensure_compute(workspace)] == [name, name]
    assert made(azureml) == 1
    got = workspace.client.compute.get(name)
    assert {field: getattr(got, field) for field in wanted} == wanted
    job = command(command="true", environment=environment(workspace.client), compute=name, name=unique("job"))
    assert ended(workspace.client, workspace.client.jobs.create_or_update(job).name).status == "Completed"


def test_serverless_is_nobodys_to_make(azureml: StandIn) -> None:
    assert ensure_compute(Workspace(settings_of(azureml, "computes"))) is None
    assert made(azureml) == 0


def test_a_compute_that_failed_for_want_of_quota_is_reported_and_tried_again(azureml: StandIn) -> None:
    name = unique("c")
    workspace = Workspace(settings_of(azureml, "computes", compute="cluster", compute_name=name))
    azureml.faults.out_of_quota(name)
    reason = rf"compute {name}: OutOfQuota.*Studio: https://ml.azure.com/compute/.*Remedy: ask for more quota"
    with pytest.raises(AzureMLError, match=reason):
        ensure_compute(workspace)
    assert ensure_compute(workspace) == name
    assert workspace.client.compute.get(name).provisioning_state == "Succeeded"


def test_a_kubernetes_cluster_that_nothing_names_is_not_guessed(azureml: StandIn) -> None:
    workspace = Workspace(settings_of(azureml, "computes", compute="kubernetes", compute_name=unique("aks")))
    with pytest.raises(AzureMLError, match=r"is not attached.*Studio: .*GLOBOLATTE_AZUREML_KUBERNETES_CLUSTER"):
        ensure_compute(workspace)
