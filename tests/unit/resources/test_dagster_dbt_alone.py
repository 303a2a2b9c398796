"""dagster-dbt without dbt: the same graph as with it."""

import json
import subprocess
import sys

from resources.dagster_dbt_alone import not_to_be_found
from resources.settings.settings import PROJECT_ROOT

GRAPH = """
import json, sys, definitions
from dagster_dbt.compat import DBT_PYTHON_VERSION
graph = definitions.defs.resolve_asset_graph()
keys = graph.get_all_asset_keys()
assets = {key.to_user_string(): sorted(up.to_user_string() for up in graph.get(key).parent_keys) for key in keys}
checks = sorted(str(check) for check in graph.asset_check_keys)
print(json.dumps([DBT_PYTHON_VERSION is not None, assets, checks]))
"""


def graph_after(preparation: str) -> list[object]:
    """Whether dagster-dbt uses dbt as a library; the assets with their parents; the checks."""
    done = subprocess.run(
        [sys.executable, "-c", preparation + GRAPH], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True
    )
    found: list[object] = json.loads(done.stdout)
    return found


def test_the_graph_is_the_same_as_where_dagster_dbt_uses_dbt_as_a_library() -> None:
    alone, as_library = graph_after(""), graph_after("import dagster_dbt")
    assert (alone[0], as_library[0]) == (False, True)
    assert alone[1:] == as_library[1:]


def test_a_package_can_be_found_again_afterwards() -> None:
    with not_to_be_found("dbt_common"):
        pass
    assert "dbt_common" not in sys.modules or sys.modules["dbt_common"] is not None
    import dbt_common

    with not_to_be_found("dbt_common"):
        assert sys.modules["dbt_common"] is dbt_common
