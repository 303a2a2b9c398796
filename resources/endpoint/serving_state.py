"""Customer states for serving: folders named by the hash of their content, behind a pointer that is replaced atomically.

Whoever scores reads the pointer, then the folder; no folder ever changes once it has its name, and the warehouse stays
out of it.
"""

import os
import shutil
from pathlib import Path

import dagster as dg

KEPT_STATES = 3
"""How many states stay on disk: the current one, and those that a running request may still read."""


class ServingStates(dg.ConfigurableResource):
    """The states under `folder`: `states/<hash>/` and the pointer file `current_state`."""

    folder: str

    @property
    def _states(self) -> Path:
        return Path(self.folder) / "states"

    @property
    def _pointer(self) -> Path:
        return Path(self.folder) / "current_state"

    def staging(self, name: str) -> Path:
        """An empty folder to write a state into."""
        folder = self._states / f".staging-{name}"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def publish(self, staging: Path, version: str) -> Path:
        """Makes a finished staging folder the current state under its content's name."""
        target = self._states / version
        if target.exists():
            shutil.rmtree(staging)
            os.utime(target)
        else:
            staging.rename(target)
        pointer = self._pointer.with_suffix(".new")
        pointer.write_text(version)
        pointer.replace(self._pointer)
        self._drop_old(keep=version)
        return target

    def _drop_old(self, keep: str) -> None:
        states = sorted(
            (folder for folder in self._states.iterdir() if folder.name != keep and not folder.name.startswith(".")),
            key=lambda folder: folder.stat().st_mtime,
            reverse=True,
        )
        for folder in states[KEPT_STATES - 1 :]:
            shutil.rmtree(folder)

    @property
    def is_published(self) -> bool:
        """Whether there is a current state to read."""
        return self._pointer.exists() and self.current().is_dir()

    def current(self) -> Path:
        """The current state's folder. Raises `FileNotFoundError` with the remedy if none was published."""
        if not self._pointer.exists():
            raise FileNotFoundError("no customer state has been published yet; run `globolatte run`")
        return self._states / self._pointer.read_text().strip()
