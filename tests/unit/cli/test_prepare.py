"""When dbt's manifest has to be made anew."""

import os
from pathlib import Path

import pytest

from globolatte_cli import prepare
from globolatte_cli.prepare import manifest_is_current
from globolatte_lineage.columns import LINEAGE_FILE
from resources.settings.settings import Settings


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A dbt project with a manifest made for DuckDB."""
    monkeypatch.setattr(prepare, "DBT_PROJECT_FOLDER", tmp_path)
    (tmp_path / "dbt_project.yml").touch()
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "manifest.json").write_text(
        '{"metadata": {"env": {}, "adapter_type": "duckdb"}, "nodes": {}}'
    )
    (tmp_path / "target" / LINEAGE_FILE).write_text("{}")
    return tmp_path


def test_a_manifest_younger_than_the_project_is_current(project: Path) -> None:
    assert manifest_is_current(Settings(warehouse="duckdb"))


def test_a_manifest_made_for_another_warehouse_is_not(project: Path) -> None:
    assert not manifest_is_current(Settings(warehouse="snowflake"))


def test_a_manifest_without_the_lineage_of_columns_is_not(project: Path) -> None:
    (project / "target" / LINEAGE_FILE).unlink()
    assert not manifest_is_current(Settings(warehouse="duckdb"))


def test_a_manifest_that_is_no_manifest_or_not_there_is_not(project: Path) -> None:
    manifest = project / "target" / "manifest.json"
    manifest.write_text("{}")
    assert not manifest_is_current(Settings())
    manifest.unlink()
    assert not manifest_is_current(Settings())


def test_what_counts_is_what_the_project_holds_and_not_when_it_was_written(project: Path) -> None:
    made_from = project / "target" / prepare.MADE_FROM
    made_from.write_text(prepare.hash_of_sources())
    (project / "dbt_project.yml").touch()
    os.utime(project / "dbt_project.yml", (2e9, 2e9))
    assert manifest_is_current(Settings(warehouse="duckdb"))
    (project / "dbt_project.yml").write_text("name: other")
    os.utime(project / "dbt_project.yml", (1e9, 1e9))
    assert not manifest_is_current(Settings(warehouse="duckdb"))
