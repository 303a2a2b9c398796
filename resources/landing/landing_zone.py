"""The landing zone: where business units drop their files. The protocol, and the types that all implementations share.

Implementations live in modules of their own (`folder`, `blob`). What a path means (unit, date, reference file) is not
decided here but in `globolatte_ingest.paths`.
"""

import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import BinaryIO, NamedTuple, Protocol, runtime_checkable

SALES_PREFIX = "sales/"
REFERENCE_PREFIX = "reference/"


class LandedFile(NamedTuple):
    """One version of one file in the landing zone. A tuple, since every listing makes one for each file.

    `path` is relative to the landing zone, with `/`. `etag` changes whenever the content may have changed; of what cannot be read as a
    file it is a `NoFile`. `size` is in bytes.
    """

    path: str
    etag: str
    size: int


class NoFile(StrEnum):
    """Why something that lies in the landing zone is not read: it is listed with this as its etag, so that it can be named, and not opened.

    A folder that is not looked into is listed as a path that ends with `/`.
    """

    UNFINISHED = "unfinished copy"
    HIDDEN = "hidden"
    LINK = "link"
    SPECIAL = "no regular file"
    UNREADABLE = "unreadable"


LISTED_AFTER_SECONDS = 3600.0
"""An unfinished copy or a hidden file is not there yet; if nothing has been written to it for so long, it is listed as what it is."""

UNFINISHED_NAME = re.compile(
    r"~\Z|\.(part|partial|filepart|tmp|temp|crdownload|download|opdownload|aria2|incomplete|inprogress|uploading|writing|swp"
    r"|lftp-pget-status|_copying_)\Z",
    re.IGNORECASE,
)
"""The names under which copies are written until they are whole: by WinSCP (`.filepart`), rclone (`.partial`), browsers, HDFS, lftp and
others. rsync, AzCopy, Syncthing and lftp's default write hidden files."""


@dataclass(frozen=True)
class Level:
    """The direct content of one folder: prefixes of subfolders, each ending with `/`, and files; at most `MOST_OF_A_LEVEL`."""

    folders: tuple[str, ...] = ()
    files: tuple[LandedFile, ...] = ()


class Page(NamedTuple):
    """Some files in path order, and where the page after them begins; none behind the last one."""

    files: tuple[LandedFile, ...]
    next: str | None


MOST_OF_A_LEVEL = 5000


class SupersededError(Exception):
    """The file was changed or removed since it was listed. List again."""

    def __init__(self, path: str) -> None:
        super().__init__(
            f"{path}: was replaced or removed while it was being read; it will be picked up at the next look"
        )
        self.path = path


class LandingUnreachableError(OSError):
    """The landing zone, or a file of it, could not be reached or access was denied. The message contains no secret."""

    def __init__(self, where: str, fault: str) -> None:
        super().__init__(
            f"{where}: {fault}. Check the address, the network and the credential (`globolatte doctor`), then try again"
        )


class LandingZone(Protocol):
    """Where business units drop their files. Implementations: `FolderLandingZone`, `BlobLandingZone`."""

    def files(self, prefix: str = "") -> Iterator[LandedFile]:
        """The files whose path starts with `prefix`, in path order; what lies there and is not read has a `NoFile` as its etag."""

    def level(self, prefix: str = "") -> Level:
        """What lies directly under `prefix`, which is empty or ends with `/`; what is deeper is not looked at."""

    def page(self, prefix: str = "", start: str | None = None) -> Page:
        """One page of `files`: the first one, or the one that begins at `start`, a `next` of an earlier page, however old.

        What comes later at the end is on the last page, or on one behind it.
        """

    def open(self, file: LandedFile) -> AbstractContextManager[BinaryIO]:
        """The listed version's bytes.

        Raises `SupersededError` if the content is not the listed version: at opening, or, where only then it shows, at closing.
        """

    def describe(self) -> str:
        """Where this landing zone is, for people; no secret in it."""


@runtime_checkable
class VersionedLandingZone(Protocol):
    """A landing zone that may keep the earlier versions of its files itself. Implementation: `BlobLandingZone`."""

    def version_id(self, file: LandedFile) -> str | None:
        """The id under which the version that was opened is kept; none where none are. Asked once after `open`; costs no request."""

    def open_version(self, path: str, version_id: str) -> AbstractContextManager[BinaryIO]:
        """The bytes of a version, also after it was replaced or removed. Raises `OSError` if it is not there."""
