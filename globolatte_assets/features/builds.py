"""Which version of the dbt project the warehouse was built by: tables that are built day by day are built anew by another one."""

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
    """A hash of all that decides what dbt's models contain: their SQL, columns, settings, and the project's macros (dbt's manifest)."""
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
    """By node of that type (`model`, `test`), the models that it reads, all by name (dbt's manifest)."""
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
    """What dbt is to do for the selected models, of which those in `built` are built by this version, after all that they read.

    If these are some of all models, the others are built anew, and the tests that look at them follow: they come last, since none of
    the first reads one of them. A choice of models is built anew as a whole: which tests belong to a part of it, only dbt knows.
    """
    anew, by_day = selected - built, selected & built
    if not anew:
        return [list(build)]
    refreshed = [*build, "--full-refresh"]
    if not by_day or selected != parents.keys():
        return [refreshed]
    last = {test for test, models in tests.items() if not anew.isdisjoint(models)}
    by_name = "--indirect-selection=empty"  # else what is left out takes each test with it that looks at more than that
    return [
        [*build, by_name, "--exclude", " ".join(sorted(anew | last))],
        [*refreshed, by_name, "--exclude", " ".join(sorted(by_day | (tests.keys() - last)))],
    ]


def well_built(models: AbstractSet[str], parents: Mapping[str, AbstractSet[str]]) -> set[str]:
    """Those of `models` that read, directly or not, only from each other: nothing in them can be of another version."""
    chosen = set(models)
    while wrong := {model for model in chosen if not parents[model] <= chosen}:
        chosen -= wrong
    return chosen


def built_by(warehouse: Warehouse, version: str) -> set[str]:
    """The models that are built by this version of the project."""
    return set(warehouse.read(BUILDS, ["model"], {"fingerprint": version}).column("model").to_pylist())


def remember_build(warehouse: Warehouse, models: AbstractSet[str], version: str, now: dt.datetime) -> None:
    """Puts on record that these models, and no others, are built by this version; `now` in UTC without offset."""
    built = [{"model": model, "fingerprint": version, "built_at": now} for model in sorted(models)]
    warehouse.replace(BUILDS, pa.Table.from_pylist(built, arrow_schema(BUILDS)))
