"""The ML platform: where training runs, and where models are kept. The protocol every implementation keeps.

What a model is and how it is evaluated is `globolatte_ml`'s business; which one serves is decided by
`globolatte_assets.models.promotion`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import dagster as dg

from resources.ml.training_method import MethodKind

MODEL_NAME = "preference_model"
CHAMPION = "champion"
CHALLENGER = "challenger"


@dataclass(frozen=True)
class Snapshot:
    """An immutable training snapshot: `name` is the hash of its content, `folder` holds its files."""

    name: str
    folder: Path


@dataclass(frozen=True)
class TrainedModel:
    """What a training job left behind: an MLflow-format model folder, metrics, parameters."""

    folder: Path
    content_hash: str
    snapshot: str
    job_id: str
    metrics: Mapping[str, float]
    parameters: Mapping[str, object] = field(default_factory=dict)
    method: MethodKind = MethodKind.COMMAND
    links: Mapping[str, str] = field(default_factory=dict)
    """Pages about the job for people, by what they are called; none where a platform has no pages."""
    provenance: Mapping[str, str] = field(default_factory=dict)
    """What made it, as tags: git commit, run, snapshot."""


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
    """Why it was promoted, one sentence a gate; empty if it never was."""


class MLPlatform(Protocol):
    """Where models are trained and registered. Implementations: `LocalMLPlatform`, `AzureMLPlatform`.

    What it raises where the outside world fails is `dagster.Failure` or a `RuntimeError` whose message names the remedy.
    """

    def snapshot_staging(self, name: str) -> Path:
        """An empty folder to write a snapshot into."""

    def keep_snapshot(self, staging: Path, name: str) -> Snapshot:
        """Takes over a finished snapshot folder under its content's name and makes it the latest.

        A name that is already there is left as it is.
        """

    def latest_snapshot(self) -> Snapshot:
        """The snapshot kept last. Raises `FileNotFoundError` with the remedy if there is none."""

    def snapshot(self, name: str) -> Snapshot:
        """A kept snapshot. Raises `FileNotFoundError` with the remedy if there is none of that name."""

    def train(self, context: dg.AssetExecutionContext, snapshot: Snapshot) -> TrainedModel:
        """Trains on a snapshot by the platform's method and waits for it. Raises if a job fails; an interrupt ends the job."""

    def register(self, trained: TrainedModel) -> ModelVersion:
        """Registers a trained model as challenger.

        The same content of the same snapshot gives the same version again, unless its kept files are damaged.
        """

    def model(self, alias: str) -> ModelVersion | None:
        """The version that bears an alias (`champion`, `challenger`), or none."""

    def promote(self, version: ModelVersion, reasons: Sequence[str]) -> None:
        """Makes a version the champion, and keeps why: the reasons are there before the alias moves."""

    def describe(self) -> str:
        """Where this platform is, for people; no secret in it."""


def holds_model(folder: Path, content_hash: str) -> bool:
    """Whether a folder holds the model of this content, undamaged."""
    from globolatte_ml.data.columns import InvalidDataError
    from globolatte_ml.model.model import PreferenceModel
    from globolatte_ml.scoring.scorer import resolve_model_folder

    try:
        return PreferenceModel.load(resolve_model_folder(folder)).content_hash() == content_hash
    except (InvalidDataError, OSError):
        return False
