"""Drift verdicts: what counts as drift, what as broken data, and what Evidently must never be given."""

import datetime as dt
import json
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from globolatte_ml.monitoring.accepted import AcceptedChange
from globolatte_ml.monitoring.drift import measure_drift
from globolatte_ml.monitoring.drift_columns import POLICIES, ColumnPolicy, Method, Reference
from globolatte_ml.monitoring.orders import reference_orders
from globolatte_ml.monitoring.verdicts import ColumnVerdict, DriftVerdict, Status
from globolatte_ml.monitoring.windows import CHAIN
from tests.unit.monitoring.monitoring_builders import FIRST, orders, snapshot, window

SNAPSHOT = snapshot()
LAUNCHED = {"P001": 0.35, "P002": 0.2, "P003": 0.15, "P004": 0.3}
NEEDED = [policy.column for policy in POLICIES if policy.is_needed()]
OTHERS = [policy.column for policy in POLICIES if not policy.is_needed()]


def verdict(now: pd.DataFrame, **of_window: int) -> DriftVerdict:
    return measure_drift(window(len(now), **of_window), now, SNAPSHOT).verdict


def column(found: DriftVerdict, name: str) -> ColumnVerdict:
    return next(one for one in found.columns if one.column == name)


def test_the_same_customers_have_not_drifted() -> None:
    found = verdict(orders(400))
    assert found.status is Status.OK
    assert {one.column for one in found.columns} == {policy.column for policy in POLICIES}
    assert found.reference_orders > 300


def test_another_mix_of_products_has_drifted_and_the_column_is_named() -> None:
    found = verdict(orders(400, mix={"P001": 0.2, "P002": 0.3, "P003": 0.5}))
    assert found.status is Status.DRIFTED
    assert [one.column for one in found.columns if one.status is Status.DRIFTED] == ["main_product_id"]


def test_a_product_that_is_new_has_drifted() -> None:
    assert verdict(orders(400, mix={"P001": 0.4, "P002": 0.25, "P003": 0.15, "P004": 0.2})).status is Status.DRIFTED


def test_a_number_that_moved_has_drifted() -> None:
    now = orders(400)
    now["days_since_last_order"] += 40
    assert column(verdict(now), "days_since_last_order").status is Status.DRIFTED


@pytest.mark.parametrize("name", NEEDED)
def test_an_empty_column_is_broken_data_and_no_drift(name: str) -> None:
    now = orders(400)
    now[name] = None
    found = verdict(now)
    assert found.status is Status.BROKEN
    assert f"100% of {name} is empty" in found.faults[0]


@pytest.mark.parametrize("name", NEEDED)
def test_a_missing_column_is_broken_data(name: str) -> None:
    assert verdict(orders(400).drop(columns=name)).status is Status.BROKEN


def test_a_column_that_is_half_empty_is_broken_data() -> None:
    now = orders(400)
    now.loc[::3, "weather"] = None
    assert "34% of weather is empty" in verdict(now).faults[0]


def test_broken_data_that_drifted_are_broken() -> None:
    found = verdict(orders(400, mix={"P001": 0.1, "P002": 0.1, "P003": 0.8}), quarantined=200)
    assert found.status is Status.BROKEN
    assert "33% of 600 delivered rows were quarantined" in "; ".join(found.faults)


def test_a_window_without_any_order_is_measured_by_its_delivery() -> None:
    found = measure_drift(window(0, quarantined=500), orders(0), SNAPSHOT)
    assert found.verdict.status is Status.BROKEN
    assert found.html() is None


def test_a_constant_column_is_left_out() -> None:
    constant = SNAPSHOT.assign(payment_method="Cash")
    found = measure_drift(window(), orders(400).assign(payment_method="Cash"), constant).verdict
    assert column(found, "payment_method").status is Status.LEFT_OUT
    assert found.status is Status.OK


def test_a_column_that_the_snapshot_lacks_is_left_out() -> None:
    found = measure_drift(window(), orders(400), SNAPSHOT.drop(columns="basket_size")).verdict
    assert column(found, "basket_size").note == "the snapshot lacks the column"


def test_the_business_unit_is_compared_for_the_chain_alone() -> None:
    now = orders(800)
    found = measure_drift(window(400, scope="BU_US"), now[now["business_unit"] == "BU_US"], SNAPSHOT).verdict
    assert "business_unit" not in {one.column for one in found.columns}


def test_the_report_is_one_page_that_needs_no_network() -> None:
    page = measure_drift(window(), orders(400), SNAPSHOT).html()
    assert page is not None
    assert page.lstrip().lower().startswith("<html") or "<!doctype html" in page[:200].lower()
    assert 'src="http' not in page


def test_thresholds_are_those_of_the_policy() -> None:
    strict = [ColumnPolicy("weather", Method.JENSEN_SHANNON, 0.0001)]
    assert measure_drift(window(), orders(400), SNAPSHOT, strict).verdict.status is Status.DRIFTED


