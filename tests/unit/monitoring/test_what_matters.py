"""Which columns matter is taken from what the model reads: held against the code that computes columns and dbt's column lineage."""

import datetime as dt
import json
from typing import Any

import pyarrow as pa
import pytest

from globolatte_lineage.columns import LINEAGE_FILE
from globolatte_ml.data.snapshot import LEARNED_COLUMNS
from globolatte_ml.data.states import PRODUCT_LEVEL_COLUMNS
from globolatte_ml.data.vocabulary import UNKNOWN_WEATHER
from globolatte_ml.monitoring.drift_columns import POLICIES
from globolatte_ml.monitoring.orders import EXAMPLE_COLUMNS, FACT_COLUMNS, order_columns
from resources.environment import DBT_PROJECT_FOLDER

ORDER: dict[str, Any] = {
    "order_key": "1",
    "business_unit": "BU_US",
    "business_date": dt.date(2024, 3, 1),
    "main_product_id": "P001",
    "weather": "Sunny",
    "daypart": "morning",
    "order_count": 3,
    "last_order_date": dt.date(2024, 2, 1),
    "payment_method": "Cash",
    "line_count": 1,
}
OTHER = {int: 0, str: "another", dt.date: dt.date(2024, 2, 20)}


def compared(order: dict[str, Any]) -> dict[str, Any]:
    examples, facts = (pa.Table.from_pylist([order]).select(list(names)) for names in (EXAMPLE_COLUMNS, FACT_COLUMNS))
    [row] = order_columns(examples, facts).to_dict("records")
    return {policy.column: row[policy.column] for policy in POLICIES}


@pytest.mark.parametrize("source", [name for name in ORDER if name != "order_key"])
def test_each_column_names_what_it_is_computed_from(source: str) -> None:
    before, after = compared(ORDER), compared({**ORDER, source: OTHER[type(ORDER[source])]})
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {policy.column for policy in POLICIES if source in policy.sources}


def test_a_weather_that_nobody_told_is_a_value_that_is_missing() -> None:
    assert compared({**ORDER, "weather": UNKNOWN_WEATHER})["weather"] is None


def columns_of_the_features() -> set[tuple[str, str]]:
    """Every (model or source, column) that something is made of which the model reads."""
    lineage = json.loads((DBT_PROJECT_FOLDER / "target" / LINEAGE_FILE).read_text())
    examples = "model.globolatte.feat_training_examples"
    products = "model.globolatte.feat_training_example_products"
    pending = [(examples, name) for name in LEARNED_COLUMNS] + [(products, name) for name in PRODUCT_LEVEL_COLUMNS]
    found: set[tuple[str, str]] = set()
    while pending:
        one = pending.pop()
        if one not in found:
            found.add(one)
            model, column = one
            pending += [(made_of, of) for made_of, of in lineage.get(model, {}).get(column, [])]
    return {(model.rpartition(".")[2], column) for model, column in found}


def test_a_column_matters_if_and_only_if_a_feature_is_made_of_it() -> None:
    features = columns_of_the_features()
    assert ("fct_orders", "weather") in features
    read = {column for model, column in features if model in ("fct_orders", "feat_training_examples")}
    assert {policy.column for policy in POLICIES if not read.isdisjoint(policy.sources)} == {
        policy.column for policy in POLICIES if policy.is_needed()
    }
