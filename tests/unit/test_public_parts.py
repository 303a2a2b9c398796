"""Production code uses public parts of its frameworks, and plays no tricks with the interpreter."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "globolatte_assets",
    "globolatte_cli",
    "globolatte_ingest",
    "globolatte_lineage",
    "globolatte_ml",
    "resources",
    "sensors",
    "simulator",
)
SOURCES = [ROOT / "definitions.py", *sorted(file for package in PACKAGES for file in (ROOT / package).rglob("*.py"))]

PRIVATE = re.compile(r"\bdagster(?:_\w+)?\.(?:\w+\.)*_\w+")
"""A module of Dagster or of an integration that has a private part in its name, wherever it is written."""
TRICKS = {("os", "_exit"), ("gc", None), ("sys", "modules"), ("sys", "setswitchinterval")}


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def faults_of(source: str) -> list[str]:
    """What of this source is private to Dagster, or a trick; in words."""
    tree = ast.parse(source)
    names = set(imported(tree))
    found = [name for name in names if PRIVATE.search(name)]
    found += [name for name in names if name.partition(".")[0] == "gc"]
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            found += PRIVATE.findall(node.value)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            place = (node.value.id, node.attr)
            if place in TRICKS or (node.value.id, None) in TRICKS:
                found.append(".".join(place))
    return found


@pytest.mark.parametrize("file", SOURCES, ids=lambda file: str(file.relative_to(ROOT)))
def test_no_private_part_of_dagster_and_no_trick(file: Path) -> None:
    assert faults_of(file.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "from dagster._core.storage.runs import SqliteRunStorage",
        "import dagster_dbt._internal",
        "from dagster import _check",
        "def made():\n    from dagster_shared._serdes import x",
        'YAML = """\ncompute_logs:\n  module: dagster._core.storage.noop\n"""',
        "import gc\ngc.freeze()",
        "import os\nos._exit(1)",
        "import sys\nsys.modules['dbt'] = None",
    ],
)
def test_what_is_looked_for_is_found(source: str) -> None:
    assert faults_of(source)