# Columns that neither the load nor the model needs ---------------------------------------------------------------------


def emptied(values: pd.Series) -> pd.Series:
    return values.map(lambda _: None)


def half_emptied(values: pd.Series) -> pd.Series:
    return values.where(np.arange(len(values)) % 2 == 0, None)


def masked(values: pd.Series) -> pd.Series:
    return values.map(lambda _: "****")


def recoded(values: pd.Series) -> pd.Series:
    return values.map(lambda value: f"{value[:2]}-7")


def card_numbers(values: pd.Series) -> pd.Series:
    return pd.Series([f"**** **** **** {number * 7919 % 10_000:04}" for number in range(len(values))], values.index)


CHANGES = {
    "emptied": (emptied, Status.NOTED, "100% of {} is empty"),
    "half emptied": (half_emptied, Status.NOTED, "50% of {} is empty"),
    "masked": (masked, Status.NOTED, "it changed"),
    "recoded": (recoded, Status.NOTED, "it changed"),
    "card numbers": (
        card_numbers,
        Status.LEFT_OUT,
        "mostly single values in the window: 400 different ones in 400 orders",
    ),
}


def test_which_columns_matter() -> None:
    assert OTHERS == ["payment_method"]


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize(("change", "status", "note"), CHANGES.values(), ids=CHANGES)
def test_a_change_in_a_column_that_nobody_needs_is_noted_and_the_window_is_sound(
    change: Callable[[pd.Series], pd.Series], status: Status, note: str, name: str
) -> None:
    now = orders(400)
    now[name] = change(now[name])
    found = verdict(now)
    assert (found.status, found.faults) == (Status.OK, ())
    assert column(found, name).status is status
    assert note.format(name) in column(found, name).note


def test_a_column_that_nobody_needs_may_be_missing() -> None:
    found = verdict(orders(400).drop(columns=OTHERS))
    assert found.status is Status.OK
    assert all("is missing; neither the load nor the model needs it" in column(found, name).note for name in OTHERS)


def test_a_launch_is_found_although_tills_stopped_filling_a_column_that_nobody_needs() -> None:
    now = orders(400, mix={"P001": 0.35, "P002": 0.2, "P003": 0.15, "P004": 0.3})
    now["payment_method"] = None
    assert verdict(now).status is Status.DRIFTED


def test_a_column_that_a_unit_declares_as_required_is_needed() -> None:
    now = orders(400)
    now["payment_method"] = None
    found = measure_drift(window(), now, SNAPSHOT, required=["payment_method"]).verdict
    assert found.status is Status.BROKEN


def test_a_needed_column_that_became_constant_has_drifted() -> None:
    now = orders(400).assign(daypart="morning")
    assert column(verdict(now), "daypart").status is Status.DRIFTED


def test_products_whose_names_became_single_values_have_drifted() -> None:
    now = orders(400)
    now["main_product_id"] = card_numbers(now["main_product_id"])
    assert column(verdict(now), "main_product_id").status is Status.DRIFTED


def test_where_products_hardly_come_again_they_are_not_compared() -> None:
    """As in a supermarket: the distance between two windows would be chance alone."""
    now, before = orders(400), SNAPSHOT.copy()
    now["main_product_id"] = card_numbers(now["main_product_id"])
    before["main_product_id"] = [f"S{number % 5000}" for number in range(len(before))]
    found = measure_drift(window(), now, before).verdict
    assert found.status is Status.OK
    assert "mostly single values" in column(found, "main_product_id").note


def test_the_page_s_headline_counts_the_columns_that_matter() -> None:
    now = orders(400)
    now["payment_method"] = masked(now["payment_method"])
    report = measure_drift(window(), now, SNAPSHOT).report
    assert report is not None
    counts = [
        one for one in json.loads(report.json())["metrics"] if one["config"]["type"].endswith("DriftedColumnsCount")
    ]
    assert [count["value"]["count"] for count in counts] == [0]


# Changes that a person accepted -----------------------------------------------------------------------------------------


def accepted_verdict(
    now: pd.DataFrame, change: AcceptedChange, since: pd.DataFrame | None = None, scope: str = CHAIN
) -> DriftVerdict:
    return measure_drift(window(len(now), scope), now, SNAPSHOT, accepted=[change], since_snapshot=since).verdict


@pytest.mark.parametrize("name", [policy.column for policy in POLICIES if policy.is_categorical])
def test_a_column_whose_loss_was_accepted_breaks_no_window(name: str) -> None:
    now = orders(400)
    now[name] = None if name != "business_unit" else "BU_MX"
    assert verdict(now).status is not Status.OK or name in OTHERS
    found = accepted_verdict(now, AcceptedChange(name, None, FIRST))
    assert found.status is Status.OK
    assert "accepted as the new normal since 2024-03-01" in column(found, name).note


def launched(n: int, first: dt.date = FIRST, seed: int = 0) -> pd.DataFrame:
    return orders(n, first, seed=seed, mix=LAUNCHED)


