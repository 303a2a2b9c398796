"""What can be configured of Azure ML: environment variables `GLOBOLATTE_AZUREML_*`, read only where `GLOBOLATTE_ML=azureml`.

Authentication is not a setting: Azure's `DefaultAzureCredential` looks for a managed identity, for `AZURE_CLIENT_ID` and similar
variables, and for the Azure CLI.
"""

import re
from enum import StrEnum
from typing import Any

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from resources.endpoint.deployment_spec import APPEND_ROW, SUMMARY_ONLY
from resources.settings.choices import MissingSettingError

PREFIX = "GLOBOLATTE_AZUREML_"
NAME_OF_32 = re.compile("[A-Za-z][A-Za-z0-9-]{1,30}[A-Za-z0-9]")
"""Endpoints and clusters. Of letters Azure takes those of ASCII alone."""
NAME_OF_INSTANCE = re.compile("(?!.*-[0-9]+$)[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]")


class ComputeKind(StrEnum):
    """What jobs run on."""

    SERVERLESS = "serverless"
    CLUSTER = "cluster"
    INSTANCE = "instance"
    KUBERNETES = "kubernetes"


class ComputeTier(StrEnum):
    """Whether a cluster's nodes can be taken away again by Azure, for a lower price."""

    DEDICATED = "dedicated"
    LOW_PRIORITY = "low_priority"


class EndpointKind(StrEnum):
    """Where online deployments run."""

    MANAGED = "managed"
    KUBERNETES = "kubernetes"


class EndpointAuth(StrEnum):
    """How callers of the endpoint authenticate: by a key, or by a token that expires, of the endpoint itself or of Microsoft Entra."""

    KEY = "key"
    AML_TOKEN = "aml_token"  # noqa: S105 - a mode, not a token
    AAD_TOKEN = "aad_token"  # noqa: S105 - a mode, not a token


class BatchOutput(StrEnum):
    """Where the answers of a batch go, by Azure's names."""

    APPEND_ROW = APPEND_ROW
    SUMMARY_ONLY = SUMMARY_ONLY


