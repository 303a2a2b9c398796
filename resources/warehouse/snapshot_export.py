"""Exports a training snapshot from the warehouse to where models are trained, and names it by its content.

Either through this process, for any warehouse and platform; or, from Snowflake to Azure ML, directly by Snowflake.
"""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from resources.content_store import DIGITS, content_hash
from resources.ml.ml_platform import MLPlatform
from resources.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    from resources.ml.azureml.platform import AzureMLPlatform
    from resources.warehouse.snowflake import SnowflakeWarehouse


class SnapshotExport(Protocol):
    """The export of one snapshot. Implementations: `ThroughThisWorker`, `StraightIntoBlob`."""

    def unload(self, table: str, file: str, order_by: Sequence[str]) -> None:
        """Adds a table as the Parquet file `file`, rows in `order_by`."""

    def write(self, file: str, content: bytes) -> None:
        """Adds a small file."""

    def name(self) -> str:
        """The name of what was unloaded and written so far: the same for the same content."""

    def keep(self, name: str) -> str:
        """Stores everything on the platform under that name, as its latest snapshot; returns where it is.

        A name that is already there is left as it is.
        """


SnapshotExports = Callable[[str], SnapshotExport]
"""Begins the export of a run: an empty snapshot."""


@dataclass(frozen=True)
class ThroughThisWorker:
    """Writes files into a local folder; the name is the hash of their bytes."""

    warehouse: Warehouse
    ml: MLPlatform
    staging: Path

    def unload(self, table: str, file: str, order_by: Sequence[str]) -> None:
        """Writes the file."""
        self.warehouse.unload(table, self.staging / file, order_by)

    def write(self, file: str, content: bytes) -> None:
        """Writes the file."""
        (self.staging / file).write_bytes(content)

    def name(self) -> str:
        """The hash of the folder."""
        return content_hash(self.staging)

    def keep(self, name: str) -> str:
        """Stores the folder on the platform; returns its path."""
        return str(self.ml.keep_snapshot(self.staging, name).folder)


@dataclass(frozen=True)
class StraightIntoBlob:
    """The name is made of fingerprints of the tables, which Snowflake computes; Snowflake writes the tables once the name is known."""

    warehouse: "SnowflakeWarehouse"
    ml: "AzureMLPlatform"
    stage: str
    tables: dict[str, tuple[str, Sequence[str]]] = field(default_factory=dict)
    contents: dict[str, str] = field(default_factory=dict)
    small: dict[str, bytes] = field(default_factory=dict)

    def unload(self, table: str, file: str, order_by: Sequence[str]) -> None:
        """Records the table and the fingerprint of its content."""
        self.tables[file] = (table, order_by)
        self.contents[file] = self.warehouse.fingerprint(table)

    def write(self, file: str, content: bytes) -> None:
        """Records the content."""
        self.small[file] = content
        self.contents[file] = hashlib.sha256(content).hexdigest()

    def name(self) -> str:
        """The hash of the files' names and of the hashes of their contents."""
        lines = "".join(f"{file}\n{content}\n" for file, content in sorted(self.contents.items()))
        return hashlib.sha256(lines.encode()).hexdigest()[:DIGITS]

    def keep(self, name: str) -> str:
        """Makes Snowflake write the tables unless they are stored already, and registers them; returns their address.

        Raises `RuntimeError` if a table changed meanwhile: its file would not match the name.
        """
        from resources.ml.azureml.platform import UNLOADED
        from resources.ml.azureml.workspace import datastore_uri

        if not self.ml.has_snapshot(name):
            for file, (table, order_by) in self.tables.items():
                self.warehouse.unload_to_stage(table, f"{self.stage}/{name}/{file}", order_by)
                if self.warehouse.fingerprint(table) != self.contents[file]:
                    raise RuntimeError(
                        f"{table}: changed while it was unloaded; materialize models/training_snapshot again"
                    )
        self.ml.keep_unloaded_snapshot(name, self.small, sorted(self.tables))
        return datastore_uri(f"{UNLOADED}/{name}/")
