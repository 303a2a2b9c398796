"""The meaning of a dbt test in one sentence, shown as the description of its asset check. Pure."""

import re
from collections.abc import Callable, Mapping
from typing import Any

Node = Mapping[str, Any]
Arguments = Mapping[str, Any]


def _values(arguments: Arguments) -> str:
    values = arguments["values"]
    if isinstance(values, list):
        return ", ".join(map(str, values))
    variable = re.search(r"var\('(\w+)'\)", values)
    return f"the {variable.group(1)} of dbt_project.yml" if variable else str(values)


def _other_model(arguments: Arguments) -> str:
    return re.sub(r"ref\('(\w+)'\)", r"\1", arguments["to"])


GENERIC: Mapping[str, Callable[[Arguments], str]] = {
    "unique": lambda its: f"No value of {its['column_name']} stands twice.",
    "not_null": lambda its: f"No row is without {its['column_name']}.",
    "accepted_values": lambda its: f"Every {its['column_name']} is one of: {_values(its)}.",
    "relationships": lambda its: f"Every {its['column_name']} stands in {_other_model(its)} as {its['field']}.",
    "well_formed": lambda its: (
        f"No two rows share the values of {', '.join(its['key'])}. "
        f"No row is without {', '.join([*its['key'], *its.get('complete', [])])}."
    ),
}
"""dbt's generic tests and ours, by name."""


def meaning_of_test(test: Node) -> str:
    """The sentence of a test. `test`: its entry in dbt's manifest.

    It is the description in YAML if there is one; for a generic test it is made from the arguments; for a test that is a query of its
    own it is the comment above the query. Raises `ValueError` if there is none of them.
    """
    if described := test.get("description"):
        return str(described)
    generic = test.get("test_metadata") or {}
    if generic.get("name") in GENERIC:
        return GENERIC[generic["name"]](generic["kwargs"])
    comment = re.match(r"\s*((?:--[^\n]*\n)+)", test["raw_code"])
    if comment is None:
        raise ValueError(f"{test['original_file_path']} does not say what it holds; begin it with a comment that does")
    return " ".join(line.removeprefix("--").strip() for line in comment.group(1).splitlines())
