"""Models in the workspace's registry: versions, and which of them is challenger and champion.

Azure ML has no aliases. A tag of each version says since when it has been challenger or champion, and the version with the latest time
has the alias: so moving an alias is one write. Models get from one workspace to another through a registry: dev shares a champion, prod
adopts it as challenger and evaluates it by its own gates.
"""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from resources.atomic import filled_once
from resources.ml.azureml.faults import AzureMLError, faults_of, found_or_none
from resources.ml.azureml.files import fetch
from resources.ml.azureml.workspace import Workspace
from resources.ml.ml_platform import CHALLENGER, MODEL_NAME, NOT_TOLD, ModelVersion, TrainedModel

if TYPE_CHECKING:
    from azure.ai.ml.entities import Model, Registry


REGISTERED_NAME = "globolatte-preference-model"
CUSTOM_NAME = "globolatte-preference-model-custom"
REASON = "promotion_reason_"
LONGEST_TAG = 1000


def tags_of(model: "Model") -> dict[str, str]:
    """A version's tags."""
    return dict(model.tags or {})


def since(alias: str) -> str:
    """The tag that says since when a version has an alias."""
    return f"{alias}_since"


def now() -> str:
    """A time that sorts as text."""
    return dt.datetime.now(dt.UTC).isoformat(timespec="microseconds")


def versions(workspace: Workspace) -> list["Model"]:
    """All versions of the model; none if it was never registered."""
    listed = found_or_none(f"model {REGISTERED_NAME}", lambda: list(workspace.client.models.list(name=REGISTERED_NAME)))
    return listed or []


def bearer(workspace: Workspace, alias: str) -> "Model | None":
    """The version that has an alias, or none."""
    tag = since(alias)
    bearing = [version for version in versions(workspace) if tag in tags_of(version)]
    return max(bearing, key=lambda version: tags_of(version)[tag], default=None)


def same(workspace: Workspace, trained: TrainedModel) -> "Model | None":
    """The version of this content and snapshot, the earliest if there are several."""
    wanted = {"content_hash": trained.content_hash, "snapshot": trained.snapshot}.items()
    found = [version for version in versions(workspace) if wanted <= tags_of(version).items()]
    return min(found, key=lambda version: int(str(version.version)), default=None)


def create(workspace: Workspace, trained: TrainedModel, address: str) -> "Model":
    """Registers a model twice: in MLflow's format, and as a custom model for our own `score.py`."""
    tags = {
        "content_hash": trained.content_hash,
        "snapshot": trained.snapshot,
        "job_id": trained.job_id,
        "method": trained.method.value,
        "model": MODEL_NAME,
        **trained.provenance,
        **{f"metric.{name}": f"{value:.6g}" for name, value in trained.metrics.items()},
    }
    tags = {name: value for name, value in tags.items() if value}  # Azure refuses empty ones
    custom = trained.content_hash[:12]
    what, page = f"model {CUSTOM_NAME}", workspace.studio(f"model/{CUSTOM_NAME}")
    if found_or_none(what, lambda: workspace.client.models.get(CUSTOM_NAME, version=custom), page) is None:
        _create(workspace, CUSTOM_NAME, "custom_model", custom, address, tags)
    return _create(workspace, REGISTERED_NAME, "mlflow_model", None, address, tags)


def _create(
    workspace: Workspace, name: str, kind: str, version: str | None, address: str, tags: Mapping[str, str]
) -> "Model":
    from azure.ai.ml.entities import Model

    model = Model(
        name=name,
        version=version,
        path=address,
        type=kind,
        tags=dict(tags),
        description="P(next main product | customer, place, time, weather)",
    )
    with faults_of(f"model {name}", workspace.studio(f"model/{name}")):
        return workspace.client.models.create_or_update(model)


def tag(workspace: Workspace, model: "Model", tags: Mapping[str, str]) -> None:
    """Adds tags to a version, in one write."""
    model.tags = {**tags_of(model), **tags}
    with faults_of(f"model {model.name}:{model.version}"):
        workspace.client.models.create_or_update(model)


def reasons_as_tags(reasons: Sequence[str]) -> dict[str, str]:
    """One tag per sentence, since Azure limits the length of a tag."""
    return {f"{REASON}{number:02d}": json.dumps(reason)[:LONGEST_TAG] for number, reason in enumerate(reasons)}


def reasons_of(model: "Model") -> tuple[str, ...]:
    """The inverse of `reasons_as_tags`."""
    return tuple(_sentence(text) for name, text in sorted(tags_of(model).items()) if name.startswith(REASON))


def _sentence(text: str) -> str:
    try:
        return str(json.loads(text))
    except ValueError:  # cut off
        return text.strip('"')


def folder_name(version: str, content_hash: str) -> str:
    """The name of a version's local folder."""
    return f"{version}-{content_hash[:12]}"


def as_version(workspace: Workspace, model: "Model", models_folder: Path) -> ModelVersion:
    """A version as the rest of the project knows it, with its files here."""
    tags = tags_of(model)
    content = tags.get("content_hash", NOT_TOLD)
    folder = filled_once(
        models_folder / folder_name(str(model.version), content), lambda new: fetch(workspace, str(model.path), new)
    )
    return ModelVersion(
        version=str(model.version),
        content_hash=content,
        snapshot=tags.get("snapshot", NOT_TOLD),
        job_id=tags.get("job_id", NOT_TOLD),
        folder=folder,
        reasons=reasons_of(model),
    )


SHARED_NAME = REGISTERED_NAME


def registry_definition(name: str, region: str) -> "Registry":
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
    """Shares a version with the registry under its content's name, and returns that name. An existing one is left as it is."""
    shared = version.content_hash[:12]
    what = f"model {SHARED_NAME}:{shared} of registry {workspace.registry_name}"
    if found_or_none(what, lambda: workspace.registry.models.get(SHARED_NAME, version=shared)) is None:
        with faults_of(what):
            workspace.client.models.share(
                name=REGISTERED_NAME,
                version=version.version,
                share_with_name=SHARED_NAME,
                share_with_version=shared,
                registry_name=workspace.registry_name,
            )
    return shared


def adopt(workspace: Workspace, shared: str, snapshot: str, copies: Path) -> ModelVersion:
    """Registers a shared model as this workspace's challenger, to be evaluated on a snapshot of this workspace.

    Raises `AzureMLError` if the registry has none of that name, or if it is no preference model.
    """
    from globolatte_ml.data.columns import InvalidDataError
    from globolatte_ml.model.model import PreferenceModel
    from globolatte_ml.scoring.scorer import resolve_model_folder

    resource = f"model {SHARED_NAME}:{shared} of registry {workspace.registry_name}"
    with faults_of(resource):
        workspace.registry.models.download(SHARED_NAME, version=shared, download_path=copies / shared)
    try:
        found = next((file.parent for file in (copies / shared).rglob("MLmodel")), copies / shared)
        content = PreferenceModel.load(resolve_model_folder(found)).content_hash()
    except (InvalidDataError, OSError) as error:
        raise AzureMLError(resource, f"cannot be read: {error}", "share it again from where it was trained") from error
    trained = TrainedModel(found, content, snapshot, f"registry-{shared}", {}, provenance={"shared_as": shared})
    model = same(workspace, trained) or create(workspace, trained, str(found))
    tag(workspace, model, {since(CHALLENGER): now()})
    return as_version(workspace, model, copies / MODEL_NAME)
