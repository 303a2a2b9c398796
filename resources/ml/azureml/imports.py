"""Data from Snowflake by a connection of the workspace, beside our own unload: for teams whose Dagster may not read the warehouse."""

from typing import TYPE_CHECKING

from resources.ml.azureml.faults import faults_of
from resources.ml.azureml.workspace import Workspace, datastore_uri

if TYPE_CHECKING:
    from azure.ai.ml.entities import DataImport, WorkspaceConnection

TARGET = "jdbc:snowflake://ACCOUNT.snowflakecomputing.com/?db=GLOBO_LATTE_DB&warehouse=GLOBO_LATTE_WH"
EXAMPLES = "globolatte-training-examples"
QUERY = "select * from features.feat_training_examples"


def snowflake_connection(name: str) -> "WorkspaceConnection":
    """The connection as a definition; who makes it fills in account, user and password, which stand in no file."""
    from azure.ai.ml.entities import UsernamePasswordConfiguration, WorkspaceConnection

    return WorkspaceConnection(
        name=name,
        type="snowflake",
        target=TARGET,
        credentials=UsernamePasswordConfiguration(username="", password=""),
    )


def examples_import(connection: str, query: str = QUERY) -> "DataImport":
    """The training examples as an MLTable, imported on every request; each import is a version."""
    from azure.ai.ml.data_transfer import Database
    from azure.ai.ml.entities import DataImport

    return DataImport(
        name=EXAMPLES,
        type="mltable",
        source=Database(connection=f"azureml:{connection}", query=query),
        path=datastore_uri("globolatte/imports/${{name}}"),
    )


def import_examples(workspace: Workspace, connection: str) -> str:
    """Begins an import; the name of its job."""
    with faults_of(f"connection {connection}", workspace.studio("data/import")):
        return str(workspace.client.data.import_data(data_import=examples_import(connection)).name)
