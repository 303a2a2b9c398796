"""dbt's own documentation is one page that opens without a server, and says something of every model and column."""

import json
from pathlib import Path

from tests.unit.dbt.dbt_process import DbtProcess

GENERATE = ("docs", "generate", "--quiet", "--static", "--empty-catalog", "--target", "lint")
"""As `make dbt-docs` does."""


def test_the_page_has_every_model_with_all_columns_described(tmp_path: Path) -> None:
    with DbtProcess(tmp_path / "none.duckdb", tmp_path) as dbt:
        dbt.run(*GENERATE)
    page = (tmp_path / "target" / "static_index.html").read_text()
    nodes = json.loads((tmp_path / "target" / "manifest.json").read_text())["nodes"].values()
    models = [node for node in nodes if node["resource_type"] == "model"]
    assert len(models) > 20
    for model in models:
        assert model["unique_id"] in page
        assert model["description"], model["name"]
        assert model["columns"], model["name"]
        undescribed = [name for name, column in model["columns"].items() if not column["description"]]
        assert undescribed == [], model["name"]
    assert not (tmp_path / "none.duckdb").exists(), "documentation is made without a warehouse"
