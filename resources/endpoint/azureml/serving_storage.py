"""Customer states and prediction logs in the workspace's storage: the other end of `state_sync`, which runs in the deployments."""

from pathlib import Path

from resources.atomic import replacing
from resources.endpoint.azureml.state_sync import LOG, POINTER, STATES
from resources.endpoint.prediction_files import PredictionFiles
from resources.endpoint.serving_state import ServingStates
from resources.ml.azureml.faults import faults_of
from resources.ml.azureml.workspace import Workspace
from resources.settings.azureml import AzureMLSettings


def container_url(workspace: Workspace) -> str:
    """The address of the container that both ends use; no secret in it."""
    with workspace.storage() as (service, container):
        return str(service.get_container_client(container).url)


class SharedServingStates(ServingStates):
    """States under `folder`, and in the storage of the workspace of this process' settings."""

    def publish(self, staging: Path, version: str) -> Path:
        """Makes a finished staging folder the current state, here and for every deployment: the pointer is written last."""
        folder = super().publish(staging, version)
        workspace = Workspace(AzureMLSettings.from_environment())
        with workspace.storage() as (service, name), faults_of(f"customer state {version}"):
            container = service.get_container_client(name)
            for file in sorted(folder.iterdir()):
                with file.open("rb") as stream:
                    container.upload_blob(f"{STATES}/{version}/{file.name}", stream, overwrite=True)
            container.upload_blob(POINTER, version.encode(), overwrite=True)
        return folder


class SharedPredictionFiles(PredictionFiles):
    """Log files that deployments handed on to the workspace's storage; `folder` holds copies while they are taken in."""

    def finished(self) -> list[Path]:
        """The files in the storage, fetched; oldest first."""
        folder = Path(self.folder)
        workspace = Workspace(AzureMLSettings.from_environment())
        with workspace.storage() as (service, name), faults_of("prediction log"):
            container = service.get_container_client(name)
            for blob in container.list_blob_names(name_starts_with=f"{LOG}/"):
                target = folder / str(blob).rpartition("/")[2]
                if not target.exists():
                    with replacing(target) as new, new.open("wb") as stream:
                        container.download_blob(str(blob)).readinto(stream)
        return super().finished()

    def taken(self, file: Path) -> None:
        """Removes a file that is in the warehouse: first from the storage, so that it is not fetched again."""
        workspace = Workspace(AzureMLSettings.from_environment())
        with workspace.storage() as (service, name), faults_of("prediction log"):
            blob = service.get_blob_client(name, f"{LOG}/{file.name}")
            if blob.exists():
                blob.delete_blob()
        super().taken(file)
