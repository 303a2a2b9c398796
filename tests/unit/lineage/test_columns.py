"""The lineage of columns, from the raw tables to what the model reads."""

import json
from pathlib import Path

import pytest

from globolatte_lineage.columns import MODEL, MODEL_INPUTS, ColumnLineage, UnknownColumnError
from globolatte_lineage.graph import Trace
from resources.environment import DBT_PROJECT_FOLDER


@pytest.fixture(scope="module")
def columns() -> ColumnLineage:
    return ColumnLineage.of_project(DBT_PROJECT_FOLDER / "target")


def names(trace: Trace) -> set[str]:
    return {node.id.removeprefix("column:") for _, _, node in trace.walk()}


def test_a_feature_leads_to_the_raw_columns_that_it_is_made_from(columns: ColumnLineage) -> None:
    found = names(columns.upstream("features.feat_customer_state.last_order_date"))
    assert {"sales_data.sales_transactions.business_date", "sales_data.sales_transactions.customer_id"} <= found
    assert "sales_data.sales_transactions.promotion" not in found
    assert MODEL in found


def test_a_raw_column_leads_to_the_features_and_the_model(columns: ColumnLineage) -> None:
    found = names(columns.downstream("sales_data.sales_transactions.product_id"))
    assert {"features.feat_customer_product_state.product_id", MODEL} <= found
    assert MODEL not in names(columns.downstream("sales_data.sales_transactions.promotion"))


def test_what_is_upstream_of_a_column_has_that_column_downstream(columns: ColumnLineage) -> None:
    feature = "features.feat_customer_product_state.decayed_main_30d"
    for name in names(columns.upstream(feature)) - {MODEL}:
        assert feature in names(columns.downstream(name))


def test_the_columns_that_the_model_reads_are_there(columns: ColumnLineage) -> None:
    assert columns.made_from.keys() >= MODEL_INPUTS


def test_an_unknown_column_is_answered_with_those_like_it(columns: ColumnLineage) -> None:
    with pytest.raises(UnknownColumnError, match=r"such as .*features\.feat_customer_state\.last_order_date"):
        columns.upstream("features.feat_customer_state.last_order")


def test_without_a_prepared_project_the_remedy_is_said(tmp_path: Path) -> None:
    (tmp_path / "column_lineage.json").write_text(json.dumps({}))
    with pytest.raises(FileNotFoundError, match="run `globolatte prepare`"):
        ColumnLineage.of_project(tmp_path)