def test_an_accepted_change_is_compared_with_the_orders_since_then() -> None:
    since = launched(300, FIRST - dt.timedelta(days=21), seed=9)
    change = AcceptedChange("main_product_id", None, FIRST - dt.timedelta(days=21))
    assert accepted_verdict(launched(400), change, since).status is Status.OK
    further = orders(400, mix={"P001": 0.05, "P002": 0.05, "P004": 0.9})
    assert accepted_verdict(further, change, since).status is Status.DRIFTED
    assert accepted_verdict(orders(400), change, since).status is Status.DRIFTED, "back to what was normal is a change"


def test_the_acceptance_of_one_column_says_nothing_about_another() -> None:
    change = AcceptedChange("weather", None, FIRST)
    assert accepted_verdict(launched(400), change).status is Status.DRIFTED


def test_a_change_is_accepted_from_its_date_on() -> None:
    later = AcceptedChange("main_product_id", None, FIRST + dt.timedelta(days=21))
    assert accepted_verdict(launched(400), later).status is Status.DRIFTED


def test_a_unit_whose_change_was_accepted_is_left_out_of_the_chain_s_comparison() -> None:
    now = orders(800)
    mine = now["business_unit"] == "BU_US"
    now.loc[mine, "weather"] = None
    change = AcceptedChange("weather", "BU_US", FIRST)
    assert verdict(now).status is Status.BROKEN
    found = accepted_verdict(now, change)
    assert found.status is Status.OK
    assert "without BU_US" in column(found, "weather").note
    assert accepted_verdict(now[mine], change, scope="BU_US").status is Status.OK
    now["weather"] = None
    assert accepted_verdict(now, change).status is Status.BROKEN, "the other unit's loss was not accepted"
    assert accepted_verdict(now[~mine], change, scope="BU_CA").status is Status.BROKEN


def test_a_window_in_whose_middle_the_change_came_is_judged_from_there_on() -> None:
    now = orders(400)
    now.loc[now["business_date"] >= pd.Timestamp(FIRST) + pd.Timedelta(days=10), "weather"] = None
    assert verdict(now).status is Status.BROKEN
    assert accepted_verdict(now, AcceptedChange("weather", None, FIRST + dt.timedelta(days=10))).status is Status.OK


# References ------------------------------------------------------------------------------------------------------------


def test_the_reference_is_of_the_same_time_of_year() -> None:
    seasonal = reference_orders(SNAPSHOT, window()).seasonal
    assert set(seasonal["business_date"].dt.month) <= {2, 3, 4}
    assert set(seasonal["business_date"].dt.year) == {2022, 2023, 2024}


def test_a_season_never_seen_is_compared_with_everything() -> None:
    autumn = SNAPSHOT[SNAPSHOT["business_date"].dt.month.isin([9, 10, 11])]
    found = reference_orders(autumn, window())
    assert "the whole snapshot" in found.description
    assert len(found.seasonal) == len(autumn)


def test_a_thin_season_is_widened() -> None:
    assert "45 days" in reference_orders(snapshot(1500), window()).description


def test_a_units_reference_is_its_own() -> None:
    assert set(reference_orders(SNAPSHOT, window(scope="BU_CA")).seasonal["business_unit"]) == {"BU_CA"}


def test_slow_columns_are_compared_with_the_last_orders() -> None:
    recent = reference_orders(SNAPSHOT, window()).recent
    assert recent["business_date"].min() > pd.Timestamp(2023, 9, 1)
    assert {policy.column for policy in POLICIES if policy.reference is Reference.RECENT} >= {"is_new_customer"}


def after_a_launch(now: pd.DataFrame, fresh_days: int = 30, fresh_orders: int = 400) -> DriftVerdict:
    """The verdict where the champion's snapshot ends with orders after a launch."""
    fresh_from = FIRST - dt.timedelta(days=fresh_days)
    fresh = orders(fresh_orders, fresh_from, fresh_days, seed=5, mix=LAUNCHED)
    learned = pd.concat([SNAPSHOT[SNAPSHOT["business_date"] < pd.Timestamp(fresh_from)], fresh], ignore_index=True)
    return measure_drift(window(len(now)), now, learned, fresh_from=fresh_from).verdict


def test_a_change_that_the_champion_learned_is_no_drift() -> None:
    found = after_a_launch(orders(400, mix=LAUNCHED, seed=6))
    assert found.status is Status.OK
    assert "new when the champion learned" in column(found, "main_product_id").note


def test_a_further_change_is_drift_again() -> None:
    assert after_a_launch(orders(400, mix={"P001": 0.1, "P002": 0.1, "P004": 0.8})).status is Status.DRIFTED


def test_too_few_new_orders_prove_nothing() -> None:
    assert after_a_launch(orders(400, mix=LAUNCHED, seed=6), fresh_orders=90).status is Status.DRIFTED


def test_going_back_to_how_it_was_last_year_is_no_drift() -> None:
    assert after_a_launch(orders(400, seed=6)).status is Status.OK
