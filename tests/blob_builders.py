"""Containers and queues of an emulated storage account, and files put into them. Plain functions, real things."""

import os
import uuid
from dataclasses import dataclass

from azure.core.credentials import AzureNamedKeyCredential
from azure.storage.blob import BlobServiceClient, ContainerClient

from resources.azure_storage import KEY_VARIABLE
from resources.landing import LandedFile
from resources.landing_blob import BlobLandingZone
from resources.settings import CredentialKind
from tests.emulators.azurite_server import ACCOUNT, Azurite


def service(azurite: Azurite) -> BlobServiceClient:
    """The account, entered by its key, with no patience."""
    return BlobServiceClient(azurite.account_url, AzureNamedKeyCredential(ACCOUNT, azurite.key), retry_total=0)


def new_container(azurite: Azurite) -> ContainerClient:
    """An empty container."""
    return service(azurite).create_container(f"landing-{uuid.uuid4().hex[:12]}")


def zone_of(azurite: Azurite, container: ContainerClient, kind: CredentialKind = CredentialKind.KEY) -> BlobLandingZone:
    """The landing zone of a container; the account's key is put into this test's environment."""
    os.environ[KEY_VARIABLE] = azurite.key
    return BlobLandingZone(
        account_url=azurite.account_url, container=container.container_name, credential=kind, retries=0
    )


@dataclass(frozen=True)
class Bay:
    """A container seen from where the files come from, and the landing zone on it."""

    container: ContainerClient
    zone: BlobLandingZone

    @classmethod
    def new(cls, azurite: Azurite) -> "Bay":
        container = new_container(azurite)
        return cls(container, zone_of(azurite, container))

    def put(self, path: str, content: bytes) -> LandedFile:
        """Uploads a blob in place of an earlier one."""
        self.container.upload_blob(path, content, overwrite=True)
        return self.landed(path)

    def landed(self, path: str) -> LandedFile:
        """The blob at `path`, as the landing zone lists it."""
        return next(file for file in self.zone.files(path) if file.path == path)

    def append(self, path: str, content: bytes) -> None:
        """Makes a blob longer."""
        before = self.container.download_blob(path).readall()
        self.container.upload_blob(path, before + content, overwrite=True)

    def remove(self, path: str) -> None:
        """Deletes a blob."""
        self.container.delete_blob(path)
