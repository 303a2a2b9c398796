"""The compute of jobs and Kubernetes endpoints, as the settings choose it: created or attached if it does not exist."""

from typing import TYPE_CHECKING

from resources.ml.azureml.faults import AzureMLError, faults_of, found_or_none
from resources.ml.azureml.workspace import Workspace, provisioning_state
from resources.settings.azureml import PREFIX, AzureMLSettings, ComputeKind, ComputeTier

if TYPE_CHECKING:
    from azure.ai.ml.entities import Compute

FAILED = "Failed"
WITHOUT_BATCH = frozenset({ComputeKind.SERVERLESS, ComputeKind.INSTANCE})
"""Kinds of compute that Azure runs no batch deployment on."""


def compute_definition(settings: AzureMLSettings) -> "Compute | None":
    """The compute of jobs, as the settings describe it; none for serverless, and for a Kubernetes cluster that others attach."""
    from azure.ai.ml.entities import AmlCompute, ComputeInstance

    if settings.compute is ComputeKind.CLUSTER:
        return AmlCompute(
            name=settings.compute_name,
            size=settings.compute_size,
            min_instances=0,
            max_instances=settings.compute_max_nodes,
            idle_time_before_scale_down=settings.compute_idle_seconds,
            tier="low_priority" if settings.compute_tier is ComputeTier.LOW_PRIORITY else "dedicated",
        )
    if settings.compute is ComputeKind.INSTANCE:
        return ComputeInstance(
            name=settings.compute_name,
            size=settings.compute_size,
            idle_time_before_shutdown_minutes=max(15, settings.compute_idle_seconds // 60),
        )
    if settings.compute is ComputeKind.KUBERNETES:
        return kubernetes_definition(settings, settings.compute_name)
    return None


def batch_compute(settings: AzureMLSettings) -> AzureMLSettings:
    """The settings with a compute that a batch endpoint can run on: that of the jobs, or where Azure runs none there, a cluster."""
    if settings.compute not in WITHOUT_BATCH:
        return settings
    name = settings.compute_name if settings.compute is ComputeKind.SERVERLESS else f"{settings.compute_name}-batch"
    return settings.model_copy(update={"compute": ComputeKind.CLUSTER, "compute_name": name})


def kubernetes_definition(settings: AzureMLSettings, name: str) -> "Compute | None":
    """A cluster as it is attached under a name; none where the settings name no cluster."""
    from azure.ai.ml.entities import KubernetesCompute

    if settings.kubernetes_cluster is None:
        return None
    return KubernetesCompute(
        name=name, resource_id=settings.kubernetes_cluster, namespace=settings.kubernetes_namespace
    )


def ensure_compute(workspace: Workspace) -> str | None:
    """The name that jobs give as their compute, made or attached if need be; none for serverless. Raises `AzureMLError`."""
    settings = workspace.settings
    if settings.compute is ComputeKind.SERVERLESS:
        return None
    return _ensure(workspace, settings.compute_name, compute_definition(settings))


def ensure_kubernetes(workspace: Workspace, name: str) -> str:
    """The name of a Kubernetes compute, attached if need be. Raises `AzureMLError` if nothing says which cluster that is."""
    return _ensure(workspace, name, kubernetes_definition(workspace.settings, name))


def _ensure(workspace: Workspace, name: str, definition: "Compute | None") -> str:
    """Creates a compute, or tries again if creating it failed; an existing one is left as it is."""
    what, page = f"compute {name}", workspace.studio(f"compute/{name}/details")
    there = found_or_none(what, lambda: workspace.client.compute.get(name), page)
    if there is not None and provisioning_state(there) != FAILED:
        return name
    if definition is None:
        raise AzureMLError(
            what,
            "is not attached to the workspace" if there is None else "was attached, but is failed",
            f"name its cluster by {PREFIX}KUBERNETES_CLUSTER, or attach it in the studio",
            page,
        )
    with faults_of(what, page):
        workspace.client.compute.begin_create_or_update(definition).result()
    return name
