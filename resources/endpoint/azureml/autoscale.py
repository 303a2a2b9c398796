"""Scaling of a managed deployment: a resource of Azure Monitor, outside Azure ML and its SDK, so a definition that is exported.

Nothing here is sent to Azure: `az deployment group create --template-file` takes the template.
"""

from typing import Any

from resources.endpoint.azureml.online import BUSY_PERCENT
from resources.endpoint.deployment_spec import DeploymentSpec

SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
API_VERSION = "2022-10-01"


def template(spec: DeploymentSpec, deployment_id: str, region: str) -> dict[str, Any] | None:
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
