"""From one workspace to another through a registry: dev shares a champion, prod adopts it as challenger and applies its own gates."""

from pathlib import Path
from typing import TYPE_CHECKING

from resources.ml.azureml import models
from resources.ml.azureml.faults import AzureMLError, faults_of, is_missing
from resources.ml.azureml.workspace import Workspace
from resources.ml.ml_platform import CHALLENGER, MODEL_NAME, ModelVersion, TrainedModel

if TYPE_CHECKING:
    from azure.ai.ml.entities import Registry

SHARED_NAME = models.REGISTERED_NAME


def definition(name: str, region: str) -> "Registry":
    """A registry of one region, which a person makes once."""
    from azure.ai.ml.constants._registry import StorageAccountType
    from azure.ai.ml.entities import (
        Registry,
        RegistryRegionDetails,
        SystemCreatedAcrAccount,
        SystemCreatedStorageAccount,
    )

    place = RegistryRegionDetails(
        location=region,
        storage_config=SystemCreatedStorageAccount(
            storage_account_hns=False, storage_account_type=StorageAccountType.STANDARD_LRS
        ),
        acr_config=[SystemCreatedAcrAccount(acr_account_sku="Premium")],
    )
    return Registry(name=name, location=region, replication_locations=[place])


def share(workspace: Workspace, version: ModelVersion) -> str:
    """Shares a version with the registry under its content's name; that name. One that is there is left as it is."""
    shared = version.content_hash[:12]
    registry = str(workspace.registry_name)
    with faults_of(f"model {SHARED_NAME}:{shared} of registry {registry}"):
        try:
            workspace.registry.models.get(SHARED_NAME, version=shared)
        except Exception as error:
            if not is_missing(error):
                raise
            workspace.client.models.share(
                name=models.REGISTERED_NAME,
                version=version.version,
                share_with_name=SHARED_NAME,
                share_with_version=shared,
                registry_name=registry,
            )
    return shared


def adopt(workspace: Workspace, shared: str, snapshot: str, copies: Path) -> ModelVersion:
    """Registers a shared model as this workspace's challenger, to be evaluated on a snapshot of this workspace.

    Raises `AzureMLError` if the registry has none of that name, or if it is no preference model.
    """
    from globolatte_ml.data.columns import InvalidDataError
    from globolatte_ml.model.model import PreferenceModel
    from globolatte_ml.scoring.scoring import resolve_model_folder

    resource = f"model {SHARED_NAME}:{shared} of registry {workspace.registry_name}"
    with faults_of(resource):
        workspace.registry.models.download(SHARED_NAME, version=shared, download_path=copies / shared)
    try:
        found = next((file.parent for file in (copies / shared).rglob("MLmodel")), copies / shared)
        content = PreferenceModel.load(resolve_model_folder(found)).content_hash()
    except (InvalidDataError, OSError) as error:
        raise AzureMLError(resource, f"cannot be read: {error}", "share it again from where it was trained") from error
    trained = TrainedModel(found, content, snapshot, f"registry-{shared}", {}, provenance={"shared_as": shared})
    model = models.same(workspace, trained) or models.create(workspace, trained, str(found))
    models.tag(workspace, model, {models.since(CHALLENGER): models.now()})
    return models.as_version(workspace, model, copies / MODEL_NAME)
