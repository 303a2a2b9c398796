"""The asset of the scorecards, and the command that shows one: a page for each unit that has delivered something."""

import datetime as dt
from pathlib import Path

import dagster as dg
import pytest
from click.testing import CliRunner

from globolatte_assets.monitoring import supplier_scorecards
from globolatte_assets.monitoring.reports import StoredPages
from globolatte_assets.monitoring.supplier_scorecards import supplier_scorecards_asset
from globolatte_cli.scorecard import scorecard
from resources.settings.settings import Settings
from resources.warehouse.duckdb_file import DuckDBWarehouse
from tests.builders import put_reference_data

MARTS = """
create schema marts;
create table marts.dim_business_unit as select business_unit_id, 'Globo ' || folder as unit_name from sales_data.business_units;
create table marts.mart_supplier_weeks as select
    'BU_US' as business_unit, date '2022-01-31' as week_start, 7 as days_expected, 6 as days_delivered, 6 as days_timed, 1 as days_late,
    3.5 as hours_after_day, 14.0 as most_hours_after_day, 8 as file_versions, 6 as files_loaded, 1 as files_superseded,
    0 as files_retracted, 1 as files_refused, 0 as files_held, 1 as corrections, 120 as rows_loaded, 4 as rows_quarantined, 0 as rows_held;
create table marts.mart_supplier_faults as select
    'BU_US' as business_unit, date '2022-01-31' as week_start, 'quarantined' as kind, 'bad_number' as reason,
    1 as file_count, 4 as row_count,
    'sales/usa/2022/02/01/a.csv' as example_file, 14 as example_line;
"""
LINE = "| 2022-01-31 | 6 | 1 | 1 | 3.5, at most 14.0 | 8 | 1 | 1 | 0 | 120 | 4 | 0 |"


def build(warehouse: DuckDBWarehouse) -> None:
    put_reference_data(warehouse)
    with warehouse.transaction() as transaction:
        for statement in MARTS.split(";\n"):
            if statement.strip():
                transaction.execute(statement)


@pytest.fixture
def pages(tmp_path: Path) -> StoredPages:
    return StoredPages(tmp_path / "reports" / "scorecards", 100, "http://127.0.0.1:3030")


def made(warehouse: DuckDBWarehouse, pages: StoredPages) -> dict[str, dg.MetadataValue]:
    result = dg.materialize([supplier_scorecards_asset(pages, 12.0)], resources={"warehouse": warehouse})
    return dict(result.asset_materializations_for_node("monitoring__supplier_scorecards")[0].metadata)


def test_each_unit_that_delivered_has_a_page_and_the_others_have_none(
    warehouse: DuckDBWarehouse, pages: StoredPages
) -> None:
    build(warehouse)
    metadata = made(warehouse, pages)
    assert metadata["page_BU_US"].value == "http://127.0.0.1:3030/scorecards/BU_US.html"
    assert "page_BU_CA" not in metadata
    assert "data:image/png;base64," in str(metadata["weeks_BU_US"].value)
    assert "[BU_US](http://127.0.0.1:3030/scorecards/BU_US.html) | 1 | 1 | 1 | 0 | 120 | 4 |" in str(
        metadata["units"].value
    )
    assert [page.name for page in pages.folder.iterdir()] == ["BU_US.html"]
    assert "<td>3.5, at most 14.0</td>" in pages.path("BU_US").read_text(encoding="utf-8")


def test_a_plot_that_fails_leaves_the_page_without_it(
    warehouse: DuckDBWarehouse, pages: StoredPages, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_card: object) -> bytes:
        raise ValueError("no width")

    build(warehouse)
    monkeypatch.setattr(supplier_scorecards, "plot_of_weeks", fails)
    metadata = made(warehouse, pages)
    assert metadata["weeks_BU_US"].value == "The picture could not be drawn: ValueError: no width"
    assert "<td>3.5, at most 14.0</td>" in pages.path("BU_US").read_text(encoding="utf-8")


def test_a_chain_without_deliveries_has_no_page_and_no_fault(warehouse: DuckDBWarehouse, pages: StoredPages) -> None:
    build(warehouse)
    with warehouse.transaction() as transaction:
        transaction.execute("delete from marts.mart_supplier_weeks")
    assert made(warehouse, pages)["dagster/row_count"].value == 0
    assert not pages.folder.exists()


def test_the_command_shows_a_unit_s_scorecard_or_writes_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOBOLATTE_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "250")
    monkeypatch.setenv("GLOBOLATTE_NOW", dt.datetime(2022, 2, 10, tzinfo=dt.UTC).isoformat())

    def ask(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(scorecard, arguments)
        return done.exit_code, " ".join(done.output.split()) or str(done.exception)

    warehouse = DuckDBWarehouse(file=str(Settings().warehouse_file))
    put_reference_data(warehouse)
    assert ask("usa") == (1, "nothing was built yet; run `globolatte run` first")
    build(warehouse)
    code, shown = ask("BU_us")
    assert code == 0
    assert "a quantity or an amount is no number" in shown
    assert ask("canada") == (0, "canada has delivered nothing yet.")
    code, said = ask("france")
    assert code == 1
    assert said.startswith("no business unit is called 'france'; use one of BU_CA (canada), BU_MX (mexico)")
    assert ask("usa", "--out", str(tmp_path / "usa.md"))[0] == 0
    assert LINE in (tmp_path / "usa.md").read_text(encoding="utf-8")
    assert ask("usa", "--out", str(tmp_path / "usa.html"))[0] == 0
    page = (tmp_path / "usa.html").read_text(encoding="utf-8")
    assert page.startswith("<!doctype html>")
    assert "data:image/png;base64," in page
