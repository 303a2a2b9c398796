"""Online endpoints and deployments as azure-ai-ml's objects: managed or on Kubernetes, from the same spec.

The template of their scaling is a resource of Azure Monitor outside Azure ML and its SDK, which `az deployment group create` takes.
"""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resources.endpoint.azureml.data_collector import INPUTS, OUTPUTS
from resources.endpoint.deployment_spec import SCRIPT, BatchLimits, DeploymentSpec, Probe, RequestLimits
from resources.ml.azureml.models import CUSTOM_NAME
from resources.ml.azureml.provenance import git_commit
from resources.settings.azureml import AzureMLSettings, EndpointKind

if TYPE_CHECKING:
    from azure.ai.ml.entities import OnlineDeployment, OnlineEndpoint


STATED_BY_TAGS = MODEL_VERSION, CONTENT_HASH, STATE_VERSION = "model_version", "content_hash", "state_version"
"""What a deployment's tags state about it."""
SUCCEEDED = "Succeeded"
GIVEN_UP = frozenset({"Failed", "Canceled"})
"""States that a deployment or endpoint does not leave by itself."""
BUSY_PERCENT, LOOK_SECONDS = 70, 10


def spec_of(
    settings: AzureMLSettings,
    name: str,
    model: tuple[str, str],
    state_version: str,
    conda: Mapping[str, Any],
    state_url: str | None = None,
) -> DeploymentSpec:
    """A deployment of a model (its version and content hash) as the settings have it served."""
    on_kubernetes = settings.endpoint_kind is EndpointKind.KUBERNETES
    return DeploymentSpec(
        name=name,
        model_version=model[0],
        content_hash=model[1],
        state_version=state_version,
        instance_type=settings.kubernetes_instance_type if on_kubernetes else settings.instance_type,
        instances=settings.instance_count,
        instances_max=settings.instance_count_max,
        requests=RequestLimits(settings.request_timeout_ms, settings.requests_per_instance, settings.request_queue_ms),
        probe=Probe(
            settings.probe_delay_seconds,
            settings.probe_period_seconds,
            settings.probe_timeout_seconds,
            settings.probe_failures,
        ),
        batch=BatchLimits(
            instances=settings.batch_instances,
            mini_batch_files=settings.batch_mini_batch_files,
            concurrency=settings.batch_concurrency,
            retries=settings.batch_retries,
            timeout_seconds=settings.batch_timeout_seconds,
            failed_files_allowed=settings.batch_failed_files_allowed,
            output=settings.batch_output.value,
        ),
        app_insights=settings.app_insights,
        collect_data=settings.collect_data,
        conda=conda,
        look_seconds=settings.look_seconds,
        state_url=state_url,
    )


def endpoint_entity(settings: AzureMLSettings, tags: Mapping[str, str]) -> "OnlineEndpoint":
    """The endpoint without traffic."""
    from azure.ai.ml.entities import KubernetesOnlineEndpoint, ManagedOnlineEndpoint

    common: dict[str, Any] = {
        "name": settings.endpoint,
        "auth_mode": settings.endpoint_auth.value,
        "description": "Recommendations: P(next main product | customer, place, time, weather)",
        "tags": dict(tags),
    }
    if settings.endpoint_kind is EndpointKind.KUBERNETES:
        return KubernetesOnlineEndpoint(compute=settings.endpoint_compute, **common)
    return ManagedOnlineEndpoint(**common)


def kind_of(endpoint: "OnlineEndpoint") -> EndpointKind:
    """Where the deployments of an endpoint run."""
    from azure.ai.ml.entities import KubernetesOnlineEndpoint

    return EndpointKind.KUBERNETES if isinstance(endpoint, KubernetesOnlineEndpoint) else EndpointKind.MANAGED


def deployment_entity(
    settings: AzureMLSettings, spec: DeploymentSpec, code: Path, environment: str
) -> "OnlineDeployment":
    """A deployment of the registered model. `code`: the folder that `resources.endpoint.deployment_spec` wrote."""
    from azure.ai.ml.entities import (
        CodeConfiguration,
        DataCollector,
        DeploymentCollection,
        KubernetesOnlineDeployment,
        ManagedOnlineDeployment,
        OnlineRequestSettings,
        ProbeSettings,
        TargetUtilizationScaleSettings,
    )

    collections = {name: DeploymentCollection(enabled="true") for name in (INPUTS, OUTPUTS)}
    common: dict[str, Any] = {
        "name": spec.name,
        "endpoint_name": settings.endpoint,
        "model": f"azureml:{CUSTOM_NAME}:{spec.content_hash[:12]}",
        "environment": environment,
        "code_configuration": CodeConfiguration(code=str(code), scoring_script=SCRIPT),
        "environment_variables": spec.environment_variables,
        "app_insights_enabled": spec.app_insights,
        "request_settings": OnlineRequestSettings(**asdict(spec.requests)),
        "liveness_probe": ProbeSettings(**asdict(spec.probe)),
        "readiness_probe": ProbeSettings(**asdict(spec.probe)),
        "tags": {
            MODEL_VERSION: spec.model_version,
            CONTENT_HASH: spec.content_hash,
            STATE_VERSION: spec.state_version,
            "git_commit": git_commit(),
        },
        "data_collector": DataCollector(collections=collections, sampling_rate=1.0) if spec.collect_data else None,
        "instance_type": spec.instance_type,
        "instance_count": spec.instances,
    }
    if settings.endpoint_kind is EndpointKind.MANAGED:
        return ManagedOnlineDeployment(**common)
    if spec.instances_max is not None:
        common["instance_count"] = None
        common["scale_settings"] = TargetUtilizationScaleSettings(
            min_instances=spec.instances,
            max_instances=spec.instances_max,
            target_utilization_percentage=BUSY_PERCENT,
            polling_interval=LOOK_SECONDS,
        )
    return KubernetesOnlineDeployment(**common)


SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
API_VERSION = "2022-10-01"


def autoscale_template(spec: DeploymentSpec, deployment_id: str, region: str) -> dict[str, Any] | None:
    """The ARM template of a deployment's autoscale setting; none if it is not to scale."""
    if spec.instances_max is None:
        return None
    capacity = {"minimum": spec.instances, "maximum": spec.instances_max, "default": spec.instances}
    profile = {
        "name": "busy",
        "capacity": {name: str(count) for name, count in capacity.items()},
        "rules": [
            _rule(deployment_id, "GreaterThan", BUSY_PERCENT, "Increase"),
            _rule(deployment_id, "LessThan", BUSY_PERCENT // 2, "Decrease"),
        ],
    }
    name = "-".join(deployment_id.split("/")[-3::2])
    setting = {
        "type": "Microsoft.Insights/autoscaleSettings",
        "apiVersion": API_VERSION,
        "name": name,
        "location": region,
        "properties": {"name": name, "targetResourceUri": deployment_id, "enabled": True, "profiles": [profile]},
    }
    return {"$schema": SCHEMA, "contentVersion": "1.0.0.0", "resources": [setting]}


def _rule(deployment_id: str, operator: str, percent: int, direction: str) -> dict[str, Any]:
    return {
        "metricTrigger": {
            "metricName": "CpuUtilizationPercentage",
            "metricResourceUri": deployment_id,
            "timeGrain": "PT1M",
            "statistic": "Average",
            "timeWindow": "PT5M",
            "timeAggregation": "Average",
            "operator": operator,
            "threshold": percent,
        },
        "scaleAction": {"direction": direction, "type": "ChangeCount", "value": "1", "cooldown": "PT5M"},
    }
