"""`AzureMLPlatform`: training and registry in an Azure ML workspace, behind the protocol `resources.ml.ml_platform.MLPlatform`."""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg

from resources.atomic import filled_once
from resources.content_store import ContentStore
from resources.ml.azureml import data_assets, models, schedules
from resources.ml.azureml.faults import AzureMLError
from resources.ml.azureml.files import fetch, put_beside
from resources.ml.azureml.provenance import hash_of_files, provenance_tags
from resources.ml.azureml.training import submit_training
from resources.ml.azureml.workspace import Workspace, datastore_uri
from resources.ml.ml_platform import CHALLENGER, CHAMPION, ModelVersion, Snapshot, TrainedModel, holds_model
from resources.ml.training_method import CommandMethod, TrainingMethod
from resources.settings.azureml import AzureMLSettings

if TYPE_CHECKING:
    from azure.ai.ml.entities import Data, Model

UNLOADED = "snapshots"
"""The folder of the default datastore into which the warehouse writes snapshots itself, through a stage."""


class DistantSnapshot(Snapshot):
    """A snapshot in the workspace. Jobs read it there; its folder is downloaded when it is first requested."""

    def __init__(self, name: str, fetched: Callable[[], Path]) -> None:
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "_fetched", fetched)

    @property
    def folder(self) -> Path:
        """The folder on this machine."""
        fetched: Callable[[], Path] = self.__dict__["_fetched"]
        return fetched()


def as_failure(error: AzureMLError) -> dg.Failure:
    """The error as Dagster shows it: its sentence, and its parts as metadata."""
    links = {name: dg.MetadataValue.url(fact) for name, fact in error.facts.items() if name == "studio"}
    return dg.Failure(description=str(error), metadata={**error.facts, **links})


@dataclass
class AzureMLPlatform:
    """A workspace. `folder` holds copies of what is in it, and can be deleted at any time."""

    settings: AzureMLSettings
    folder: Path
    method: TrainingMethod = field(default_factory=CommandMethod)
    _looked_at: set[str] = field(default_factory=set, init=False)

    @cached_property
    def workspace(self) -> Workspace:
        """The connection."""
        return Workspace(self.settings)

    @property
    def _snapshots(self) -> ContentStore:
        folder = self.folder / "snapshots"
        return ContentStore(folder, folder / "latest")

    def snapshot_staging(self, name: str) -> Path:
        """An empty folder to write a snapshot into."""
        return self._snapshots.staging(name)

    def keep_snapshot(self, staging: Path, name: str) -> Snapshot:
        """Registers a finished snapshot folder as a data asset under its content's name and makes it the latest, for a schedule too."""
        files = hash_of_files(staging)
        asset = self._make_latest(name, staging, files=files)
        if (asset.tags or {}).get("files") == files:
            self._snapshots.add(staging, name)
        else:
            shutil.rmtree(staging)
        return self.snapshot(name)

    def _make_latest(self, name: str, path: Path | str, **tags: str) -> "Data":
        asset = data_assets.ensure_data(
            self.workspace,
            data_assets.SNAPSHOTS,
            name,
            path,
            data_assets.URI_FOLDER,
            provenance_tags("", name, **tags),
        )
        data_assets.mark_latest(self.workspace, asset)
        schedules.follow_latest(self.workspace, name)
        return asset

    def has_snapshot(self, name: str) -> bool:
        """Whether a snapshot is stored under this name."""
        return data_assets.find_data(self.workspace, data_assets.SNAPSHOTS, name) is not None

    def keep_unloaded_snapshot(self, name: str, small: Mapping[str, bytes], unloaded: Sequence[str]) -> Snapshot:
        """Registers a snapshot whose tables are in the workspace's storage already, and makes it the latest, for a schedule too.

        `unloaded` are their files below `UNLOADED/name` in the default datastore; the `small` ones are written beside them.
        Nothing is fetched. Raises `AzureMLError` if a file is not there.
        """
        prefix = f"{UNLOADED}/{name}"
        if not self.has_snapshot(name):
            put_beside(self.workspace, prefix, small, unloaded)
        self._make_latest(name, datastore_uri(f"{prefix}/"))
        return self.snapshot(name)

    def latest_snapshot(self) -> Snapshot:
        """The latest snapshot. Raises `FileNotFoundError` with the remedy if there is none."""
        asset = data_assets.latest_data(self.workspace, data_assets.SNAPSHOTS)
        if asset is None:
            raise FileNotFoundError(f"{self.describe()} holds no snapshot; materialize models/training_snapshot")
        return self.snapshot(str(asset.version))

    def snapshot(self, name: str) -> Snapshot:
        """A stored snapshot, downloaded when its folder is requested. Raises `FileNotFoundError` with the remedy if there is none."""
        target = self._snapshots.folder / name
        if target.is_dir():
            return Snapshot(name, target)
        asset = data_assets.find_data(self.workspace, data_assets.SNAPSHOTS, name)
        if asset is None:
            raise FileNotFoundError(
                f"snapshot {name} is not in {self.describe()}; materialize models/training_snapshot"
            )
        return DistantSnapshot(
            name, lambda: filled_once(target, lambda new: fetch(self.workspace, str(asset.path).rstrip("/"), new))
        )

    def train(self, context: dg.AssetExecutionContext, snapshot: Snapshot) -> TrainedModel:
        """Trains by the chosen method as a job of the workspace; an existing job for the same inputs is continued."""
        try:
            return submit_training(context, self.workspace, self.method, snapshot, self.folder / "jobs")
        except AzureMLError as error:
            raise as_failure(error) from error

    def register(self, trained: TrainedModel) -> ModelVersion:
        """Registers a trained model as challenger; the same content of the same snapshot is the same version."""
        address = f"azureml://jobs/{trained.job_id}/outputs/out/paths/model"
        model = models.same(self.workspace, trained) or models.create(self.workspace, trained, address)
        models.tag(self.workspace, model, {models.since(CHALLENGER): models.now()})
        return self._version(model)

    def _version(self, model: "Model") -> ModelVersion:
        version = models.as_version(self.workspace, model, self.folder / "models")
        if version.version not in self._looked_at:  # once a process: a copy may be damaged, the original is not
            self._looked_at.add(version.version)
            if not holds_model(version.folder, version.content_hash):
                shutil.rmtree(version.folder)
                version = models.as_version(self.workspace, model, self.folder / "models")
        return version

    def model(self, alias: str) -> ModelVersion | None:
        """The version that has an alias (`champion`, `challenger`), or none."""
        found = models.bearer(self.workspace, alias)
        return None if found is None else self._version(found)

    def promote(self, version: ModelVersion, reasons: Sequence[str]) -> None:
        """Makes a version the champion with its reasons, in one write."""
        model = self.workspace.client.models.get(models.REGISTERED_NAME, version=version.version)
        tags = models.tags_of(model).items()
        model.tags = {name: text for name, text in tags if not name.startswith(models.REASON)}
        models.tag(self.workspace, model, {**models.reasons_as_tags(reasons), models.since(CHAMPION): models.now()})

    def describe(self) -> str:
        """Which workspace."""
        return self.settings.describe()
