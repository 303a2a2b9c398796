"""What jobs run on, as the settings choose it."""

from typing import TYPE_CHECKING

from resources.azureml.faults import AzureMLError, faults_of, is_missing
from resources.azureml.settings import PREFIX, AzureMLSettings, ComputeKind, ComputeTier
from resources.azureml.workspace import Workspace

if TYPE_CHECKING:
    from azure.ai.ml.entities import Compute


def compute_definition(settings: AzureMLSettings) -> "Compute | None":
    """The compute as the settings describe it; none for serverless, which is nobody's to make, and an attached Kubernetes."""
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
    return None


def ensure_compute(workspace: Workspace) -> str | None:
    """The name that jobs give as their compute, made if need be; none for serverless.

    Raises `AzureMLError` if a Kubernetes cluster is not attached: only its owner can do that.
    """
    settings = workspace.settings
    if settings.compute is ComputeKind.SERVERLESS:
        return None
    name = settings.compute_name
    with faults_of(f"compute {name}", workspace.studio(f"compute/{name}/details")):
        try:
            workspace.client.compute.get(name)
        except Exception as error:
            if not is_missing(error):
                raise
            definition = compute_definition(settings)
            if definition is None:
                raise AzureMLError(
                    f"compute {name}",
                    "is not attached to the workspace",
                    f"attach the Kubernetes cluster in the studio, or set {PREFIX}COMPUTE=serverless",
                ) from None
            workspace.client.compute.begin_create_or_update(definition).result()
    return name
