"""An asset's code version changes with the code that it runs, and with nothing else; its code references lead to that code."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from globolatte_assets.code_versions import CODE_REFERENCES, PACKAGES, STARTED_BY_NAME, SourceTree, sql_version
from globolatte_assets.keys import DBT_GROUPS
from tests.builders import Deployment

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("copied")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def first_file(spec: Any) -> Path:
    return Path(spec.metadata[CODE_REFERENCES].code_references[0].file_path)


def python_versions(deployed: Deployment, root: Path) -> dict[str, str]:
    """The versions of what is no dbt model, by the sources under `root`."""
    tree = SourceTree(root)
    return {
        spec.key.to_user_string(): tree.version(
            root / first_file(spec).relative_to(ROOT), STARTED_BY_NAME.get(spec.key, ())
        )
        for spec in deployed.definitions.resolve_all_asset_specs()
        if spec.group_name not in DBT_GROUPS
    }


def test_every_asset_says_by_which_file_and_line_it_is_made(deployed: Deployment) -> None:
    for spec in deployed.definitions.resolve_all_asset_specs():
        references = spec.metadata[CODE_REFERENCES].code_references
        assert all(Path(one.file_path).is_file() for one in references), spec.key
        if spec.group_name in DBT_GROUPS:
            assert first_file(spec) == next((ROOT / "dbt_project/models").rglob(f"{spec.key.path[-1]}.sql"))
        line = Path(references[-1].file_path).read_text().splitlines()[references[-1].line_number - 1]
        assert line.strip().startswith(("@dg.", "@dbt_assets", "def ")), (spec.key, line)


def test_every_asset_has_a_code_version_that_does_not_depend_on_where_the_code_lies(
    deployed: Deployment, copied: Path
) -> None:
    found = {spec.key.to_user_string(): spec.code_version for spec in deployed.definitions.resolve_all_asset_specs()}
    assert [name for name, version in found.items() if not version] == []
    elsewhere = python_versions(deployed, copied)
    assert {name: found[name] for name in elsewhere} == elsewhere


@pytest.mark.parametrize(
    ("module", "runs_it"),
    [
        ("globolatte_ml/affinity/plots.py", {"models/product_affinity"}),
        ("globolatte_ml/automl_search.py", {"models/preference_model"}),
        ("globolatte_assets/endpoints/recommender.py", {"endpoints/recommender"}),
        (
            "globolatte_assets/raw/reference_data.py",
            {
                "raw/business_units",
                "raw/products",
                "raw/customers",
                "raw/unit_declarations",
                "raw/exchange_rates",
                "raw/holidays",
            },
        ),
        ("globolatte_assets/raw/definitions.py", set()),
        ("globolatte_assets/keys.py", set()),
        ("resources/environment.py", set()),
        ("resources/endpoint/local/gateway.py", set()),
    ],
)
def test_editing_a_module_changes_exactly_the_assets_that_run_it(
    deployed: Deployment, copied: Path, module: str, runs_it: set[str]
) -> None:
    before, file = python_versions(deployed, copied), copied / module
    source = file.read_text()
    try:
        file.write_text(f"{source}\nEDITED = True\n")
        after = python_versions(deployed, copied)
    finally:
        file.write_text(source)
    assert {name for name in before if before[name] != after[name]} == runs_it


def written(folder: Path, **sources: str) -> SourceTree:
    (folder / "resources").mkdir(parents=True)
    for name, source in sources.items():
        (folder / "resources" / f"{name}.py").write_text(source)
    return SourceTree(folder)


@pytest.mark.parametrize(
    "statement",
    [
        "import resources.b",
        "import json, resources.b as b",
        "from resources import b",
        "from resources import (  # why\n    a,\n    b as it,  # and why\n)",
        "from resources.b import anything",
        "from resources.b import (\n    one,\n    another,\n)",
        "def run():\n    from resources.b import late",
    ],
)
def test_every_way_to_import_is_followed(tmp_path: Path, statement: str) -> None:
    tree = written(tmp_path, a=statement, b="import resources.c", c="", d="")
    assert tree.modules_run_by(["resources.a"]) == {"resources.a", "resources.b", "resources.c"}


def test_modules_that_import_each_other_are_read_once(tmp_path: Path) -> None:
    tree = written(tmp_path, a="import resources.b", b="import resources.a")
    assert tree.modules_run_by(["resources.a"]) == {"resources.a", "resources.b"}


# dbt models ------------------------------------------------------------------------------------------------------------


def macro(sql: str, *calls: str, package: str = "ours") -> dict[str, Any]:
    return {"package_name": package, "macro_sql": sql, "depends_on": {"macros": list(calls)}}


def model(sql: str, *calls: str) -> dict[str, Any]:
    return {"package_name": "ours", "raw_code": sql, "depends_on": {"macros": list(calls)}}


MACROS = {"a": macro("1", "b"), "b": macro("2", "a"), "c": macro("3"), "dbt.x": macro("4", package="dbt")}


def test_a_model_s_version_changes_with_its_sql_and_the_macros_that_it_calls() -> None:
    version = sql_version(model("select 1", "a", "dbt.x"), MACROS)
    assert version == sql_version(model("select 1", "a"), {**MACROS, "c": macro("changed")})
    assert version != sql_version(model("select 2", "a"), MACROS)
    assert version != sql_version(model("select 1", "a"), {**MACROS, "b": macro("changed", "a")})
    assert version != sql_version(model("select 1", "a", "c"), MACROS)
