"""The ML platform on one machine: training in subprocesses, registry in MLflow on SQLite."""

import json
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager, closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from resources.atomic import write_text
from resources.content_store import ContentStore
from resources.ml.local.model_files import JOBS, MODEL, PARAMETERS, model_below
from resources.ml.local.registry_faults import faults_of_registry
from resources.ml.ml_platform import (
    CHALLENGER,
    CHAMPION,
    MODEL_NAME,
    NOT_TOLD,
    ModelVersion,
    Snapshot,
    TrainedModel,
    holds_model,
)
from resources.ml.training_method import MethodKind, training_method

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities.model_registry import ModelVersion as RegisteredVersion


REASONS_TAG = "promotion_reasons"
OUTSTANDING, PLACE = "outstanding", "place"
LOOK_SECONDS = 20.0
"""How long a single call of the registry waits for a lock; whoever registers or promotes waits as long as for the warehouse before."""


class LocalMLPlatform(dg.ConfigurableResource):
    """Everything under `folder`: `snapshots/`, `jobs/` (one folder a training job) and `mlflow.db`.

    `training`: by which method; `training_file`: its details, see `resources.ml.training_method`. `wait_seconds`: for how long to wait
    while another program has the registry's file locked. A finished training that could not be registered stands in `outstanding/`
    until the next one registers it.
    """

    folder: str
    training: MethodKind = MethodKind.COMMAND
    training_file: str | None = None
    wait_seconds: float = 300.0

    @property
    def _root(self) -> Path:
        return Path(self.folder)

    @property
    def _registry(self) -> Path:
        return self._root / "mlflow.db"

    @property
    def _snapshots(self) -> ContentStore:
        folder = self._root / "snapshots"
        return ContentStore(folder, folder / "latest")

    def _client(self) -> "MlflowClient":
        """A client of the registry, which is created on first use."""
        from mlflow import MlflowClient

        self._root.mkdir(parents=True, exist_ok=True)
        uri = f"sqlite:///{self._registry}?timeout={min(self.wait_seconds, LOOK_SECONDS):g}"
        return MlflowClient(tracking_uri=uri, registry_uri=uri)

    def snapshot_staging(self, name: str) -> Path:
        """An empty folder to write a snapshot into."""
        return self._snapshots.staging(name)

    def keep_snapshot(self, staging: Path, name: str) -> Snapshot:
        """Stores a finished snapshot folder under its content's name and makes it the latest."""
        folder = self._snapshots.add(staging, name)
        self._snapshots.point_to(name)
        return Snapshot(name, folder)

    def latest_snapshot(self) -> Snapshot:
        """The latest snapshot. Raises `FileNotFoundError` with the remedy if there is none."""
        folder = self._snapshots.current()
        if folder is None:
            raise FileNotFoundError(f"{self._snapshots.folder} holds no snapshot; materialize models/training_snapshot")
        return self.snapshot(folder.name)

    def snapshot(self, name: str) -> Snapshot:
        """A stored snapshot. Raises `FileNotFoundError` with the remedy if there is none of that name."""
        folder = self._snapshots.folder / name
        if not folder.is_dir():
            raise FileNotFoundError(f"snapshot {name} is not in {folder.parent}; materialize models/training_snapshot")
        return Snapshot(name, folder)

    def train(self, context: dg.AssetExecutionContext, snapshot: Snapshot) -> TrainedModel:
        """Trains by the chosen method in processes of their own; each run has one folder for their outputs."""
        from resources.ml.local.methods import train_by_method

        for trained in reversed(self._register_outstanding()):
            if trained.snapshot == snapshot.name and trained.method is self.training:
                context.log.info(f"run {trained.job_id} had trained on this snapshot, and could not register its model")
                return trained
        out = self._root / JOBS / context.run.run_id
        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        method = training_method(self.training, Path(self.training_file) if self.training_file else None)
        finished = train_by_method(context, method, snapshot.folder, out)
        metrics = json.loads((finished / "metrics.json").read_text())
        parameters = json.loads((finished / PARAMETERS).read_text())
        trained = TrainedModel(
            folder=finished / MODEL,
            content_hash=parameters["content_hash"],
            snapshot=snapshot.name,
            job_id=context.run.run_id,
            metrics=metrics,
            parameters=parameters,
            method=method.kind,
        )
        place = 1 + max((place for place, _, _ in self._all_outstanding()), default=0)
        document = {**asdict(trained), "folder": str(trained.folder.relative_to(self._root)), PLACE: place}
        write_text(self._outstanding(trained.job_id), json.dumps(document, indent=1, default=str))
        return trained

    def _outstanding(self, job_id: str) -> Path:
        """Exists from the end of a training until its model is registered."""
        return self._root / OUTSTANDING / f"{job_id}.json"

    def _all_outstanding(self) -> list[tuple[int, Path, dict[str, Any]]]:
        """Place, file and content of what is to be registered, in the sequence in which it was trained, whatever a clock said."""
        found = []
        for path in (self._root / OUTSTANDING).glob("*.json"):
            document = json.loads(path.read_text(encoding="utf-8"))
            found.append((int(document.pop(PLACE, 0)), path, document))
        return sorted(found, key=lambda one: one[:2])

    def _register_outstanding(self) -> list[TrainedModel]:
        """Registers what earlier trainings could not, the latest last, so that it is the challenger; those whose files are no whole
        model any more are left out."""
        found = []
        for _, path, document in self._all_outstanding():
            folder, method = self._root / document["folder"], MethodKind(document["method"])
            trained = TrainedModel(**{**document, "folder": folder, "method": method})
            if holds_model(trained.folder, trained.content_hash):
                self.register(trained)
                found.append(trained)
            else:
                path.unlink()
        return found

    def register(self, trained: TrainedModel) -> ModelVersion:
        """Registers a trained model as challenger; the same content of the same snapshot is the same version, if undamaged.

        A model that was trained elsewhere is copied below the platform's folder, where alone it is looked for.
        """
        otherwise = f"the model in {trained.folder} is finished, and the next training registers it"
        self._wait_for_registry(otherwise)
        with self._faults(otherwise):
            known = self._registered(trained)
        self._outstanding(trained.job_id).unlink(missing_ok=True)
        return _model_version(known, self._root)

    def _registered(self, trained: TrainedModel) -> "RegisteredVersion":
        client = self._client()
        known = self._same(client, trained)
        if known is None:
            folder = trained.folder
            if not folder.is_relative_to(self._root):
                folder = self._root / JOBS / trained.job_id / MODEL
                shutil.copytree(trained.folder, folder, dirs_exist_ok=True)
            known = client.create_model_version(
                MODEL_NAME,
                source=str(folder),
                tags={
                    "content_hash": trained.content_hash,
                    "snapshot": trained.snapshot,
                    "job_id": trained.job_id,
                    **{f"metric.{name}": f"{value:.6g}" for name, value in trained.metrics.items()},
                },
            )
        client.set_registered_model_alias(MODEL_NAME, CHALLENGER, known.version)
        return known

    def _wait_for_registry(self, otherwise: str) -> None:
        """Waits until nobody has the registry's file locked. Raises `RegistryError`, for a lock after `wait_seconds`."""
        if not self._registry.exists():
            return
        with (
            self._faults(otherwise),
            closing(sqlite3.connect(self._registry, timeout=self.wait_seconds, isolation_level=None)) as registry,
        ):
            registry.execute("begin immediate")
            registry.execute("rollback")

    def _faults(self, otherwise: str = "") -> AbstractContextManager[None]:
        return faults_of_registry(self._registry, self.wait_seconds, otherwise)

    def _same(self, client: "MlflowClient", trained: TrainedModel) -> "RegisteredVersion | None":
        from mlflow.exceptions import MlflowException

        try:
            client.create_registered_model(
                MODEL_NAME, description="P(next main product | customer, place, time, weather)"
            )
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        versions = client.search_model_versions(f"name = '{MODEL_NAME}'")
        wanted = {"content_hash": trained.content_hash, "snapshot": trained.snapshot}
        same = [
            version for version in versions if wanted.items() <= version.tags.items() and _is_whole(version, self._root)
        ]
        return min(same, key=lambda version: int(version.version), default=None)

    def model(self, alias: str) -> ModelVersion | None:
        """The version that has an alias (`champion`, `challenger`), or none."""
        if not (self._registry.exists() and self._registry.stat().st_size):  # a client would make one
            return None
        from mlflow.exceptions import MlflowException

        with self._faults():
            try:
                return _model_version(self._client().get_model_version_by_alias(MODEL_NAME, alias), self._root)
            except MlflowException as error:
                if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                    return None
                raise

    def promote(self, version: ModelVersion, reasons: Sequence[str]) -> None:
        """Makes a version the champion, and stores the reasons."""
        otherwise = f"version {version.version} is not promoted yet; run `globolatte run` again"
        self._wait_for_registry(otherwise)
        with self._faults(otherwise):
            self._client().set_model_version_tag(MODEL_NAME, version.version, REASONS_TAG, json.dumps(list(reasons)))
            self._client().set_registered_model_alias(MODEL_NAME, CHAMPION, version.version)

    def describe(self) -> str:
        """The folder and the registry's file."""
        return f"MLflow on SQLite in {self.folder}"


def _model_version(registered: "RegisteredVersion", root: Path) -> ModelVersion:
    return ModelVersion(
        version=str(registered.version),
        content_hash=registered.tags.get("content_hash", NOT_TOLD),
        snapshot=registered.tags.get("snapshot", NOT_TOLD),
        job_id=registered.tags.get("job_id", NOT_TOLD),
        folder=_folder_of(registered, root),
        reasons=tuple(json.loads(registered.tags.get(REASONS_TAG, "[]"))),
    )


def _folder_of(registered: "RegisteredVersion", root: Path) -> Path:
    return model_below(root, registered.source, registered.tags.get("content_hash", NOT_TOLD))


def _is_whole(registered: "RegisteredVersion", root: Path) -> bool:
    """Whether the stored files still are the model that was registered."""
    return holds_model(_folder_of(registered, root), registered.tags.get("content_hash", NOT_TOLD))
