"""The ML platform: where training runs, and where models are registered. The protocol of every implementation.

`globolatte_ml` defines what a model is and how it is evaluated; `globolatte_assets.models.promotion` decides which one serves.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Protocol

import dagster as dg

from resources.ml.training_method import MethodKind

MODEL_NAME = "preference_model"
CHAMPION = "champion"
CHALLENGER = "challenger"
NOT_TOLD = "not told"
"""In place of what a version of an earlier release does not say of itself."""


@dataclass(frozen=True)
class Snapshot:
    """An immutable training snapshot: `name` is the hash of its content, `folder` holds its files."""

    name: str
    folder: Path


@dataclass(frozen=True)
class TrainedModel:
    """The outputs of a training job: an MLflow-format model folder, metrics, parameters."""

    folder: Path
    content_hash: str
    snapshot: str
    job_id: str
    metrics: Mapping[str, float]
    parameters: Mapping[str, object] = field(default_factory=dict)
    method: MethodKind = MethodKind.COMMAND
    links: Mapping[str, str] = field(default_factory=dict)
    """Pages about the job for people, by name; empty if the platform has no pages."""
    provenance: Mapping[str, str] = field(default_factory=dict)
    """Its origin as tags: git commit, run, snapshot."""


@dataclass(frozen=True)
class ModelVersion:
    """One registered version of the preference model."""

    version: str
    content_hash: str
    snapshot: str
    job_id: str
    folder: Path
    """Where the MLflow-format model folder can be read on this machine."""
    reasons: tuple[str, ...] = ()
    """Why it was promoted, one sentence per gate; empty if it never was."""


class MLPlatform(Protocol):
    """Where models are trained and registered. Implementations: `LocalMLPlatform`, `AzureMLPlatform`.

    If an external system fails it raises `dagster.Failure` or a `RuntimeError` whose message names the remedy.
    """

    def snapshot_staging(self, name: str) -> Path:
        """An empty folder to write a snapshot into."""

    def keep_snapshot(self, staging: Path, name: str) -> Snapshot:
        """Stores a finished snapshot folder under its content's name and makes it the latest.

        An existing snapshot of that name is left as it is.
        """

    def latest_snapshot(self) -> Snapshot:
        """The latest snapshot. Raises `FileNotFoundError` with the remedy if there is none."""

    def snapshot(self, name: str) -> Snapshot:
        """A stored snapshot. Raises `FileNotFoundError` with the remedy if there is none of that name."""

    def train(self, context: dg.AssetExecutionContext, snapshot: Snapshot) -> TrainedModel:
        """Trains on a snapshot by the platform's method and waits for it. Raises if a job fails; an interrupt ends the job."""

    def register(self, trained: TrainedModel) -> ModelVersion:
        """Registers a trained model as challenger.

        The same content of the same snapshot gives the same version again, unless its stored files are damaged.
        """

    def model(self, alias: str) -> ModelVersion | None:
        """The version that has an alias (`champion`, `challenger`), or none."""

    def promote(self, version: ModelVersion, reasons: Sequence[str]) -> None:
        """Makes a version the champion and stores the reasons: they are stored before the alias moves."""

    def describe(self) -> str:
        """Where this platform is, for people; no secret in it."""


def holds_model(folder: Path, content_hash: str) -> bool:
    """Whether a folder holds the model of this content, undamaged."""
    return _fault_in(folder, content_hash) is None


def fault_of(version: ModelVersion) -> str | None:
    """Why a version cannot be used: its files are gone, damaged, or of another version of this code; none if it can.

    It is opened again whenever one of its files has another size or time.
    """
    files = ((file, file.stat()) for file in sorted(version.folder.rglob("*")))
    return _opened(version, tuple((str(file), facts.st_size, facts.st_mtime_ns) for file, facts in files))


@lru_cache(maxsize=8)
def _opened(version: ModelVersion, _: tuple[tuple[str, int, int], ...]) -> str | None:
    return _fault_in(version.folder, version.content_hash)


def _fault_in(folder: Path, content_hash: str) -> str | None:
    from globolatte_ml.data.columns import InvalidDataError
    from globolatte_ml.model.model import PreferenceModel
    from globolatte_ml.scoring.scorer import resolve_model_folder

    try:
        found = PreferenceModel.load(resolve_model_folder(folder)).content_hash()
    except (InvalidDataError, OSError) as error:
        return str(error)
    return None if found == content_hash else f"{folder}: holds another model than the one registered; train again"