class AzureMLSettings(BaseSettings):
    """One workspace, what jobs run on, and how the endpoint serves. Raises `pydantic.ValidationError` that names each wrong variable."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True, env_ignore_empty=True)

    subscription: str = Field(description="Id of the Azure subscription.")
    resource_group: str = Field(description="The resource group that has the workspace.")
    workspace: str = Field(description="Name of the workspace.")
    registry: str | None = Field(
        default=None,
        description="A registry that champions are shared with, for promotion from dev to prod. Default: none.",
    )
    region: str = Field(
        default="westeurope", description="The workspace's region, for exported definitions that have to name one."
    )
    cloud: str = Field(default="AzureCloud", description="AzureCloud, AzureUSGovernment or AzureChinaCloud.")
    compute: ComputeKind = Field(
        default=ComputeKind.SERVERLESS,
        description="What jobs run on: serverless, cluster (made if it is not there), instance (made if it is not there) or "
        "kubernetes (attached to the workspace if it is not there).",
    )
    compute_name: str = Field(
        default="globolatte-cpu", description="Name of the cluster, instance or attached Kubernetes."
    )
    compute_size: str = Field(
        default="STANDARD_DS3_V2", description="Size of a node: of a cluster, an instance, serverless."
    )
    compute_max_nodes: int = Field(
        default=4, ge=1, description="Most nodes of a cluster; it has none while nothing runs."
    )
    compute_idle_seconds: int = Field(default=300, ge=60, description="After how long without work a node goes.")
    compute_tier: ComputeTier = Field(
        default=ComputeTier.DEDICATED,
        description="Nodes of a cluster: dedicated, or low_priority (cheaper, can be taken away).",
    )
    kubernetes_cluster: str | None = Field(
        default=None,
        description="ARM id of the AKS or Arc cluster, with Azure ML's extension on it, that is attached where a Kubernetes compute "
        "is not there. Default: its owner attaches it.",
    )
    kubernetes_namespace: str = Field(
        default="default", description="The cluster's namespace that an attached compute works in."
    )
    image: str = Field(
        default="mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04:latest",
        description="Image that environments are built on.",
    )
    inference_image: str = Field(
        default="mcr.microsoft.com/azureml/minimal-py312-inference:latest",
        description="Image that deployments' environments are built on.",
    )
    experiment: str = Field(default="globolatte", description="Experiment that jobs are filed under.")
    job_hours: float = Field(default=4.0, gt=0, description="After how long a training job is given up, in hours.")
    poll_seconds: float = Field(
        default=5.0, gt=0, description="Time between two looks at a job or an operation, in seconds."
    )
    endpoint: str = Field(
        default="globolatte-recommender",
        description="Name of the online endpoint, unique in its Azure region: 3 to 32 letters, digits and '-'.",
    )
    endpoint_kind: EndpointKind = Field(default=EndpointKind.MANAGED, description="managed, or kubernetes.")
    endpoint_compute: str | None = Field(
        default=None, description="The attached Kubernetes compute, where GLOBOLATTE_AZUREML_ENDPOINT_KIND=kubernetes."
    )
    endpoint_auth: EndpointAuth = Field(
        default=EndpointAuth.KEY,
        description="What callers show: key, aml_token (the endpoint's own; expires, fetched anew) or aad_token (of Microsoft "
        "Entra; managed endpoints only).",
    )
    instance_type: str = Field(default="Standard_DS3_v2", description="Size of an instance of a managed deployment.")
    kubernetes_instance_type: str = Field(
        default="defaultinstancetype",
        description="Instance type of a Kubernetes deployment: one that the cluster's administrator defined.",
    )
    instance_count: int = Field(default=1, ge=1, description="Instances of a deployment.")
    instance_count_max: int | None = Field(
        default=None, description="Scale up to so many instances under load. Default: no scaling."
    )
    request_timeout_ms: int = Field(default=5000, ge=1, le=180_000, description="After how long a request is given up.")
    requests_per_instance: int = Field(default=4, ge=1, description="Requests that an instance works on at a time.")
    request_queue_ms: int = Field(
        default=500, ge=0, description="How long a request waits for a free place in an instance, in milliseconds."
    )
    probe_delay_seconds: int = Field(
        default=10, ge=1, description="After how long a new instance is first probed for being alive and ready."
    )
    probe_period_seconds: int = Field(default=10, ge=1, description="How often an instance is probed.")
    probe_timeout_seconds: int = Field(default=2, ge=1, description="After how long such a question is given up.")
    probe_failures: int = Field(
        default=30, ge=1, description="After how many bad answers in a row an instance is started anew."
    )
    app_insights: bool = Field(
        default=False, description="Whether deployments send their logs and metrics to Application Insights."
    )
    collect_data: bool = Field(
        default=False, description="Whether Azure's data collector keeps requests and answers of deployments."
    )
    look_seconds: float = Field(
        default=30.0,
        gt=0,
        description="How often a deployment looks for newer customer states and hands on its prediction log, in seconds.",
    )
    deployment_wait_seconds: float = Field(
        default=1800.0, gt=0, description="How long to wait for a deployment to be provisioned, in seconds."
    )
    batch_endpoint: str = Field(
        default="globolatte-batch", description="Name of the batch endpoint, unique in its region."
    )
    batch_instances: int = Field(default=1, ge=1, description="Nodes that work on a batch.")
    batch_mini_batch_files: int = Field(default=1, ge=1, description="Files of questions that are answered at a time.")
    batch_concurrency: int = Field(default=1, ge=1, description="Such mini-batches at a time on one node.")
    batch_retries: int = Field(default=3, ge=0, description="How often a mini-batch that failed is tried again.")
    batch_timeout_seconds: int = Field(default=300, ge=1, description="After how long a mini-batch has failed.")
    batch_failed_files_allowed: int = Field(
        default=0, ge=-1, description="How many files may fail before the whole batch does; -1 for all of them."
    )
    batch_output: BatchOutput = Field(
        default=BatchOutput.APPEND_ROW,
        description="append_row: all answers in one file. summary_only: a file of answers for each file of questions.",
    )

    snowflake_connection: str = Field(
        default="snowflake",
        description="The workspace's connection to Snowflake, for imports that Azure ML itself does.",
    )

    @classmethod
    def from_environment(cls) -> "AzureMLSettings":
        """The settings in force. Raises `MissingSettingError`, which names the first missing variable."""
        given: dict[str, Any] = {}
        try:
            return cls(**given)
        except ValidationError as error:
            missing = [str(one["loc"][0]) for one in error.errors() if one["type"] == "missing"]
            if not missing:
                raise
            raise MissingSettingError(f"{PREFIX}{missing[0].upper()}", "GLOBOLATTE_ML=azureml") from None

    @field_validator("endpoint", "batch_endpoint")
    @classmethod
    def _is_an_endpoints_name(cls, value: str) -> str:
        if not NAME_OF_32.fullmatch(value):
            raise ValueError("is no endpoint's name; use 3 to 32 letters, digits and '-', a letter first")
        return value

    @model_validator(mode="after")
    def _is_a_computes_name(self) -> "AzureMLSettings":
        name, is_instance = self.compute_name, self.compute is ComputeKind.INSTANCE
        if is_instance and not NAME_OF_INSTANCE.fullmatch(name):
            raise ValueError(
                f"{PREFIX}COMPUTE_NAME={name} is no instance's name; use 3 to 24 letters, digits and '-', a letter first and no number "
                "behind the last '-'"
            )
        if self.compute is ComputeKind.CLUSTER and not NAME_OF_32.fullmatch(name):
            raise ValueError(
                f"{PREFIX}COMPUTE_NAME={name} is no cluster's name; use 3 to 32 letters, digits and '-', a letter first"
            )
        return self

    @model_validator(mode="after")
    def _kubernetes_has_a_compute(self) -> "AzureMLSettings":
        if self.endpoint_kind is EndpointKind.KUBERNETES and not self.endpoint_compute:
            raise ValueError(
                f"{PREFIX}ENDPOINT_KIND=kubernetes needs {PREFIX}ENDPOINT_COMPUTE: the name of the compute attached to the workspace"
            )
        if self.endpoint_kind is EndpointKind.KUBERNETES and self.endpoint_auth is EndpointAuth.AAD_TOKEN:
            raise ValueError(
                f"{PREFIX}ENDPOINT_AUTH=aad_token is for managed endpoints only; set key or aml_token, "
                f"or {PREFIX}ENDPOINT_KIND=managed"
            )
        if self.instance_count_max is not None and self.instance_count_max < self.instance_count:
            raise ValueError(f"{PREFIX}INSTANCE_COUNT_MAX is below {PREFIX}INSTANCE_COUNT; raise it or leave it out")
        return self

    def describe(self) -> str:
        """Which workspace, for people."""
        return f"Azure ML workspace {self.workspace} in {self.resource_group}"
