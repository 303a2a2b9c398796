from __future__ import annotations

import datetime as dt
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from globolatte_ml.data.columns import InvalidDataError
from globolatte_ml.data.vocabulary import DAYPARTS
from globolatte_ml.model.encoding import daypart_preference
from globolatte_ml.scoring.recommendations import Request
from globolatte_ml.scoring.scorer import Scorer

WINTER_DAY = dt.date(2023, 1, 10)


def probabilities(recommendation):
    by_product = {ranked.product_id: ranked.probability for ranked in recommendation.ranked}
    return np.array([by_product[product] for product in sorted(by_product)])


def test_what_is_served_is_what_training_would_have_computed(build, chain, snapshot, model, model_folder, tmp_path):
    last_day = chain.orders[-1].date
    scorer = Scorer.from_folders(model_folder, build.write_state(chain.before(last_day), tmp_path / "state"))
    orders = [i for i, order in enumerate(chain.orders) if order.date == last_day]
    assert orders
    chosen = [chain.orders[i] for i in orders]
    served = scorer.recommend([Request(o.customer_id, o.business_unit, o.weather, o.date, o.daypart) for o in chosen])
    rows = np.array(orders)
    trained = model.predict_proba(snapshot.states.take(rows), snapshot.contexts.take(rows))
    np.testing.assert_allclose(np.stack([probabilities(answer) for answer in served]), trained, atol=1e-12)


def test_the_batch_says_what_single_requests_say(scorer):
    table = pa.concat_tables(scorer.batch(WINTER_DAY)).to_pylist()
    questions = {(row["customer_id"], row["business_unit"], row["weather"]) for row in table}
    requests = [Request(customer, unit, weather, WINTER_DAY) for customer, unit, weather in sorted(questions)]
    online = [
        {
            "prediction_id": answer.prediction_id,
            "customer_id": answer.customer_id,
            "business_unit": answer.business_unit,
            "weather": answer.weather,
            "rank": ranked.rank,
            "product_id": ranked.product_id,
            "probability": ranked.probability,
        }
        for answer in scorer.recommend(requests)
        for ranked in answer.ranked
    ]
    assert len(online) == len(table)
    assert len(questions) == 4 * len(scorer.bundle.customer_ids)
    for row, answer in zip(table, online, strict=True):
        assert {**answer, "probability": None} == {**{key: row[key] for key in answer}, "probability": None}
        assert row["probability"] == pytest.approx(answer["probability"], abs=1e-12)


