"""The landing zone as a folder: the embedded default."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import dagster as dg

from resources.landing.landing_zone import MOST_OF_A_LEVEL, LandedFile, Level, SupersededError

PARTIAL_SUFFIXES = (".part", ".tmp", ".crdownload", "~")


def _etag(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns:x}-{status.st_size:x}-{status.st_ino:x}"


def _finished_files(folder: str, prefix: str) -> list[LandedFile]:
    """The files under `folder` that are neither hidden nor unfinished, in path order, reached without following a link.

    A folder that cannot be listed raises and does not count as empty; a folder that does not exist has no files. A sensor does this at
    every tick for the whole landing zone, so it must be fast: most of its time is spent in the operating system.
    """
    found: list[LandedFile] = []
    folders = [(folder, prefix)]
    while folders:
        here, path = folders.pop()
        try:
            entries = os.scandir(here)
        except FileNotFoundError:
            continue
        with entries:
            for entry in entries:
                name = entry.name
                if name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append((entry.path, f"{path}{name}/"))
                elif not name.endswith(PARTIAL_SUFFIXES) and entry.is_file(follow_symlinks=False):
                    try:
                        status = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue  # removed between listing and stat: it is not in the landing zone any more
                    found.append(LandedFile(_readable(path + name), _etag(status), status.st_size))
    return sorted(found)


def _start(root: Path, folder: str) -> Path | None:
    """`root/folder`, unless a hidden folder or a link is on the way."""
    start = root
    for name in Path(folder).parts:
        start /= name
        if name.startswith(".") or start.is_symlink():
            return None
    return start


def _readable(path: str) -> str:
    """The path with bytes that are no UTF-8 written as `\\xe9`."""
    return path if path.isascii() else os.fsencode(path).decode("utf-8", "backslashreplace")


class FolderLandingZone(dg.ConfigurableResource):
    """A folder as landing zone. Hidden files and unfinished copies (`.part`, `.tmp`, …) are not there yet; links are not followed.

    A file's etag is made of modification time, size and inode. Bytes of a name that are not UTF-8 are listed as `\\xe9`: such
    a file can be recorded in the ledger, not opened.
    """

    folder: str

    def files(self, prefix: str = "") -> Iterator[LandedFile]:
        """The files whose path starts with `prefix`, in path order."""
        root = Path(self.folder)
        if not root.is_dir():
            raise FileNotFoundError(f"{root}: the landing folder is not there; create or mount it")
        folder = prefix.rpartition("/")[0]
        start = _start(root, folder)
        if start is None or not start.is_dir():
            return
        found = _finished_files(str(start), f"{folder}/" if folder else "")
        yield from found if prefix.endswith("/") or not prefix else (f for f in found if f.path.startswith(prefix))

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
        """The file's bytes; raises `SupersededError` if they are not the listed version, or change while they are read."""
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
