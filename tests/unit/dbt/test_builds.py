"""A warehouse knows by which version of the dbt project each model was built."""

import copy
import json
from typing import Any

import pytest

from globolatte_assets.features.builds import are_built_by, fingerprint, remember_build
from resources.clock import Clock
from resources.environment import DBT_PROJECT_FOLDER
from resources.warehouse import Warehouse

NOW = Clock().timestamp()
MODEL = "model.globolatte.fct_orders"


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    prepared: dict[str, Any] = json.loads((DBT_PROJECT_FOLDER / "target" / "manifest.json").read_bytes())
    return prepared


def test_a_model_is_built_by_the_version_that_built_it_last(warehouse: Warehouse) -> None:
    assert not are_built_by(warehouse, {"orders"}, "1")
    remember_build(warehouse, {"orders"}, "1", NOW)
    remember_build(warehouse, {"lines"}, "1", NOW)
    assert are_built_by(warehouse, {"orders", "lines"}, "1")
    assert not are_built_by(warehouse, {"orders", "customers"}, "1")
    assert not are_built_by(warehouse, {"orders"}, "2")
    remember_build(warehouse, {"orders"}, "2", NOW)
    assert are_built_by(warehouse, {"orders"}, "2")
    assert not are_built_by(warehouse, {"lines"}, "2")


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