def test_the_batch_does_not_depend_on_its_chunks(scorer):
    whole, parts = list(scorer.batch(WINTER_DAY)), list(scorer.batch(WINTER_DAY, chunk=7))
    assert len(whole) == 1
    assert len(parts) == -(-len(scorer.bundle.customer_ids) // 7)
    apart, together = pa.concat_tables(parts), whole[0]
    np.testing.assert_allclose(apart["probability"].to_numpy(), together["probability"].to_numpy(), atol=1e-12)
    assert apart.drop_columns(["probability"]).equals(together.drop_columns(["probability"]))


def test_the_best_few_of_a_batch_are_the_first_of_the_whole(scorer):
    whole = pa.concat_tables(scorer.batch(WINTER_DAY)).filter(pc.field("rank") <= 2)
    few = pa.concat_tables(scorer.batch(WINTER_DAY, chunk=7, top=2))
    np.testing.assert_allclose(few["probability"].to_numpy(), whole["probability"].to_numpy(), atol=1e-12)
    assert few.drop_columns(["probability"]).equals(whole.combine_chunks().drop_columns(["probability"]))


def test_what_a_batch_leaves_out_can_be_asked_for_by_product(scorer):
    chosen = ["P002", "P005"]
    expected = pa.concat_tables(scorer.batch(WINTER_DAY)).filter(
        pc.field("is_expected_weather") & pc.field("product_id").isin(chosen)
    )
    keys = [("customer_id", "ascending"), ("product_id", "ascending")]
    asked = scorer.of_products(WINTER_DAY, chosen)
    expected = expected.select(asked.column_names).sort_by(keys)
    np.testing.assert_allclose(asked["probability"].to_numpy(), expected["probability"].to_numpy(), atol=1e-12)
    assert asked.drop_columns(["probability"]).equals(expected.combine_chunks().drop_columns(["probability"]))


def test_a_batch_over_a_large_catalogue_is_predicted_in_small_pieces(scorer, monkeypatch):
    monkeypatch.setattr("globolatte_ml.scoring.scorer.CELLS_AT_ONCE", 4 * 4 * 5 * 3)
    sizes = [len(block) for block in scorer._blocks(np.arange(10), 4)]
    assert sizes == [3, 3, 3, 1]


def test_the_batch_marks_the_expected_weather_of_unit_and_month(build, scorer):
    for row in pa.concat_tables(scorer.batch(WINTER_DAY)).to_pylist():
        assert row["is_expected_weather"] is (row["weather"] == build.likely(row["business_unit"], 1))
        assert row["as_of_date"] == WINTER_DAY
        assert (row["model_version"], row["state_version"]) == (scorer.model_version, "state-1")


def test_ranks_follow_probabilities_and_probabilities_sum_to_one(scorer):
    [answer] = scorer.recommend([Request("C0001", "BU_US", "Sunny", WINTER_DAY)])
    assert [ranked.rank for ranked in answer.ranked] == [1, 2, 3, 4, 5]
    values = [ranked.probability for ranked in answer.ranked]
    assert values == sorted(values, reverse=True)
    assert sum(values) == pytest.approx(1.0, abs=1e-12)
    assert answer.ranked[0].product_name == f"Drink {answer.ranked[0].product_id}"


def test_top_limits_the_answer_and_not_the_probabilities(scorer):
    whole, short = scorer.recommend(
        [Request("C0001", "BU_US", "Sunny", WINTER_DAY), Request("C0001", "BU_US", "Sunny", WINTER_DAY, top=2)]
    )
    assert short.ranked == whole.ranked[:2]
    assert short.prediction_id == whole.prediction_id


def test_no_daypart_averages_over_the_customers_hours(scorer):
    anytime, *hours = scorer.recommend(
        [Request("C0002", "BU_CA", "Rainy", WINTER_DAY, daypart) for daypart in (None, *DAYPARTS)]
    )
    row = scorer.bundle.rows(np.array(["C0002"]))
    weights = daypart_preference(scorer.bundle.states(scorer.products).take(row).daypart_orders, scorer.model.space_)[0]
    mixed = weights @ np.stack([probabilities(answer) for answer in hours])
    np.testing.assert_allclose(probabilities(anytime), mixed, atol=1e-12)


def test_unknown_customers_get_the_answer_of_a_customer_without_orders(scorer):
    unknown, registered, regular = scorer.recommend(
        [Request(customer, "BU_MX", "Sunny", WINTER_DAY) for customer in ("who?", "C9001", "C0001")]
    )
    assert [a.known_customer for a in (unknown, registered, regular)] == [False, True, True]
    np.testing.assert_array_equal(probabilities(unknown), probabilities(registered))
    assert np.abs(probabilities(unknown) - probabilities(regular)).max() > 0.01


@pytest.mark.parametrize("name", ["BU_CA", "bu_ca", "Canada", "CANADA", "canada", "Canada unit"])
def test_a_business_unit_may_be_called_by_any_of_its_names(scorer, name):
    [answer] = scorer.recommend([Request("C0001", name, "sunny", WINTER_DAY, "Morning")])
    assert (answer.business_unit, answer.weather, answer.daypart) == ("BU_CA", "Sunny", "morning")


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (Request("C0001", "France", "Sunny", WINTER_DAY), "'France' is unknown; use one of BU_CA / Canada"),
        (Request("C0001", "BU_CA", "Hail", WINTER_DAY), "'Hail' is unknown; use one of Cloudy, Rainy, Snowy, Sunny"),
        (Request("C0001", "BU_CA", "Sunny", WINTER_DAY, "night"), "'night' is unknown; use one of morning"),
        (Request("C0001", "BU_CA", "Sunny", WINTER_DAY, top=0), "top is 0"),
    ],
)
def test_what_does_not_exist_is_refused_with_what_does(scorer, request_, message):
    with pytest.raises(ValueError, match=message):
        scorer.recommend([request_])


