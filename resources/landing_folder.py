"""The landing zone as a folder: the embedded default."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import dagster as dg

from resources.landing import MOST_OF_A_LEVEL, LandedFile, Level, SupersededError

PARTIAL_SUFFIXES = (".part", ".tmp", ".crdownload", "~")


def _etag(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns:x}-{status.st_size:x}-{status.st_ino:x}"


def _unless_gone(error: OSError) -> None:
    """A folder that cannot be listed is a fault to be seen, not an empty folder; one that is not there is none."""
    if not isinstance(error, FileNotFoundError):
        raise error


def _finished_files(root: Path, folder: str) -> Iterator[Path]:
    """The files under `root/folder` that are neither hidden nor unfinished, reached without following a link."""
    start = root
    for name in Path(folder).parts:
        start /= name
        if name.startswith(".") or start.is_symlink():
            return
    for parent, folders, names in os.walk(start, onerror=_unless_gone):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(parent, n) for n in names if not n.startswith(".") and not n.endswith(PARTIAL_SUFFIXES))


class FolderLandingZone(dg.ConfigurableResource):
    """A folder as landing zone. Hidden files and unfinished copies (`.part`, `.tmp`, …) are not there yet; links are not followed.

    A file's etag is made of modification time, size and inode. Bytes of a name that are not UTF-8 are listed as `\\xe9`: such
    a file can be put on the record, not opened.
    """

    folder: str

    def files(self, prefix: str = "") -> Iterator[LandedFile]:
        """The files whose path starts with `prefix`, in path order."""
        root = Path(self.folder)
        if not root.is_dir():
            raise FileNotFoundError(f"{root}: the landing folder is not there; create or mount it")
        found: list[LandedFile] = []
        for file in _finished_files(root, prefix.rpartition("/")[0]):
            path = os.fsencode(file.relative_to(root).as_posix()).decode("utf-8", "backslashreplace")
            if not path.startswith(prefix):
                continue
            try:
                status = file.lstat()
            except FileNotFoundError:
                continue  # removed between the listing and the look: it is not in the landing zone any more
            if stat.S_ISREG(status.st_mode):
                found.append(LandedFile(path, _etag(status), status.st_size))
        yield from sorted(found)

    def level(self, prefix: str = "") -> Level:
        """What lies directly under `prefix`."""
        folders: set[str] = set()
        files: list[LandedFile] = []
        for file in self.files(prefix):
            inner, is_deeper, _ = file.path[len(prefix) :].partition("/")
            if is_deeper:
                folders.add(f"{prefix}{inner}/")
            else:
                files.append(file)
        return Level(tuple(sorted(folders)[:MOST_OF_A_LEVEL]), tuple(files[:MOST_OF_A_LEVEL]))

    @contextmanager
    def open(self, file: LandedFile) -> Iterator[BinaryIO]:
        """The file's bytes; raises `SupersededError` if they are not, or cease to be, the listed version."""
        if ".." in file.path.split("/") or file.path.startswith("/"):
            raise SupersededError(file.path)  # no listing of this folder has such a path
        try:
            stream = (Path(self.folder) / file.path).open("rb")
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as gone:
            raise SupersededError(file.path) from gone
        with stream:
            if _etag(os.fstat(stream.fileno())) != file.etag:
                raise SupersededError(file.path)
            yield stream
            if _etag(os.fstat(stream.fileno())) != file.etag:
                raise SupersededError(file.path)

    def describe(self) -> str:
        """The folder's path."""
        return f"folder {self.folder}"
