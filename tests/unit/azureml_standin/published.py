"""What Microsoft's published REST specification (API version 2024-10-01) says of resources, in our own words and form."""

from dataclasses import dataclass, field
from typing import Any

STATES = frozenset({"Creating", "Deleting", "Succeeded", "Failed", "Updating", "Canceled"})
"""In which endpoints and schedules can be; deployments can be `Scaling`, too."""


@dataclass(frozen=True)
class Published:
    """One kind of resource. `required`, `returned_only`: names among its properties; `left_out`: what the service fills in."""

    model: str
    required: frozenset[str]
    returned_only: frozenset[str]
    left_out: dict[str, Any] = field(default_factory=dict)
    never_returned: frozenset[str] = frozenset()


PROBE = {"initialDelay": "PT10S", "period": "PT10S", "timeout": "PT2S", "failureThreshold": 30, "successThreshold": 1}
ONLINE_ENDPOINT = Published(
    "OnlineEndpointProperties",
    required=frozenset({"authMode"}),
    returned_only=frozenset({"provisioningState", "scoringUri", "swaggerUri"}),
    left_out={"publicNetworkAccess": "Enabled"},
    never_returned=frozenset({"keys"}),
)
ONLINE_DEPLOYMENT = Published(
    "OnlineDeploymentProperties",
    required=frozenset({"endpointComputeType"}),
    returned_only=frozenset({"provisioningState"}),
    left_out={
        "appInsightsEnabled": False,
        "egressPublicNetworkAccess": "Enabled",
        "instanceType": "Standard_F4s_v2",
        "livenessProbe": PROBE,
        "readinessProbe": PROBE,
        "requestSettings": {"maxConcurrentRequestsPerInstance": 1, "maxQueueWait": "PT0.5S", "requestTimeout": "PT5S"},
    },
)
BATCH_ENDPOINT = Published(
    "BatchEndpointProperties",
    required=frozenset({"authMode"}),
    returned_only=frozenset({"provisioningState", "scoringUri"}),
    never_returned=frozenset({"keys"}),
)
BATCH_DEPLOYMENT = Published(
    "BatchDeploymentProperties",
    required=frozenset(),
    returned_only=frozenset({"provisioningState"}),
    left_out={
        "errorThreshold": -1,
        "loggingLevel": "Info",
        "maxConcurrencyPerInstance": 1,
        "miniBatchSize": 10,
        "outputAction": "AppendRow",
        "outputFileName": "predictions.csv",
        "retrySettings": {"maxRetries": 3, "timeout": "PT30S"},
    },
)
SCHEDULE = Published(
    "ScheduleProperties",
    required=frozenset({"action", "trigger"}),
    returned_only=frozenset({"provisioningState"}),
    left_out={"isEnabled": True},
)
ENUMERATIONS = {
    "EndpointAuthMode": {"AMLToken", "Key", "AADToken"},
    "EndpointComputeType": {"Managed", "Kubernetes", "AzureMLCompute"},
    "EndpointProvisioningState": STATES,
    "ScheduleProvisioningStatus": STATES,
    "DeploymentProvisioningState": STATES | {"Scaling"},
    "BatchOutputAction": {"SummaryOnly", "AppendRow"},
    "BatchLoggingLevel": {"Info", "Warning", "Debug"},
    "ScheduleActionType": {"CreateJob", "InvokeBatchEndpoint", "CreateMonitor"},
    "ScaleType": {"Default", "TargetUtilization"},
    "RollingRateType": {"Year", "Month", "Day", "Hour", "Minute"},
    "SamplingAlgorithmType": {"Grid", "Random", "Bayesian"},
    "OutputDeliveryMode": {"ReadWriteMount", "Upload", "Direct"},
}
