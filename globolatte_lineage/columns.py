"""The lineage of columns: what a column of the warehouse is made from, from raw to feature to model input, and what is made from it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from globolatte_lineage.graph import Edge, Kind, Node, Trace
from globolatte_ml.data.states import CUSTOMER_LEVEL_COLUMNS, PRODUCT_LEVEL_COLUMNS

LINEAGE_FILE = "column_lineage.json"
"""A file beside dbt's manifest, prepared with it."""
MODEL = "model:preference model"
MODEL_INPUTS = {
    f"{table}.{column}"
    for tables, columns in (
        (("features.feat_customer_state", "features.feat_training_examples"), CUSTOMER_LEVEL_COLUMNS),
        (("features.feat_customer_product_state", "features.feat_training_example_products"), PRODUCT_LEVEL_COLUMNS),
    )
    for table in tables
    for column in columns
}
"""The columns out of which `globolatte_ml.model.features` makes the inputs of the preference model, beside those of the request."""


class UnknownColumnError(LookupError):
    """No table has a column of this name; the message names those that are like it."""


@dataclass(frozen=True)
class ColumnLineage:
    """`made_from`: by column, as `schema.table.column`, the columns that it is made from; every column that is known is a key."""

    made_from: Mapping[str, tuple[str, ...]]

    @classmethod
    def of_project(cls, target: Path) -> "ColumnLineage":
        """What `globolatte prepare` left in dbt's target folder. Raises `FileNotFoundError` with the remedy if it is not there."""
        try:
            lineage = json.loads((target / LINEAGE_FILE).read_bytes())
            manifest = json.loads((target / "manifest.json").read_bytes())
        except FileNotFoundError as missing:
            raise FileNotFoundError(f"{missing.filename} is not there; run `globolatte prepare`") from missing
        tables = {name: _table(node) for name, node in {**manifest["sources"], **manifest["nodes"]}.items()}
        made_from: dict[str, tuple[str, ...]] = {}
        for model, columns in lineage.items():
            for column, origins in columns.items():
                names = tuple(f"{tables[origin]}.{name}" for origin, name in origins)
                made_from[f"{tables[model]}.{column}"] = names
                for name in names:
                    made_from.setdefault(name, ())
        return cls(made_from)

    def upstream(self, column: str) -> Trace:
        """What a column is made from, down to the raw tables. Raises `UnknownColumnError`."""
        return self._trace(column, self.made_from, is_made_from=True)

    def downstream(self, column: str) -> Trace:
        """What is made from a column, up to the model's inputs. Raises `UnknownColumnError`."""
        used_by: dict[str, list[str]] = {}
        for name, origins in self.made_from.items():
            for origin in origins:
                used_by.setdefault(origin, []).append(name)
        return self._trace(column, used_by, is_made_from=False)

    def _trace(self, column: str, following: Mapping[str, Iterable[str]], *, is_made_from: bool) -> Trace:
        if column not in self.made_from:
            like = get_close_matches(column, self.made_from, 3, 0.5)
            raise UnknownColumnError(
                f"{column!r} is no column of the dbt project; write schema.table.column"
                + (f", such as {', '.join(like)}" if like else "")
            )
        nodes, edges, waiting = {column: _node(column)}, list[Edge](), [column]
        while waiting:
            name = waiting.pop(0)
            for other in following.get(name, ()):
                if other not in nodes:
                    nodes[other] = _node(other)
                    waiting.append(other)
                made, origin = (name, other) if is_made_from else (other, name)
                edges.append(Edge(f"column:{made}", "is made from", f"column:{origin}"))
        found = list(nodes.values())
        if inputs := [name for name in nodes if name in MODEL_INPUTS and (name == column or not is_made_from)]:
            found.append(Node(MODEL, Kind.MODEL, "inputs of the preference model"))
            edges += [Edge(MODEL, "are made from", f"column:{name}") for name in inputs]
        return Trace(f"column:{column}", found, edges)


def _table(node: Mapping[str, Any]) -> str:
    return f"{node['schema']}.{node.get('identifier') or node.get('alias') or node['name']}"


def _node(column: str) -> Node:
    return Node(f"column:{column}", Kind.COLUMN, column)
