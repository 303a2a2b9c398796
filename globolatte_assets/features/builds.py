"""Which version of the dbt project the warehouse was built by: tables that are built day by day are built anew by another one."""

import hashlib
import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import TYPE_CHECKING, Any

from resources.warehouse import Warehouse

if TYPE_CHECKING:
    import datetime as dt

BUILDS = "sales_data.dbt_builds"


def fingerprint(manifest: Mapping[str, Any]) -> str:
    """A hash of all that decides what dbt's models contain: their SQL, columns, settings, and the project's macros (dbt's manifest)."""
    project = manifest["metadata"]["project_name"]
    models = {
        name: [
            node["raw_code"],
            node["unrendered_config"],
            {column: kept["data_type"] for column, kept in node["columns"].items()},
        ]
        for name, node in manifest["nodes"].items()
        if node["resource_type"] == "model"
    }
    macros = {
        name: macro["macro_sql"] for name, macro in manifest["macros"].items() if macro["package_name"] == project
    }
    return hashlib.sha256(json.dumps([models, macros], sort_keys=True).encode()).hexdigest()


def are_built_by(warehouse: Warehouse, models: AbstractSet[str], version: str) -> bool:
    """Whether all these models, by name, were last built by this version of the project."""
    return models <= _built_by(warehouse, version)


def remember_build(warehouse: Warehouse, models: AbstractSet[str], version: str, now: "dt.datetime") -> None:
    """Puts on record that these models are built by this version; `now` in UTC without offset. Records of other versions go."""
    import pyarrow as pa

    built = sorted(_built_by(warehouse, version).union(models))
    record = {
        "model": built,
        "fingerprint": [version] * len(built),
        "built_at": pa.array([now] * len(built), pa.timestamp("us")),
    }
    warehouse.replace(BUILDS, pa.table(record))


def _built_by(warehouse: Warehouse, version: str) -> set[str]:
    return set(warehouse.read(BUILDS, ["model"], {"fingerprint": version}).column("model").to_pylist())
