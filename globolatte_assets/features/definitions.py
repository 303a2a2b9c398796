"""The definitions of the dbt project's stages: `staging`, `intermediate`, `marts` and `features`."""

import functools
from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DbtProject

from globolatte_assets.features.dbt_project import dbt_models, manifest_of
from resources.environment import DBT_PROJECT_FOLDER
from resources.settings.settings import Settings

PROJECT = DbtProject(project_dir=DBT_PROJECT_FOLDER)


@functools.cache
def dbt_manifest() -> Mapping[str, Any]:
    """The project's manifest, read once. Raises `FileNotFoundError` when it has not been prepared."""
    return manifest_of(PROJECT)


def features(_: Settings) -> dg.Definitions:
    """All dbt models, with their tests as checks."""
    return dg.Definitions(assets=[dbt_models(PROJECT, dbt_manifest())])
