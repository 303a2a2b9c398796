"""A warehouse knows by which version of the dbt project each model was built."""

import copy
import json
from typing import Any

import pytest

from globolatte_assets.features.builds import (
    built_by,
    commands,
    fingerprint,
    models_read_by,
    remember_build,
    well_built,
)
from resources.clock import Clock
from resources.environment import DBT_PROJECT_FOLDER
from resources.warehouse.warehouse import Warehouse
from tests.unit.dbt.dbt_process import DbtProcess

NOW = Clock().timestamp()
MODEL = "model.globolatte.fct_orders"


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    prepared: dict[str, Any] = json.loads((DBT_PROJECT_FOLDER / "target" / "manifest.json").read_bytes())
    return prepared


def test_a_model_is_built_by_the_version_that_built_it_last(warehouse: Warehouse) -> None:
    assert built_by(warehouse, "1") == set()
    remember_build(warehouse, {"orders", "lines"}, "1", NOW)
    assert built_by(warehouse, "1") == {"orders", "lines"}
    assert built_by(warehouse, "2") == set()
    remember_build(warehouse, {"orders"}, "2", NOW)
    assert built_by(warehouse, "2") == {"orders"}
    assert built_by(warehouse, "1") == set()
    remember_build(warehouse, set(), "3", NOW)
    assert built_by(warehouse, "2") == set()


def test_what_is_not_built_by_this_version_is_built_anew_after_the_rest() -> None:
    parents = {"a": set[str](), "b": {"a"}, "c": {"b"}}
    tests = {"a_counts": {"a"}, "a_has_b": {"a", "b"}}
    assert commands(["build"], {"a", "b"}, {"a", "b", "c"}, parents, tests) == [["build"]]
    assert commands(["build"], {"a", "b"}, {"c"}, parents, tests) == [["build", "--full-refresh"]]
    assert commands(["build"], {"a", "b"}, {"a"}, parents, tests) == [["build", "--full-refresh"]], "a choice"
    first, second = commands(["build"], {"a", "b", "c"}, {"a", "z"}, parents, tests)
    assert first == ["build", "--indirect-selection=empty", "--exclude", "a_has_b b c"]
    assert second == ["build", "--full-refresh", "--indirect-selection=empty", "--exclude", "a a_counts"]


def test_two_commands_do_together_what_one_does(manifest: dict[str, Any], dbt: DbtProcess) -> None:
    parents, tests = models_read_by(manifest, "model"), models_read_by(manifest, "test")
    by_day = well_built(parents.keys() - {"dim_customer", "mart_customer_rfm"}, parents)
    assert 0 < len(by_day) < len(parents)
    build = ["--exclude-resource-type", "unit_test"]
    listings = [build, *commands(build, parents.keys(), by_day, parents, tests)]
    listing = ["--quiet", "--output", "name", "--select", "fqn:*"]
    listed = [
        dbt.listed(*listing, *(part for part in command if part not in ("build", "--full-refresh")))
        for command in listings
    ]
    known = parents.keys() | tests.keys()
    whole, first, second = ([name for name in names if name in known] for names in listed)
    assert set(whole) == known
    assert sorted(first + second) == sorted(whole), "nothing is left out, and nothing is done twice"
    assert set(first) & parents.keys() == by_day


def test_what_reads_from_a_model_of_another_version_is_not_well_built(manifest: dict[str, Any]) -> None:
    parents = {"a": set[str](), "b": {"a"}, "c": {"b"}, "d": {"a"}}
    assert well_built({"b", "c"}, parents) == set()
    assert well_built({"a", "c", "d"}, parents) == {"a", "d"}
    of_project = models_read_by(manifest, "model")
    assert well_built(set(of_project), of_project) == set(of_project)
    assert "stg_business_units" not in well_built(set(of_project) - {"stg_business_units"}, of_project)


def test_sql_columns_settings_and_macros_make_the_version_and_words_do_not(manifest: dict[str, Any]) -> None:
    def changed(*path: str, to: object) -> str:
        other = copy.deepcopy(manifest)
        place: dict[str, Any] = other
        for step in path[:-1]:
            place = place[step]
        assert path[-1] in place
        place[path[-1]] = to
        return fingerprint(other)

    assert fingerprint(copy.deepcopy(manifest)) == fingerprint(manifest)
    assert changed("nodes", MODEL, "description", to="Other words.") == fingerprint(manifest)
    assert changed("nodes", MODEL, "created_at", to=0) == fingerprint(manifest)
    others = {
        changed("nodes", MODEL, "raw_code", to="select 1"),
        changed("nodes", MODEL, "columns", "order_id", "data_type", to="bigint"),
        changed("nodes", MODEL, "unrendered_config", "materialized", to="view"),
        changed("macros", "macro.globolatte.season", "macro_sql", to="{% macro season() %}{% endmacro %}"),
    }
    assert len(others | {fingerprint(manifest)}) == 5
