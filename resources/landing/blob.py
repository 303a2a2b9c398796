"""The landing zone as a container of Azure Blob Storage."""

import datetime as dt
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import islice
from threading import Lock
from typing import TYPE_CHECKING, BinaryIO, cast

import dagster as dg
from pydantic import PrivateAttr

from resources.azure_storage import blob_service, faults_in_plain_words, request_options
from resources.landing.landing_zone import (
    LISTED_AFTER_SECONDS,
    MOST_OF_A_LEVEL,
    UNFINISHED_NAME,
    LandedFile,
    LandingUnreachableError,
    Level,
    NoFile,
    Page,
    SupersededError,
)
from resources.settings.choices import CredentialKind

if TYPE_CHECKING:
    from azure.storage.blob import BlobProperties, ContainerClient

IN_MEMORY_BYTES = 32 * 1024 * 1024
"""A larger blob is read by way of a temporary file."""

FOLDER_MARK = "hdi_isfolder"
"""Metadata by which an account with a hierarchical namespace distinguishes a folder from an empty blob."""


def _is_folder(blob: "BlobProperties") -> bool:
    return bool((blob.metadata or {}).get(FOLDER_MARK) == "true")


def _landed(blobs: Iterable["BlobProperties"]) -> Iterator[LandedFile]:
    """The files among blobs: no folders, and copies with an unfinished name only if nothing was written to them for long."""
    since = dt.datetime.now(dt.UTC) - dt.timedelta(seconds=LISTED_AFTER_SECONDS)
    for blob in blobs:
        if not UNFINISHED_NAME.search(blob.name):
            if not _is_folder(blob):
                yield LandedFile(blob.name, str(blob.etag).strip('"'), blob.size)
        elif blob.last_modified <= since:
            yield LandedFile(blob.name, NoFile.UNFINISHED, blob.size)


class BlobLandingZone(dg.ConfigurableResource):
    """A container as landing zone. Snapshots, earlier versions, deleted and uncommitted blobs, and folders are not in it.

    A blob's etag is Azure's own, without quotes. The secret of the credential stays in the environment: it is read when the
    first request is made, and is no field of this resource. `retries` is how often a request that the network or the
    service failed is sent again; `page_size` how many blobs one request lists at the most (5,000 is Azure's own limit).
    """

    account_url: str
    container: str
    credential: CredentialKind = CredentialKind.DEFAULT
    retries: int = 1
    page_size: int = 5000

    _connection: ExitStack = PrivateAttr(default_factory=ExitStack)
    _client: "ContainerClient | None" = PrivateAttr(default=None)
    _lock: Lock = PrivateAttr(default_factory=Lock)
    _versions: dict[LandedFile, str] = PrivateAttr(default_factory=dict)

    def _container(self) -> "ContainerClient":
        """One connection for as long as this resource lives: files are read by several threads at once."""
        with self._lock:
            if self._client is None:
                service = self._connection.enter_context(
                    blob_service(self.account_url, CredentialKind(self.credential))
                )
                self._client = service.get_container_client(self.container)
            return self._client

    def files(self, prefix: str = "") -> Iterator[LandedFile]:
        """The files whose path starts with `prefix`, in path order. Raises `LandingUnreachableError`."""
        with faults_in_plain_words(self.describe()):
            listed = self._container().list_blobs(
                prefix or None, include=["metadata"], results_per_page=self.page_size, **request_options(self.retries)
            )
            found = sorted(_landed(listed))
        yield from found

    def level(self, prefix: str = "") -> Level:
        """What lies directly under `prefix`. Raises `LandingUnreachableError`."""
        from azure.storage.blob import BlobPrefix

        with faults_in_plain_words(self.describe()):
            walked = self._container().walk_blobs(
                prefix or None, include=["metadata"], delimiter="/", **request_options(self.retries)
            )
            entries = list(islice(walked, MOST_OF_A_LEVEL))
        folders = [entry.name for entry in entries if isinstance(entry, BlobPrefix)]
        files = _landed(entry for entry in entries if not isinstance(entry, BlobPrefix))
        return Level(tuple(sorted(folders)), tuple(sorted(files)))

    def page(self, prefix: str = "", start: str | None = None) -> Page:
        """One page of the files, by one request. Raises `LandingUnreachableError`."""
        with faults_in_plain_words(self.describe()):
            listed = self._container().list_blobs(
                prefix or None, include=["metadata"], results_per_page=self.page_size, **request_options(self.retries)
            )
            pages = listed.by_page(continuation_token=start)
            files = tuple(sorted(_landed(next(pages, ()))))
        return Page(files, getattr(pages, "continuation_token", None) or None)

    @contextmanager
    def open(self, file: LandedFile) -> Iterator[BinaryIO]:
        """The listed version's bytes, all of them fetched on entering.

        Every request names the etag, so bytes of two versions are never mixed. Raises `SupersededError` if the blob is another
        version by now or gone, `LandingUnreachableError` if it cannot be fetched.
        """
        from azure.core import MatchConditions
        from azure.core.exceptions import ResourceModifiedError, ResourceNotFoundError

        if {".", ".."} & set(file.path.split("/")):
            raise LandingUnreachableError(
                f"{file.path} in {self.describe()}",
                "a name with '.' or '..' between slashes would lead to another blob",
            )
        with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES) as content:
            with faults_in_plain_words(f"{file.path} in {self.describe()}"):
                try:
                    download = (
                        self._container()
                        .get_blob_client(file.path)
                        .download_blob(
                            etag=file.etag,
                            match_condition=MatchConditions.IfNotModified,
                            decompress=False,
                            **request_options(self.retries),
                        )
                    )
                    download.readinto(cast("BinaryIO", content))
                except (ResourceModifiedError, ResourceNotFoundError):
                    raise SupersededError(file.path) from None
            if version := getattr(download.properties, "version_id", None):
                self._versions[file] = str(version)
            content.seek(0)
            yield cast("BinaryIO", content)

    def version_id(self, file: LandedFile) -> str | None:
        """The id of the version that was opened, where the container has versioning on; it is told once."""
        return self._versions.pop(file, None)

    @contextmanager
    def open_version(self, path: str, version_id: str) -> Iterator[BinaryIO]:
        """The bytes of a version that the container keeps. Raises `LandingUnreachableError`, also if it is not there any more."""
        with tempfile.SpooledTemporaryFile(IN_MEMORY_BYTES) as content:
            with faults_in_plain_words(f"{path}, version {version_id}, in {self.describe()}"):
                client = self._container().get_blob_client(path, version_id=version_id)
                client.download_blob(decompress=False, **request_options(self.retries)).readinto(
                    cast("BinaryIO", content)
                )
            content.seek(0)
            yield cast("BinaryIO", content)

    def describe(self) -> str:
        """The container's address."""
        return f"container {self.container} of {self.account_url}"
