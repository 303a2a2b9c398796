"""`globolatte run` and its neighbours, end to end: what a user does on the first day, on the next ones, and with odd chains."""

import datetime as dt
import json
import re
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from globolatte_assets.keys import CONSERVATION, DBT_GROUPS, ORDERS
from resources.environment import DBT_PROJECT_FOLDER
from simulator import Truth
from tests.homes import Home, NewHome, warehouse

CHAIN_OF_SIX_WEEKS = ("--orders", "1500", "--start", "2022-01-01", "--end", "2022-02-15")
CUSTOMER_SALES = "intermediate.int_customer_sales"


def manifest() -> dict[str, Any]:
    return json.loads((DBT_PROJECT_FOLDER / "target" / "manifest.json").read_bytes())


def count(home: Home, table: str) -> int:
    return warehouse(home).read(table).num_rows


@pytest.fixture(scope="module")
def home(home_that_ran: NewHome) -> Home:
    """A small chain, run once."""
    return home_that_ran()


def test_every_simulated_line_is_loaded(home: Home) -> None:
    files = (home.folder / "landing").glob("sales/**/*.csv")
    lines = sum(len(file.read_text().splitlines()) - 1 for file in files)
    assert count(home, "sales_data.sales_transactions") == count(home, "marts.fct_order_lines") == lines
    assert count(home, "marts.fct_orders") == 2000
    assert count(home, "sales_data.quarantine") == 0


def test_the_check_over_the_whole_ledger_is_really_evaluated(home: Home) -> None:
    with dg.DagsterInstance.from_config(str(home.folder / "dagster")) as instance:
        latest = instance.event_log_storage.get_latest_asset_check_execution_by_key([CONSERVATION])
    evaluation = latest[CONSERVATION].event.dagster_event.asset_check_evaluation_data
    assert evaluation.passed
    assert evaluation.metadata["unbalanced_files"].value == 0


def test_every_dbt_test_is_emitted_as_an_asset_check(home: Home) -> None:
    """As many evaluations as dbt has data tests, each of them passed; and every model says what its columns are made from."""
    tests = [node for node in manifest()["nodes"].values() if node["resource_type"] == "test"]
    with dg.DagsterInstance.from_config(str(home.folder / "dagster")) as instance:
        records = instance.get_event_records(
            dg.EventRecordsFilter(dg.DagsterEventType.ASSET_CHECK_EVALUATION), limit=500
        )
        orders = instance.get_latest_materialization_event(ORDERS)
    evaluations = [record.event_log_entry.dagster_event.asset_check_evaluation_data for record in records]
    of_dbt = {one.check_name: one.passed for one in evaluations if one.asset_key.path[0] in DBT_GROUPS}
    assert of_dbt == dict.fromkeys((node["name"] for node in tests), True)
    columns = orders.asset_materialization.metadata["dagster/column_lineage"].column_lineage.deps_by_column
    assert [(dep.asset_key.path[-1], dep.column_name) for dep in columns["daypart"]] == [
        ("fct_order_lines", "business_date"),  # on which a sale after midnight is an evening's
        ("fct_order_lines", "transacted_at"),
    ]


def test_dbt_need_not_parse_in_a_new_home_what_was_prepared(home: Home) -> None:
    [log] = (home.folder / "dbt").glob("*/dbt.log")
    said = [json.loads(line)["info"]["name"] for line in log.read_text().splitlines()]
    assert "LogModelResult" in said
    assert "UnableToPartialParse" not in said


def test_every_customer_has_a_ranking_for_each_weather(home: Home) -> None:
    rows = warehouse(home).read("serving.recommendations")
    assert rows.num_rows == 150 * 4 * 6
    expected = rows.filter(rows["is_expected_weather"]).to_pylist()
    assert len(expected) == 150 * 6
    totals: dict[str, float] = {}
    for row in expected:
        totals[row["customer_id"]] = totals.get(row["customer_id"], 0.0) + row["probability"]
    assert all(abs(total - 1) < 1e-9 for total in totals.values())


def test_customers_are_in_segments_and_cold_start_customers_have_rankings(home: Home) -> None:
    segments = warehouse(home).read("ml.segments")
    buyers = set(warehouse(home).read("marts.fct_orders", ["customer_id"])["customer_id"].to_pylist())
    assert sorted(segments["customer_id"].to_pylist()) == sorted(buyers)
    assert count(home, "ml.segment_profiles") == len(set(segments["segment_id"].to_pylist()))
    assert count(home, "serving.regional_recommendations") == 3 * 4 * 4 * 6
    pairs = warehouse(home).read("ml.product_affinity").to_pylist()
    assert {row["region"] for row in pairs} == {"chain", "BU_CA", "BU_MX", "BU_US"}
    assert {row["kind"] for row in pairs} == {"cross_sell", "upsell"}


def test_the_champion_has_a_page_of_its_own(home: Home) -> None:
    [page] = (home.folder / "reports" / "models").glob("preference-model-1-*.html")
    assert "Intended use" in page.read_text()
    findings = warehouse(home).read("ml.responsible_ai").to_pylist()
    assert {row["section"] for row in findings} >= {"importance", "fairness", "effect"}
    assert {row["model_version"] for row in findings} == {"1"}


