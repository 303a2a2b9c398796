"""The workspace's storage account as the service itself sees it: containers on Azurite, and folders to and from them."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError
from azure.storage.blob import (
    AccountSasPermissions,
    BlobServiceClient,
    ContainerClient,
    ResourceTypes,
    generate_account_sas,
)

from tests.emulators.azureml.certificates import Certificates
from tests.emulators.azureml.network import ACCOUNT, BLOB


@dataclass(frozen=True)
class Place:
    """A blob, or all blobs below a path, in a container."""

    container: str
    path: str

    def below(self, *parts: str) -> "Place":
        """A place further down."""
        return Place(self.container, "/".join([self.path.strip("/"), *parts]).strip("/"))


class Storage:
    """The account; every request is done at once."""

    def __init__(self, port: int, key: str, certificates: Certificates) -> None:
        self.key = key
        self._service = BlobServiceClient(
            f"https://127.0.0.1:{port}/{ACCOUNT}",
            AzureNamedKeyCredential(ACCOUNT, key),
            connection_verify=str(certificates.authority),
            use_env_settings=False,
            retry_total=2,
        )

    def container(self, name: str) -> ContainerClient:
        return self._service.get_container_client(name)

    def make_container(self, name: str) -> None:
        """Makes a container unless it is there."""
        try:
            self._service.create_container(name)
        except ResourceExistsError:
            return

    def sas(self, hours: int = 8) -> str:
        """A signature for the whole account; Azurite verifies it."""
        return generate_account_sas(
            ACCOUNT,
            self.key,
            ResourceTypes(service=True, container=True, object=True),
            AccountSasPermissions(read=True, write=True, delete=True, list=True, add=True, create=True, update=True),
            expiry=datetime.now(UTC) + timedelta(hours=hours),
            protocol="https",
        )

    def url(self, place: Place, *, signed: bool = False) -> str:
        """The public address of a place."""
        bare = f"https://{BLOB}/{place.container}/{place.path}".rstrip("/")
        return f"{bare}?{self.sas()}" if signed else bare

    def write(self, place: Place, content: bytes) -> None:
        """Writes one blob in place of an earlier one."""
        self.container(place.container).upload_blob(place.path, content, overwrite=True)

    def read(self, place: Place) -> bytes | None:
        """One blob's content, or none."""
        try:
            return self.container(place.container).download_blob(place.path).readall()
        except ResourceNotFoundError:
            return None

    def names(self, place: Place) -> list[str]:
        """The blobs at a place (one of that very name, or all below), by their names in the container."""
        path = place.path.strip("/")
        found = [blob.name for blob in self.container(place.container).list_blobs(name_starts_with=path or None)]
        return [name for name in found if not path or name == path or name.startswith(path + "/")]

    def download(self, place: Place, folder: Path) -> list[Path]:
        """Writes the blobs of a place below a folder; a place that is one blob gives one file."""
        root = place.path.strip("/")
        return [self._fetch(place.container, name, folder / _relative(name, root)) for name in self.names(place)]

    def upload(self, folder: Path, place: Place) -> None:
        """Writes the files of a folder below a place."""
        for file in _files(folder):
            with file.open("rb") as content:
                name = place.below(file.relative_to(folder).as_posix()).path
                self.container(place.container).upload_blob(name, content, overwrite=True)

    def _fetch(self, container: str, name: str, file: Path) -> Path:
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("wb") as content:
            self.container(container).download_blob(name).readinto(content)
        return file


def _relative(name: str, root: str) -> str:
    return name.rpartition("/")[2] if name == root else name[len(root) :].lstrip("/")


def _files(folder: Path) -> Iterable[Path]:
    return sorted(file for file in folder.rglob("*") if file.is_file())
