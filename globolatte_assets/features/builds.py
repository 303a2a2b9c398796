"""Which version of the dbt project built the warehouse. Another version rebuilds the incremental tables from all data."""

import datetime as dt
import hashlib
import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import pyarrow as pa

from resources.warehouse.tables import arrow_schema
from resources.warehouse.warehouse import Warehouse

BUILDS = "sales_data.dbt_builds"


def fingerprint(manifest: Mapping[str, Any]) -> str:
    """A hash of everything that determines the content of dbt's models: SQL, columns, settings and the project's macros."""
    project = manifest["metadata"]["project_name"]
    models = {
        name: [
            node["raw_code"],
            node["unrendered_config"],
            {column: declared["data_type"] for column, declared in node["columns"].items()},
        ]
        for name, node in manifest["nodes"].items()
        if node["resource_type"] == "model"
    }
    macros = {
        name: macro["macro_sql"] for name, macro in manifest["macros"].items() if macro["package_name"] == project
    }
    return hashlib.sha256(json.dumps([models, macros], sort_keys=True).encode()).hexdigest()


def models_read_by(manifest: Mapping[str, Any], resource_type: str) -> dict[str, frozenset[str]]:
    """For each node of this type (`model`, `test`) the models that it reads, all by name (from dbt's manifest)."""
    nodes = manifest["nodes"]
    models = {name: node["name"] for name, node in nodes.items() if node["resource_type"] == "model"}
    return {
        node["name"]: frozenset(models[name] for name in node["depends_on"]["nodes"] if name in models)
        for node in nodes.values()
        if node["resource_type"] == resource_type
    }


def commands(
    build: Sequence[str],
    selected: AbstractSet[str],
    built: AbstractSet[str],
    parents: Mapping[str, AbstractSet[str]],
    tests: Mapping[str, AbstractSet[str]],
) -> list[list[str]]:
    """The dbt commands for the selected models. Those in `built` were built by this version, after everything that they read.

    If these are only some of all models, the others are rebuilt from all data after them, with the tests that read them: none of the
    first models reads one of the others. A selection of models is rebuilt as a whole: only dbt knows which tests belong to a part of it.
    """
    anew, by_day = selected - built, selected & built
    if not anew:
        return [list(build)]
    refreshed = [*build, "--full-refresh"]
    if not by_day or selected != parents.keys():
        return [refreshed]
    last = {test for test, models in tests.items() if not anew.isdisjoint(models)}
    # without this option dbt also excludes each test that reads an excluded model besides others
    by_name = "--indirect-selection=empty"
    return [
        [*build, by_name, "--exclude", " ".join(sorted(anew | last))],
        [*refreshed, by_name, "--exclude", " ".join(sorted(by_day | (tests.keys() - last)))],
    ]


def well_built(models: AbstractSet[str], parents: Mapping[str, AbstractSet[str]]) -> set[str]:
    """Those of `models` that read only from each other, directly or indirectly: they contain nothing of another version."""
    chosen = set(models)
    while wrong := {model for model in chosen if not parents[model] <= chosen}:
        chosen -= wrong
    return chosen


def built_by(warehouse: Warehouse, version: str) -> set[str]:
    """The models that are built by this version of the project."""
    return set(warehouse.read(BUILDS, ["model"], {"fingerprint": version}).column("model").to_pylist())


def remember_build(warehouse: Warehouse, models: AbstractSet[str], version: str, now: dt.datetime) -> None:
    """Records that these models, and no others, are built by this version; `now` in UTC without offset."""
    built = [{"model": model, "fingerprint": version, "built_at": now} for model in sorted(models)]
    warehouse.replace(BUILDS, pa.Table.from_pylist(built, arrow_schema(BUILDS)))