def test_each_holdout_order_has_one_prediction_per_product(home: Home) -> None:
    rows = warehouse(home).read("ml.holdout_predictions")
    assert rows.column_names == ["model_version", "order_id", "product_id", "probability", "rank"]
    orders = set(rows["order_id"].to_pylist())
    assert rows.num_rows == len(orders) * 6
    last = warehouse(home).read("features.feat_training_examples", ["order_id", "business_date"]).to_pylist()
    dates = sorted(row["business_date"] for row in last)
    whole_days = ((dates[-1] - dates[0]).days + 1) // 8
    held = {row["order_id"] for row in last if row["business_date"] > dates[-1] - dt.timedelta(days=whole_days)}
    assert held == orders


def test_an_untouched_landing_zone_is_left_alone(home: Home) -> None:
    before = count(home, "sales_data.load_ledger")
    assert home.ok("run").startswith("Nothing to do")
    assert count(home, "sales_data.load_ledger") == before


def test_a_recommendation_is_the_one_in_the_table(home: Home) -> None:
    row = warehouse(home).read("serving.recommendations", where={"customer_id": "C0001", "rank": 1}).to_pylist()[0]
    command = ("recommend", "--customer", "C0001", "--region", row["business_unit"], "--weather", row["weather"])
    answer = json.loads(home.ok(*command, "--json", "--date", row["as_of_date"].isoformat()))
    assert answer["prediction_id"] == row["prediction_id"]
    assert answer["products"][0]["product_id"] == row["product_id"]
    assert answer["products"][0]["probability"] == pytest.approx(row["probability"], abs=1e-12)


def test_a_cold_start_customer_gets_the_regional_answer_flagged_as_such(home: Home) -> None:
    answer = json.loads(home.ok("recommend", "--customer", "X9", "--region", "Canada", "--weather", "snowy", "--json"))
    assert answer["known_customer"] is False
    assert len(answer["products"]) == 6
    output = home.ok("recommend", "--customer", "X9", "--region", "Canada", "--weather", "snowy")
    assert "not a known customer" in output


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--region", "Brazil", "--weather", "Sunny"), ["Brazil", "Canada", "Mexico", "USA"]),
        (("--region", "USA", "--weather", "Windy"), ["Windy", "Sunny", "Rainy", "Snowy", "Cloudy"]),
    ],
)
def test_an_unknown_region_or_weather_is_answered_with_the_known_ones(
    home: Home, arguments: tuple[str, ...], words: list[str]
) -> None:
    done = home.command("recommend", "--customer", "C0001", *arguments)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert all(word in done.stderr for word in words)


def test_predictions_come_close_to_the_truth(home: Home) -> None:
    """Not a benchmark: only that the first choice of regulars is usually among their two true favourites."""
    truth = Truth.load(home.folder / "truth")
    rows = warehouse(home).read("serving.recommendations", where={"rank": 1, "is_expected_weather": True}).to_pylist()
    hits = []
    for row in rows:
        own = truth.true_preferences(row["customer_id"], row["business_unit"], row["as_of_date"], row["weather"])
        hits.append(row["product_id"] in sorted(own, key=lambda product: -own[product])[:2])
    assert sum(hits) / len(hits) > 0.7  # guessing two of six products gives 0.33


def test_a_campaign_from_the_terminal_is_logged_and_leaves_the_rest_alone(home_that_ran: NewHome) -> None:
    home, started = home_that_ran(), {"GLOBOLATTE_NOW": "2022-02-10T12:00:00+00:00"}
    command = ("campaign", "--product", "cold brew", "--budget", "5", "--days", "7", "--json")
    made = json.loads(home.ok(*command, **started))
    offers = {row["customer_id"] for row in made["audience"] if row["arm"] == "offer"}
    assert len(offers) == made["offers"] == 20
    out = warehouse(home).read("marts.dim_customer", where={"marketing_opt_out": True})["customer_id"].to_pylist()
    assert not offers & set(out)
    assert set(warehouse(home).read("serving.contact_log")["customer_id"].to_pylist()) == offers
    wrong = home.command("campaign", "--product", "Tea", "--budget", "5")
    assert wrong.returncode == 1
    assert "Cold Brew" in wrong.stderr
    assert "Traceback" not in wrong.stderr
    assert "Campaign results" in home.ok("run")
    [result] = warehouse(home).read("serving.campaign_results").to_pylist()
    assert (result["status"], result["customers_offer"]) == ("complete", 20)


