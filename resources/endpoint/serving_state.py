"""Customer states for serving, as a content store: scoring reads the pointer, then the folder, and never the warehouse."""

from pathlib import Path

import dagster as dg

from resources.content_store import ContentStore


class ServingStates(dg.ConfigurableResource):
    """The states under `folder`: `states/<hash>/` and the pointer file `current_state`. `kept`: how many of them, with the current one."""

    folder: str
    kept: int = 3

    @property
    def _store(self) -> ContentStore:
        return ContentStore(Path(self.folder) / "states", Path(self.folder) / "current_state")

    def staging(self, name: str) -> Path:
        """An empty folder to write a state into."""
        return self._store.staging(name)

    def publish(self, staging: Path, version: str) -> Path:
        """Makes a finished staging folder the current state under its content's name."""
        folder = self._store.add(staging, version)
        self._store.point_to(version)
        self._store.drop_old(self.kept)
        return folder

    @property
    def is_published(self) -> bool:
        """Whether there is a current state to read."""
        current = self._store.current()
        return current is not None and current.is_dir()

    def current(self) -> Path:
        """The current state's folder. Raises `FileNotFoundError` with the remedy if none was published."""
        current = self._store.current()
        if current is None:
            raise FileNotFoundError("no customer state has been published yet; run `globolatte run`")
        return current
