"""What a person does in the UI: reads the graph, materializes, follows a report, and learns why a check failed."""

import datetime as dt
import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Ui

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

RUN_MILLISECONDS = 120_000
GROUPS = ("raw", "staging", "marts", "intermediate", "features", "models", "endpoints", "monitoring")
LEFT_TO_RIGHT = ("raw", "staging", "marts", "features", "models", "endpoints", "monitoring")
BROKEN_DAY = dt.date(2022, 3, 23)


def wait_for_success(page: Page) -> None:
    """Follows the note that a run was launched, and waits until the run says that it succeeded."""
    expect(page.get_by_text("Launched run")).to_be_visible()
    page.get_by_role("link", name="View", exact=True).click()
    page.wait_for_url("**/runs/*")
    expect(page.get_by_text(re.compile("^(Success|Failure|Canceled)$")).first).to_be_visible(timeout=RUN_MILLISECONDS)
    expect(page.get_by_text("Success", exact=True).first).to_be_visible()


def materialize_job(page: Page, job: str) -> None:
    page.goto(f"/locations/globolatte/jobs/{job}")
    page.get_by_role("button", name="Materialize all").click()
    wait_for_success(page)


def open_check(page: Page, asset: str, check: str) -> None:
    page.goto(f"/assets/{asset}?view=checks")
    page.get_by_text(check, exact=True).first.click()
    expect(page.get_by_text("Latest execution")).to_be_visible()


def test_the_graph_fits_and_reads_from_left_to_right(page: Page) -> None:
    page.goto("/asset-groups")
    graph = page.locator("svg").filter(has=page.locator("foreignObject")).last
    places = {}
    for group in GROUPS:
        node = graph.get_by_text(group, exact=True).last
        expect(node).to_be_visible()
        places[group] = node.bounding_box()
    assert all(place is not None for place in places.values())
    starts = [places[group]["x"] for group in LEFT_TO_RIGHT]
    assert starts == sorted(starts)
    assert all(place["x"] >= 0 and place["x"] + place["width"] <= 1920 for place in places.values())
    page.keyboard.press(
        "Alt+e"
    )  # opens every group; of what lies outside the window nothing is drawn, so one in the middle is looked for
    expect(graph.get_by_text("fct_orders", exact=True).first).to_be_visible()


def test_an_asset_says_what_it_is(page: Page) -> None:
    page.goto("/assets/raw/customers")
    for text in ("E-mail address.", "data-platform", "sales_data.customers", "Registered customers", "pii"):
        expect(page.get_by_text(text).first).to_be_visible()
    page.goto("/assets/marts/fct_orders")
    for text in (
        "One row per order",
        "Unit, date and order id",
        "analytics",
        "dbt_project/models/marts/fct_orders.sql",
    ):
        expect(page.get_by_text(text).first).to_be_visible()
    page.goto("/assets/raw/usa_deliveries")
    for text in ("Fails if more than 36 hours since last materialization", "Passing"):
        expect(page.get_by_text(text).first).to_be_visible()


def test_drift_is_explained_and_its_report_opens(page: Page, ui: Ui) -> None:
    materialize_job(page, "monitor")
    open_check(page, "monitoring/data_drift", "no_drift")
    expect(page.get_by_text("No scope's latest window drifted.")).to_be_visible()
    expect(
        page.get_by_text(re.compile(r"chain drifted from 2022-03-01 to 2022-03-21: main_product_id"))
    ).to_be_visible()
    expect(page.get_by_text("Nothing is to be done by hand")).to_be_visible()
    expect(page.get_by_text("Failed").first).to_be_visible()
    link = page.get_by_role("link", name=f"{ui.reports_url}/drift/chain_2022-03-01_2022-03-21.html")
    with page.expect_popup() as opened:
        link.first.click()
    report = opened.value
    expect(report.get_by_text("main_product_id").first).to_be_visible(timeout=RUN_MILLISECONDS)
    expect(report.get_by_text(re.compile("Dataset Drift|drift detected|Drift", re.IGNORECASE)).first).to_be_visible()


def test_a_partition_is_materialized_and_its_failed_check_explained(page: Page, ui: Ui) -> None:
    day_before = ui.landing_file("usa", BROKEN_DAY - dt.timedelta(days=1)).read_text()
    lines = day_before.replace(str(BROKEN_DAY - dt.timedelta(days=1)), str(BROKEN_DAY)).splitlines()
    columns = lines[0].split(",")
    broken = lines[1].split(",")
    broken[columns.index("product_id")] = "P999"
    target = ui.landing_file("usa", BROKEN_DAY)
    target.parent.mkdir(parents=True)
    target.write_text("\n".join([lines[0], ",".join(broken), *lines[2:]]) + "\n")
    rows = len(lines) - 2

    page.goto("/assets/raw/sales_transactions")
    page.get_by_role("button", name="Materialize").first.click()
    dialog = page.get_by_role("dialog")
    dates = dialog.get_by_placeholder(re.compile("^ex:"))
    expect(dates).to_be_visible()  # until the UI knows that the second dimension is time, it shows two lists
    dialog.get_by_text("Select a partition").first.click()
    page.get_by_placeholder("Filter partitions").fill("usa")
    page.get_by_role("menuitem").filter(has_text="usa").click()
    page.keyboard.press("Escape")
    dates.fill(str(BROKEN_DAY))
    dates.press("Enter")
    dialog.get_by_role("button", name="Launch 1 run").click()
    wait_for_success(page)

    page.goto(f"/assets/raw/sales_transactions?view=partitions&partition=usa|{BROKEN_DAY}")
    expect(page.get_by_text("Materialized", exact=True).first).to_be_visible()
    expect(page.get_by_text(f"sales/usa/{BROKEN_DAY:%Y/%m/%d}/sales.csv")).to_be_visible()
    open_check(page, "raw/sales_transactions", "no_row_quarantined")
    expect(page.get_by_text("Every row of this load was certain enough to be loaded.")).to_be_visible()
    expect(page.get_by_text(f"{rows} rows loaded, 1 quarantined (unknown_product: 1)")).to_be_visible()


def test_the_verdict_on_a_model_has_reasons(page: Page) -> None:
    page.goto("/assets/models/promotion")
    expect(page.get_by_text(re.compile(r"Passed: \d+ holdout orders")).first).to_be_visible()
    expect(page.get_by_text(re.compile(r"Passed: log loss [\d.]+ is below the [\d.]+")).first).to_be_visible()
    page.goto("/assets/models/evaluation")
    page.get_by_text("[Show Markdown]").last.click()
    expect(page.get_by_role("dialog").locator("img")).to_be_visible()


@pytest.mark.depth
def test_a_model_is_materialized_and_meets_the_champion(page: Page) -> None:
    materialize_job(page, "train_model")
    page.goto("/assets/models/promotion")
    expect(page.get_by_text(re.compile(r"Passed: log loss [\d.]+ against the champion's [\d.]+")).first).to_be_visible()
