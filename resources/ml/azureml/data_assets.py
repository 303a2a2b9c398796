"""Data assets: files, folders and tables in the workspace, versioned by their content; and imports from Snowflake by a
connection of the workspace, for teams whose Dagster may not read the warehouse."""

import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from resources.ml.azureml.faults import faults_of, found_or_none
from resources.ml.azureml.provenance import hash_of_files
from resources.ml.azureml.workspace import Workspace, datastore_uri

if TYPE_CHECKING:
    from azure.ai.ml.entities import Data, DataImport, WorkspaceConnection


SNAPSHOTS = "globolatte-training-snapshot"
STORED_AT = "kept_at"
URI_FILE, URI_FOLDER, MLTABLE = "uri_file", "uri_folder", "mltable"


def find_data(workspace: Workspace, name: str, version: str) -> "Data | None":
    """One version, or none."""
    return found_or_none(f"data asset {name}:{version}", lambda: workspace.client.data.get(name, version=version))


def ensure_data(
    workspace: Workspace, name: str, version: str, path: Path | str, kind: str, tags: Mapping[str, str]
) -> "Data":
    """The version, uploaded if it is not there; a `str` is an address in the workspace's storage, where its files already are.

    An existing version is left as it is: its name is the hash of its content.
    """
    from azure.ai.ml.entities import Data

    found = find_data(workspace, name, version)
    if found is not None:
        return found
    asset = Data(name=name, version=version, path=str(path), type=kind, tags=dict(tags), skip_validation=True)
    with faults_of(f"data asset {name}:{version}"):
        return workspace.client.data.create_or_update(asset)


def ensure_by_content(workspace: Workspace, name: str, path: Path, kind: str, tags: Mapping[str, str]) -> str:
    """A folder, or a file that is alone in its folder, versioned by its content; its address."""
    version = hash_of_files(path if path.is_dir() else path.parent)
    ensure_data(workspace, name, version, path, kind, tags)
    return f"azureml:{name}:{version}"


def mark_latest(workspace: Workspace, asset: "Data") -> None:
    """Marks a version as the latest, by one write of one tag."""
    asset.tags = {**(asset.tags or {}), STORED_AT: dt.datetime.now(dt.UTC).isoformat(timespec="microseconds")}
    with faults_of(f"data asset {asset.name}:{asset.version}"):
        workspace.client.data.create_or_update(asset)


def latest_data(workspace: Workspace, name: str) -> "Data | None":
    """The latest version, or none."""
    versions = found_or_none(f"data asset {name}", lambda: list(workspace.client.data.list(name=name)))
    stored = [version for version in versions or [] if STORED_AT in (version.tags or {})]
    return max(stored, key=lambda version: version.tags[STORED_AT], default=None)


TARGET = "jdbc:snowflake://ACCOUNT.snowflakecomputing.com/?db=GLOBO_LATTE_DB&warehouse=GLOBO_LATTE_WH"
EXAMPLES = "globolatte-training-examples"
QUERY = "select * from features.feat_training_examples"


def snowflake_connection(name: str) -> "WorkspaceConnection":
    """The connection as a definition. The person who creates it fills in account, user and password, which are in no file."""
    from azure.ai.ml.entities import UsernamePasswordConfiguration, WorkspaceConnection

    return WorkspaceConnection(
        name=name,
        type="snowflake",
        target=TARGET,
        credentials=UsernamePasswordConfiguration(username="", password=""),
    )


def examples_import(connection: str) -> "DataImport":
    """The training examples as an MLTable, imported on every request; each import is a version."""
    from azure.ai.ml.data_transfer import Database
    from azure.ai.ml.entities import DataImport

    return DataImport(
        name=EXAMPLES,
        type="mltable",
        source=Database(connection=f"azureml:{connection}", query=QUERY),
        path=datastore_uri("globolatte/imports/${{name}}"),
    )
