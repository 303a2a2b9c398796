"""The landing zone as a folder: the embedded default."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import dagster as dg

from resources.landing.landing_zone import (
    LISTED_AFTER_SECONDS,
    MOST_OF_A_LEVEL,
    UNFINISHED_NAME,
    LandedFile,
    Level,
    NoFile,
    Page,
    SupersededError,
)


def _etag(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns:x}-{status.st_size:x}-{status.st_ino:x}"


def _finished_files(folder: str, prefix: str) -> list[LandedFile]:
    """The files under `folder`, and what else lies there, in path order, reached without following a link.

    A folder that does not exist has no files; one that cannot be listed is named and does not count as empty. A sensor does this at
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
        except PermissionError:
            if not path:
                raise
            found.append(LandedFile(_readable(path), NoFile.UNREADABLE, 0))
            continue
        with entries:
            for entry in entries:
                name = entry.name
                if name.startswith(".") or UNFINISHED_NAME.search(name):
                    found += _left_behind(entry, path)
                elif entry.is_dir(follow_symlinks=False):
                    folders.append((entry.path, f"{path}{name}/"))
                elif entry.is_file(follow_symlinks=False):
                    try:
                        status = entry.stat(follow_symlinks=False)
                    except FileNotFoundError:
                        continue  # removed between listing and stat: it is not in the landing zone any more
                    except PermissionError:
                        found.append(LandedFile(_readable(path + name), NoFile.UNREADABLE, 0))
                        continue
                    found.append(LandedFile(_readable(path + name), _etag(status), status.st_size))
                else:
                    kind = NoFile.LINK if entry.is_symlink() else NoFile.SPECIAL
                    found.append(LandedFile(_readable(path + name), kind, 0))
    return sorted(found)


def _left_behind(entry: "os.DirEntry[str]", path: str) -> list[LandedFile]:
    """A hidden or unfinished file or folder, if nothing was written to it for so long that nobody is at it any more."""
    try:
        status = entry.stat(follow_symlinks=False)
        is_folder = entry.is_dir(follow_symlinks=False)
        if time.time() - status.st_mtime < LISTED_AFTER_SECONDS or (is_folder and not any(os.scandir(entry.path))):
            return []
    except FileNotFoundError:
        return []
    except PermissionError:
        is_folder = True
    kind = NoFile.HIDDEN if entry.name.startswith(".") else NoFile.UNFINISHED
    return [LandedFile(_readable(path + entry.name) + "/" * is_folder, kind, 0 if is_folder else status.st_size)]


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
    What will not be read (a link, a hidden file that nobody has written to for an hour) is listed by name, with a `NoFile` as its etag.

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
            inner, _, deeper = file.path[len(prefix) :].partition("/")
            if deeper:
                folders.add(f"{prefix}{inner}/")
            else:
                files.append(file)
        return Level(tuple(sorted(folders)[:MOST_OF_A_LEVEL]), tuple(files[:MOST_OF_A_LEVEL]))

    def page(self, prefix: str = "", start: str | None = None) -> Page:
        """One page of the files."""
        after = [file for file in self.files(prefix) if start is None or file.path > start]
        files = tuple(after[:MOST_OF_A_LEVEL])
        return Page(files, files[-1].path if len(after) > len(files) else None)

    @contextmanager
    def open(self, file: LandedFile) -> Iterator[BinaryIO]:
        """The file's bytes; raises `SupersededError` if they are not the listed version, or change while they are read."""
        if ".." in file.path.split("/") or file.path.startswith("/") or file.etag in set(NoFile):
            raise SupersededError(file.path)  # no listing of this folder has such a file
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