@pytest.mark.slow
@pytest.mark.depth
def test_models_of_which_another_version_built_some_are_built_anew_by_themselves(home_that_ran: NewHome) -> None:
    home = home_that_ran()
    present = warehouse(home).read(CUSTOMER_SALES)
    with warehouse(home).transaction() as transaction:
        transaction.execute("update sales_data.dbt_builds set fingerprint = 'earlier'")
        transaction.execute(f"alter table {CUSTOMER_SALES} drop column {present.column_names[-1]}")
    landed = next((home.folder / "landing").glob("sales/usa/2022/01/*/*.csv"))
    landed.write_text("".join(landed.read_text().splitlines(keepends=True)[:1]))
    home.ok("run", GLOBOLATTE_MAX_TAKE_AWAY="1")
    everything = sorted(node["name"] for node in manifest()["nodes"].values() if node["resource_type"] == "model")
    built = warehouse(home).read("sales_data.dbt_builds").to_pydict()
    assert sorted(built["model"]) == everything
    assert len(set(built["fingerprint"]) - {"earlier"}) == 1
    assert warehouse(home).read(CUSTOMER_SALES).schema == present.schema

    with warehouse(home).transaction() as transaction:  # as if one, and what reads from it, had never come that far
        transaction.execute("delete from sales_data.dbt_builds where model in ('dim_customer', 'mart_customer_rfm')")
    another = next((home.folder / "landing").glob("sales/canada/2022/01/*/*.csv"))
    another.write_text("".join(another.read_text().splitlines(keepends=True)[:1]))
    home.ok("run", GLOBOLATTE_MAX_TAKE_AWAY="1")
    assert sorted(warehouse(home).read("sales_data.dbt_builds")["model"].to_pylist()) == everything
    output = (home.folder / "logs" / "run.log").read_text()
    done = re.findall(r" - dagster - INFO - .*Running dbt command: `\S+ (.*?)`", output)
    assert ["--full-refresh" in command for command in done] == [True, True, False, True]
    assert "--exclude" in done[2], "what is to be built anew waits"


@pytest.mark.parametrize(
    "chain",
    [
        pytest.param(
            (*CHAIN_OF_SIX_WEEKS, "--seed", "11", "--customers", "100"), id="another seed", marks=pytest.mark.depth
        ),
        pytest.param(
            (*CHAIN_OF_SIX_WEEKS, "--products", "9", "--customers", "50"), id="nine products", marks=pytest.mark.depth
        ),
        pytest.param(
            ("--products", "1", "--customers", "30", "--orders", "300", "--start", "2022-01-01", "--end", "2022-01-20"),
            id="one product",
            marks=pytest.mark.depth,
        ),
        pytest.param(
            ("--orders", "40", "--customers", "20", "--start", "2022-03-05", "--end", "2022-03-05"),
            id="a single day",
            marks=pytest.mark.depth,
        ),
        pytest.param(
            ("--products", "1", "--orders", "40", "--customers", "20", "--start", "2022-03-05", "--end", "2022-03-05"),
            id="one product on a single day",
            marks=pytest.mark.depth,
        ),
    ],
)
def test_it_works_unchanged_on_another_chain(new_home: NewHome, chain: tuple[str, ...]) -> None:
    home = new_home().simulate(*chain)
    home.ok("run")
    customers = int(chain[chain.index("--customers") + 1])
    products = int(chain[chain.index("--products") + 1]) if "--products" in chain else 6
    assert count(home, "serving.recommendations") == customers * 4 * products
    answer = json.loads(home.ok("recommend", "--customer", "C0001", "--region", "USA", "--weather", "Sunny", "--json"))
    assert len(answer["products"]) == products


def test_without_anything_in_the_landing_zone_the_remedy_is_named(new_home: NewHome) -> None:
    home = new_home()
    done = home.command("run")
    assert done.returncode == 1
    assert "reference/business_units.csv" in done.stderr
    refused = home.command("recommend", "--customer", "C0001", "--region", "USA", "--weather", "Sunny")
    assert refused.returncode == 1
    assert "globolatte run" in refused.stderr


@pytest.mark.depth
def test_without_reference_data_the_missing_file_is_named(new_home: NewHome) -> None:
    home = new_home().simulate("--orders", "20", "--customers", "5", "--start", "2022-01-01", "--end", "2022-01-02")
    (home.folder / "landing" / "reference" / "products.csv").unlink()
    done = home.command("run")
    assert done.returncode == 1
    assert "reference/products.csv is not in the landing zone" in done.stderr


def test_the_doctor_names_what_is_missing_and_prints_no_secret(home: Home, new_home: NewHome) -> None:
    assert "champion is version 1" in home.ok("doctor")
    sick = new_home().command("doctor", "--json", GLOBOLATTE_ENDPOINT_KEY="hidden-value")
    assert sick.returncode == 1
    assert "hidden-value" not in sick.stdout
    findings = {finding["name"]: finding for finding in json.loads(sick.stdout)["findings"]}
    assert "products.csv" in findings["landing zone"]["remedy"]
    assert findings["ML platform"]["remedy"]


def test_a_wrong_setting_is_named_with_its_value(new_home: NewHome) -> None:
    done = new_home().command("run", GLOBOLATTE_WAREHOUSE="oracle")
    assert done.returncode == 1
    assert re.search(r"GLOBOLATTE_WAREHOUSE.*oracle", done.stderr)
    assert "Traceback" not in done.stderr


def test_simulate_refuses_a_chain_that_cannot_be(tmp_path: Path, new_home: NewHome) -> None:
    done = new_home().command("simulate", "--out", str(tmp_path), "--orders", "0")
    assert done.returncode == 1
    assert "orders" in done.stderr
    assert "Traceback" not in done.stderr
