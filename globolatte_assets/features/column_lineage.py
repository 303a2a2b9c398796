"""Which columns each column of a dbt model is made from, read from the compiled SQL. Pure: runs nothing and queries no warehouse."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import dagster as dg

Node = Mapping[str, Any]
Lineage = dict[str, dict[str, list[tuple[str, str]]]]
"""By unique id of a model and column: the (unique id, column) pairs that it is made from."""

DIALECT = "duckdb"


def lineage_of(manifest: Node) -> Lineage:
    """The lineage of every model. `manifest`: dbt's, with compiled SQL, of a target whose dialect is DuckDB."""
    nodes = {**manifest["sources"], **manifest["nodes"]}
    tables = {
        _address(node): unique_id for unique_id, node in nodes.items() if node["resource_type"] in ("model", "source")
    }
    schema: dict[str, Any] = {}
    for (database, folder, table), unique_id in tables.items():
        columns = {name: node.get("data_type") or "varchar" for name, node in nodes[unique_id]["columns"].items()}
        schema.setdefault(database, {}).setdefault(folder, {})[table] = columns
    models = [node for node in manifest["nodes"].values() if node["resource_type"] == "model"]
    return {node["unique_id"]: _of_model(node, schema, tables) for node in models}


def _address(node: Node) -> tuple[str, str, str]:
    name = node.get("identifier") or node.get("alias") or node["name"]
    return str(node["database"]), str(node["schema"]), str(name)


def _of_model(
    node: Node, schema: dict[str, Any], tables: Mapping[tuple[str, str, str], str]
) -> dict[str, list[tuple[str, str]]]:
    from sqlglot import exp, parse_one
    from sqlglot.lineage import lineage
    from sqlglot.optimizer.qualify import qualify
    from sqlglot.optimizer.scope import build_scope

    query: exp.Query = qualify(  # type: ignore[assignment] # a model is one query
        parse_one(node["compiled_code"], dialect=DIALECT),
        schema=schema,
        dialect=DIALECT,
        validate_qualify_columns=False,
    )
    scope = build_scope(query)
    names = [name for name in node["columns"] if name in query.named_selects]
    found = {name: lineage(name, query, schema=schema, dialect=DIALECT, scope=scope) for name in names}
    return {name: sorted(set(_leaves(leaf, tables))) for name, leaf in found.items()}


def _leaves(root: Any, tables: Mapping[tuple[str, str, str], str]) -> Iterator[tuple[str, str]]:
    """The columns of tables at the ends of a tree of sqlglot's."""
    from sqlglot import exp

    for leaf in root.walk():
        table = leaf.expression
        if not leaf.downstream and isinstance(table, exp.Table):
            unique_id = tables.get((table.catalog, table.db, table.name))
            if unique_id is not None:
                yield unique_id, leaf.name.split(".")[-1].strip('"')


def as_dagster(lineage: Lineage, key_of: Mapping[str, dg.AssetKey]) -> dict[str, dg.TableColumnLineage]:
    """The lineage of every model, by its unique id, as Dagster shows it. `key_of`: the asset that each unique id is."""

    def origins(pairs: Sequence[Sequence[str]]) -> list[dg.TableColumnDep]:
        # one asset can stand for several tables, which share columns
        return list(
            dict.fromkeys(dg.TableColumnDep(asset_key=key_of[unique_id], column_name=name) for unique_id, name in pairs)
        )

    return {
        unique_id: dg.TableColumnLineage({column: origins(pairs) for column, pairs in columns.items()})
        for unique_id, columns in lineage.items()
    }
