"""One workspace: the clients that reach it, its studio, its default storage."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from resources.ml.azureml.faults import AzureMLError, faults_of
from resources.settings.azureml import AzureMLSettings
from resources.settings.choices import required

if TYPE_CHECKING:
    from azure.ai.ml import MLClient
    from azure.core.credentials import TokenCredential
    from azure.storage.blob import BlobServiceClient

DEFAULT_DATASTORE = "workspaceblobstore"
STUDIO = "https://ml.azure.com"
NOISY = ("azure.ai.ml", "azure.core.pipeline.policies.http_logging_policy", "azure.identity", "msrest")
"""Loggers that warn of experimental classes and print progress, which is of no use to the person who runs this."""


@dataclass
class Workspace:
    """A workspace as its settings name it; connects on first use."""

    settings: AzureMLSettings

    @cached_property
    def credential(self) -> "TokenCredential":
        """Whatever identity this process has."""
        from azure.identity import DefaultAzureCredential

        return DefaultAzureCredential(exclude_interactive_browser_credential=True)

    @cached_property
    def client(self) -> "MLClient":
        """The SDK's client of the workspace."""
        return self._client(self.settings.workspace)

    def _client(self, workspace: str | None, **more: Any) -> "MLClient":
        from azure.ai.ml import MLClient

        for logger in NOISY:
            logging.getLogger(logger).setLevel(logging.ERROR)
        return MLClient(
            self.credential,
            self.settings.subscription,
            self.settings.resource_group,
            workspace,
            cloud=self.settings.cloud,
            enable_telemetry=False,
            show_progress=False,
            **more,
        )

    @property
    def registry_name(self) -> str:
        """The registry that models are shared with. Raises `MissingSettingError` if none is set."""
        return required(self.settings.registry, "GLOBOLATTE_AZUREML_REGISTRY", "sharing a model")

    @cached_property
    def registry(self) -> "MLClient":
        """A client of the registry. Raises `MissingSettingError` if none is set."""
        return self.registry_of(self.registry_name)

    def registry_of(self, name: str) -> "MLClient":
        """A client of a registry by its name, such as Azure's own."""
        return self._client(None, registry_name=name)

    @property
    def resource_id(self) -> str:
        """The workspace's ARM id."""
        own = self.settings
        return (
            f"/subscriptions/{own.subscription}/resourceGroups/{own.resource_group}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{own.workspace}"
        )

    def studio(self, page: str) -> str:
        """A page about something in this workspace."""
        return f"{STUDIO}/{page}?wsid={self.resource_id}"

    def job_page(self, job: str) -> str:
        """The studio's page of a job."""
        return self.studio(f"runs/{job}")

    @contextmanager
    def storage(self) -> "Iterator[tuple[BlobServiceClient, str]]":
        """The account behind the default datastore, and its container; authenticated by its key, or by our own identity, as it says."""
        from azure.ai.ml.entities import AccountKeyConfiguration, AzureBlobDatastore, SasTokenConfiguration
        from azure.storage.blob import BlobServiceClient

        with faults_of(f"datastore {DEFAULT_DATASTORE}"):
            store = self.client.datastores.get(DEFAULT_DATASTORE, include_secrets=True)
        if not isinstance(store, AzureBlobDatastore):
            raise AzureMLError(f"datastore {DEFAULT_DATASTORE}", "is no blob container", "use the one that Azure made")
        credentials = store.credentials
        credential: Any = self.credential
        if isinstance(credentials, AccountKeyConfiguration):
            credential = credentials.account_key
        elif isinstance(credentials, SasTokenConfiguration):
            credential = credentials.sas_token
        url = f"{store.protocol}://{store.account_name}.blob.{store.endpoint}"
        with BlobServiceClient(url, credential=credential) as service:
            yield service, str(store.container_name)


def provisioning_state(entity: Any) -> str:
    """The state of a resource as Azure writes it: the SDK gives a text for some kinds and an enumeration for others."""
    state = entity.provisioning_state
    return str(getattr(state, "value", state))


def datastore_uri(path: str) -> str:
    """The address of a path in the default datastore."""
    return f"azureml://datastores/{DEFAULT_DATASTORE}/paths/{path}"
