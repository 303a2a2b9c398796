"""Customer states and prediction logs in the workspace's storage: the other end of `state_sync`, which runs in the deployments."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from resources.atomic import replacing
from resources.endpoint.azureml.state_sync import LOG, POINTER, STATES
from resources.endpoint.prediction_files import PredictionFiles
from resources.endpoint.serving_state import ServingStates
from resources.ml.azureml.faults import faults_of
from resources.ml.azureml.workspace import Workspace
from resources.settings.azureml import AzureMLSettings

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient


def container_url(workspace: Workspace) -> str:
    """The address of the container that both ends use; no secret in it."""
    with workspace.storage() as (service, container):
        return str(service.get_container_client(container).url)


@contextmanager
def _container(what: str) -> Iterator["ContainerClient"]:
    """The container of the workspace that this process' settings name; faults are reported as faults of `what`."""
    with Workspace(AzureMLSettings.from_environment()).storage() as (service, name), faults_of(what):
        yield service.get_container_client(name)


class SharedServingStates(ServingStates):
    """States under `folder`, and in the storage of the workspace of this process' settings."""

    def publish(self, staging: Path, version: str) -> Path:
        """Makes a finished staging folder the current state, here and for every deployment: the pointer is written last."""
        folder = super().publish(staging, version)
        with _container(f"customer state {version}") as container:
            for file in sorted(folder.iterdir()):
                with file.open("rb") as stream:
                    container.upload_blob(f"{STATES}/{version}/{file.name}", stream, overwrite=True)
            container.upload_blob(POINTER, version.encode(), overwrite=True)
        return folder


class SharedPredictionFiles(PredictionFiles):
    """Log files that deployments uploaded to the workspace's storage; `folder` holds copies while they are loaded."""

    def finished(self) -> list[Path]:
        """The files in the storage, fetched; oldest first."""
        folder = Path(self.folder)
        with _container("prediction log") as container:
            for blob in container.list_blob_names(name_starts_with=f"{LOG}/"):
                target = folder / str(blob).rpartition("/")[2]
                if not target.exists():
                    with replacing(target) as new, new.open("wb") as stream:
                        container.download_blob(str(blob)).readinto(stream)
        return super().finished()

    def taken(self, file: Path) -> None:
        """Removes a file that is in the warehouse, first from the storage, so that it is not fetched again."""
        with _container("prediction log") as container:
            blob = container.get_blob_client(f"{LOG}/{file.name}")
            if blob.exists():
                blob.delete_blob()
        super().taken(file)