def test_a_holiday_counts_in_its_own_country_only(scorer):
    fourth_of_july = np.datetime64("2022-07-04")
    assert scorer.bundle.is_holiday("BU_US", fourth_of_july)
    assert not scorer.bundle.is_holiday("BU_CA", fourth_of_july)
    assert not scorer.bundle.is_holiday("BU_US", np.datetime64("2022-07-05"))


def test_the_batch_knows_holidays_too(scorer):
    day = dt.date(2022, 7, 4)
    americans = [row for row in pa.concat_tables(scorer.batch(day)).to_pylist() if row["business_unit"] == "BU_US"]
    row = americans[0]
    [online] = scorer.recommend([Request(row["customer_id"], "BU_US", row["weather"], day)])
    assert online.ranked[0].probability == pytest.approx(row["probability"], abs=1e-12)


def test_the_address_of_a_prediction_depends_on_everything_that_decides_it(model_folder, state_folder, scorer):
    base = Request("C0001", "BU_US", "Sunny", WINTER_DAY)
    others = [
        Request("C0002", "BU_US", "Sunny", WINTER_DAY),
        Request("C0001", "BU_CA", "Sunny", WINTER_DAY),
        Request("C0001", "BU_US", "Rainy", WINTER_DAY),
        Request("C0001", "BU_US", "Sunny", dt.date(2023, 1, 11)),
        Request("C0001", "BU_US", "Sunny", WINTER_DAY, "morning"),
    ]
    ids = [answer.prediction_id for answer in scorer.recommend([base, *others])]
    renamed = Scorer.from_folders(model_folder, state_folder, model_version="17")
    ids.append(renamed.recommend([base])[0].prediction_id)
    assert len(set(ids)) == len(ids)
    assert all(len(name) == 23 and name.startswith("pr_") for name in ids)
    assert scorer.recommend([base])[0].prediction_id == ids[0]


def test_only_the_catalogue_of_the_day_is_recommended(build, chain, model_folder, tmp_path):
    folder = build.write_state(chain, tmp_path / "state")

    def swap_one(table):
        fields = table.to_pydict()
        fields["product_id"] = ["P900" if product == "P001" else product for product in fields["product_id"]]
        return pa.table(fields)

    build.edit(folder / "products.parquet", swap_one)
    [answer] = Scorer.from_folders(model_folder, folder).recommend([Request("C0001", "USA", "Sunny", WINTER_DAY)])
    assert {ranked.product_id for ranked in answer.ranked} == {"P002", "P003", "P004", "P005", "P900"}
    assert sum(ranked.probability for ranked in answer.ranked) == pytest.approx(1.0, abs=1e-12)


def test_a_chain_without_customers_answers_unknown_customers_and_has_an_empty_batch(
    build, chain, model_folder, tmp_path
):
    folder = build.write_state(chain, tmp_path / "state")
    for name in ("customer_state.parquet", "customer_product_state.parquet"):
        build.edit(folder / name, lambda table: table.slice(0, 0))
    scorer = Scorer.from_folders(model_folder, folder)
    [answer] = scorer.recommend([Request("C0001", "USA", "Sunny", WINTER_DAY)])
    assert not answer.known_customer
    assert list(scorer.batch(WINTER_DAY)) == []


def test_no_requests_no_answers(scorer):
    assert scorer.recommend([]) == []


def test_a_chunk_of_nothing_is_refused(scorer):
    with pytest.raises(ValueError, match="chunk is 0"):
        next(scorer.batch(WINTER_DAY, chunk=0))


def test_a_folder_without_model_is_refused_by_name(state_folder, tmp_path):
    with pytest.raises(InvalidDataError, match="train a model"):
        Scorer.from_folders(tmp_path, state_folder)


def test_scoring_imports_no_heavy_library():
    heavy = "{'pandas', 'sklearn', 'scipy', 'mlflow', 'matplotlib', 'dagster', 'duckdb', 'azure'}"
    code = f"import sys, globolatte_ml.scoring.scorer; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
