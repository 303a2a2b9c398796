"""Folders that are named by the hash of their content, and a pointer file that says which of them is current.

A folder never changes once it has its name, and the pointer is replaced as a whole. A reader reads the pointer, then the folder.
"""

import hashlib
import os
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

from resources import atomic

DIGITS = 16
MANIFEST_FILE = "manifest.json"
"""What is said of a folder's content, beside it: added once the folder has its name, so no part of what it is named by."""
ABANDONED_SECONDS = 86_400.0
"""A staging folder of this age was begun by a run that was killed."""


def content_hash(folder: Path) -> str:
    """The name of a folder's content: the first 16 hexadecimal digits of a SHA-256 over the names and bytes of its files, but for its
    manifest."""
    digest = hashlib.sha256()
    for file in sorted(file for file in folder.iterdir() if file.name != MANIFEST_FILE):
        digest.update(file.name.encode())
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:DIGITS]


@dataclass(frozen=True)
class ContentStore:
    """The folders in `folder`; `pointer` is the file that names the current one."""

    folder: Path
    pointer: Path

    def staging(self, name: str) -> Path:
        """An empty folder to write into. Removes those that killed runs left: they hold customers' orders and are of no use."""
        for left in self.folder.glob(".staging-*"):
            if time.time() - left.stat().st_mtime > ABANDONED_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
        folder = self.folder / f".staging-{name}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def add(self, staging: Path, name: str) -> Path:
        """Renames a finished staging folder to its content's name; if there is one of that name, that one stays as it is."""
        target = self.folder / name
        if target.exists():
            shutil.rmtree(staging)
            os.utime(target)
        else:
            staging.rename(target)
        return target

    def point_to(self, name: str) -> None:
        """Makes a folder the current one."""
        atomic.write_text(self.pointer, name)

    def current(self) -> Path | None:
        """The current folder, or none if none was ever made current. It may have been removed by hand."""
        return self.folder / self.pointer.read_text(encoding="utf-8").strip() if self.pointer.exists() else None

    def drop_old(self, count: int) -> None:
        """Removes all folders but the current one and the `count` - 1 latest of the others."""
        others = [one for one in self.folder.iterdir() if one != self.current() and not one.name.startswith(".")]
        for folder in sorted(others, key=lambda one: one.stat().st_mtime, reverse=True)[count - 1 :]:
            shutil.rmtree(folder)
