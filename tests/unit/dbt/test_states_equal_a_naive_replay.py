"""Law 3 (point in time) and law 4 (one definition), held against a replay in plain Python.

Belongs here: comparisons of whole tables with replay.py. Single expressions have their dbt unit tests beside the models.
"""

from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from random import Random

import duckdb
import pandas as pd
import pytest

from globolatte_ml.data.snapshot import REFUNDS_FILE, read_snapshot
from globolatte_ml.training.proofs import states_that_know_the_future
from tests.unit.dbt import replay
from tests.unit.dbt.built_warehouse import BuiltWarehouse
from tests.unit.dbt.random_chain import ledger_entry, random_chain

WAYS_OF_REFUNDS = {
    "in part, by pieces": "from marts.fct_refunds where 0 < -quantity and -quantity < product_quantity",
    "of money alone": "from marts.fct_refunds where quantity = 0 and order_key is not null",
    "one after the other": """
        select order_key from marts.fct_refunds group by order_key, product_id having count(distinct business_date) > 1""",
    "more than was left": """
        select order_key from marts.fct_refunds group by order_key, product_id having -sum(quantity) > max(product_quantity)""",
    "not of the latest order": """
        select refund.* from marts.fct_refunds as refund join marts.fct_orders as later
            on later.customer_id = refund.named_customer_id and later.business_unit = refund.business_unit
            and later.store_id is not distinct from refund.store_id and later.business_date > refund.order_date
            and later.ordered_at < refund.transacted_at
        join marts.fct_order_lines as line
            on line.order_key = later.order_key and line.product_id = refund.product_id and line.booking = 'sold'
        where refund.refunded_order_id is null and refund.order_key <> refund.receipt_key""",
    "before its sale in the file": """
        select refund.* from marts.fct_order_lines as refund join marts.fct_refunds as found using (order_line_key)
        join marts.fct_order_lines as sold
            on sold.order_key = found.order_key and sold.load_id = refund.load_id and sold.booking = 'sold'
        where refund.file_row_number < sold.file_row_number""",
    "of what another unit sold": """
        from marts.fct_refunds as refund
        where order_key is null and exists (
            select * from marts.fct_order_lines as sold
            where sold.business_unit <> refund.business_unit and sold.order_id = refund.refunded_order_id
                and sold.business_date = refund.refunded_date and sold.product_id = refund.product_id
        )""",
    "in its order's currency, without naming it": "from marts.fct_refunds where named_currency is null and currency is not null",
    "in another currency than its order": """
        select refund.* from marts.fct_refunds as refund join marts.fct_orders as sold using (order_key)
        where refund.currency <> sold.currency""",
    "of an order in several currencies": """
        select refund.* from marts.fct_refunds as refund join marts.fct_orders as sold using (order_key)
        where sold.total_price is null""",
    "of an order that is not there": "from marts.fct_refunds where refunded_order_id is not null and order_key is null",
}


@pytest.fixture(scope="module")
def warehouse(build_warehouse: Callable[..., BuiltWarehouse]) -> BuiltWarehouse:
    chain = random_chain(seed=7, orders=2500, customers=120, days=200)
    superseded = ledger_entry("superseded", "BU_US", chain.load_ledger[0]["business_date"], 9999, rows=5, loaded=5)
    chain.load_ledger.append(superseded | {"status": "superseded", "superseded_by": "BU_US-2022-01-01"})
    of_no_unit = {"load_id": "products", "path": "reference/products.csv", "business_unit": None, "business_date": None}
    chain.load_ledger.append(superseded | of_no_unit)
    return build_warehouse(chain)


@pytest.fixture(scope="module")
def orders(warehouse: BuiltWarehouse) -> list[replay.Order]:
    return [order for order in replay.orders_with_a_main_product(warehouse.chain) if order.customer_id is not None]


def assert_same_product_states(actual: pd.DataFrame, expected: dict[str, replay.State]) -> None:
    states = {row.pop("product_id"): row for row in actual.to_dict("records")}
    assert states.keys() == expected.keys()
    for product_id, state in expected.items():
        assert states[product_id] == pytest.approx(state, rel=1e-9, abs=0), product_id


def test_the_build_passes_all_its_tests(warehouse: BuiltWarehouse) -> None:
    assert warehouse.failed == set()


def test_the_chain_is_irregular_enough(warehouse: BuiltWarehouse, orders: list[replay.Order]) -> None:
    all_orders = warehouse.read("select * from marts.fct_orders")
    lines = warehouse.read("select * from marts.fct_order_lines")
    days = all_orders.groupby(["customer_id", "business_date"]).size()
    shared_ids = all_orders.groupby(["business_date", "order_id"]).business_unit.nunique()
    assert len(all_orders) - len(orders) > 50, "too few orders without a main product"
    assert (days > 1).sum() > 50, "too few days with several orders of one customer"
    assert (shared_ids > 1).sum() > 50, "too few order ids shared by units"
    assert all_orders.customer_id.isna().sum() > 100, "too few anonymous orders"
    assert set(lines.booking) == {"sold", "voided", "voids", "refunds"}
    assert all_orders.store_id.notna().sum() > 100, "too few orders of a store"
    assert all_orders.order_id.isna().sum() > 100, "too few lines without an order"


def test_examples_are_the_orders_with_a_main_product(warehouse: BuiltWarehouse, orders: list[replay.Order]) -> None:
    columns = "order_key, customer_id, business_unit, business_date, ordered_at, daypart, weather"
    examples = warehouse.read(f"select {columns}, main_product_id from features.feat_training_examples")
    expected = {tuple(getattr(order, name) for name in examples.columns) for order in orders}
    assert set(examples.itertuples(index=False, name=None)) == expected
    assert len(examples) == len(orders)


def test_anonymous_orders_count_in_sales(warehouse: BuiltWarehouse) -> None:
    orders = warehouse.read("select * from marts.fct_orders")
    anonymous = orders[orders.customer_id.isna()]
    days = warehouse.read("select * from intermediate.int_daily_sales")
    assert (days.order_count.sum(), days.anonymous_orders.sum()) == (len(orders), len(anonymous))
    some = days[days.order_count > 0]
    assert (some.anonymous_share == some.anonymous_orders / some.order_count).all()
    assert days[days.order_count == 0].anonymous_share.isna().all()
    pairs = warehouse.read("select sum(orders) as orders from intermediate.int_basket_pairs where region = 'chain'")
    assert pairs.orders[0] == orders.main_product_id.notna().sum()


def test_every_cent_is_booked(warehouse: BuiltWarehouse) -> None:
    expected = sum(Decimal(str(row["total_price"])) for row in warehouse.chain.sales_transactions)
    for table in ("intermediate.int_daily_sales", "intermediate.int_daily_product_sales", "marts.fct_order_lines"):
        assert warehouse.read(f"select sum(total_price) as total from {table}").total[0] == expected, table
    months = warehouse.read("select sum(reporting_price) as total from marts.mart_monthly_sales where scope = 'chain'")
    assert months.total[0] == expected


def test_an_order_is_in_one_currency_or_has_no_amount(warehouse: BuiltWarehouse) -> None:
    orders = warehouse.read("select order_key, currency, total_price from marts.fct_orders")
    found = {row.order_key: (row.currency, row.total_price) for row in orders.itertuples()}
    assert found == {
        key: (sold.currency, sold.total_price) for key, sold in replay.sold_orders(warehouse.chain).items()
    }
    counts = Counter((currency, total is None) for currency, total in found.values())
    assert counts.keys() == {(None, False), ("USD", False), ("MXN", False), (None, True)}
    assert min(counts.values()) > 50, counts


def test_refunds_are_booked_off_where_they_belong(warehouse: BuiltWarehouse) -> None:
    expected = {
        (refund.row["business_unit"], str(refund.row["business_date"]), refund.row["transaction_id"]): (
            refund.order_key,
            refund.customer_id,
            refund.currency,
        )
        for refund in replay.refunds(warehouse.chain)
    }
    columns = "f.business_unit, f.business_date, l.transaction_id, f.order_key, f.customer_id, f.currency"
    found = warehouse.read(
        f"select {columns} from marts.fct_refunds f join marts.fct_order_lines l using (order_line_key)"
    )
    actual = {(row[0], str(row[1]), row[2]): (row[3], row[4], row[5]) for row in found.itertuples(index=False)}
    assert actual == expected
    assert len({key for key, *_ in actual.values()}) > 50, "too few refunds of a known order"
    assert sum(key is None for key, *_ in actual.values()) > 10, "too few refunds of an unknown order"


def test_refunds_are_irregular_enough(warehouse: BuiltWarehouse) -> None:
    """Every way in which something is taken back is there to be compared."""
    found = {
        name: warehouse.read(f"select count(*) as n from ({query})").n[0] for name, query in WAYS_OF_REFUNDS.items()
    }
    assert {name: n for name, n in found.items() if n < 5} == {}


def test_example_states_know_exactly_the_earlier_dates(warehouse: BuiltWarehouse, orders: list[replay.Order]) -> None:
    sample = Random(1).sample(orders, 700)
    examples = warehouse.read("select * from features.feat_training_examples").set_index("order_key")
    products = warehouse.read("select * from features.feat_training_example_products")
    by_key = dict(list(products.groupby("order_key")))
    for order in sample:
        past = replay.history(orders, order.customer_id, before=order.business_date)
        expected = replay.customer_state(past)
        assert examples.loc[order.order_key, list(expected)].to_dict() == expected, order.order_key
        actual = by_key.get(order.order_key, products.iloc[:0]).drop(columns="order_key")
        assert_same_product_states(actual, replay.product_states(past))


def test_current_states_know_everything(warehouse: BuiltWarehouse, orders: list[replay.Order]) -> None:
    states = warehouse.read("select * from features.feat_customer_state").to_dict("records")
    products = warehouse.read("select * from features.feat_customer_product_state")
    by_customer = dict(list(products.groupby("customer_id")))
    locations = {row["customer_id"]: row["location"] for row in warehouse.chain.customers}
    known = warehouse.read("select customer_id from marts.fct_orders union select customer_id from marts.fct_refunds")
    sold_to = set(known.customer_id.dropna())
    left = [order for order in (order.known_before(None) for order in orders) if order is not None]
    assert {state["customer_id"] for state in states} == set(locations) | sold_to
    for state in states:
        customer_id = state.pop("customer_id")
        past = replay.history(orders, customer_id)
        home = replay.home_business_unit(past, locations.get(customer_id), warehouse.chain, left)
        assert state == {"home_business_unit": home} | replay.customer_state(past), customer_id
        actual = by_customer.get(customer_id, products.iloc[:0]).drop(columns="customer_id")
        assert_same_product_states(actual, replay.product_states(past))


def test_ids_without_reference_have_a_dimension_row(warehouse: BuiltWarehouse) -> None:
    customers = warehouse.read("select * from marts.dim_customer where not is_in_reference order by customer_id")
    products = warehouse.read("select * from marts.dim_product where not is_in_reference")
    assert list(customers.customer_id) == ["W1", "W2"]
    assert list(customers.marketing_opt_out) == [True, True]
    assert list(products.product_id) == list(products.product_name) == ["P006"]


def test_the_calendar_covers_whole_years_for_every_unit(warehouse: BuiltWarehouse) -> None:
    calendar = warehouse.read("select * from marts.dim_calendar order by business_unit, date")
    expected = pd.date_range("2022-01-01", "2022-12-31")
    for _, unit in calendar.groupby("business_unit"):
        assert list(unit.date) == list(expected.date)
        assert list(unit.day_of_week) == list(expected.dayofweek + 1)
        assert list(unit.month) == list(expected.month)
    holidays = calendar[calendar.is_holiday.astype(bool)]
    assert list(zip(holidays.business_unit, holidays.date.astype(str), holidays.holiday_name, strict=True)) == [
        ("BU_MX", "2022-02-07", "Constitution Day"),
        ("BU_US", "2022-01-17", "Another Day; Martin Luther King Jr. Day"),
    ]
    assert sorted(calendar.business_unit.unique()) == ["BU_CA", "BU_MX", "BU_US"]


def test_holidays_reach_the_examples(warehouse: BuiltWarehouse, orders: list[replay.Order]) -> None:
    examples = warehouse.read("select order_key from features.feat_training_examples where is_holiday")
    expected = {
        order.order_key
        for order in orders
        if (order.business_unit, str(order.business_date)) in {("BU_US", "2022-01-17"), ("BU_MX", "2022-02-07")}
    }
    assert set(examples.order_key) == expected
    assert expected


def test_the_leakage_proof_follows_refunds(warehouse: BuiltWarehouse, tmp_path: Path) -> None:
    exported = {
        "examples.parquet": "select * from features.feat_training_examples order by ordered_at, order_key",
        "example_products.parquet": "select * from features.feat_training_example_products",
        "products.parquet": "select * from marts.dim_product",
        REFUNDS_FILE: "select * from features.feat_training_example_refunds",
    }
    with duckdb.connect(str(warehouse.path), read_only=True) as connection:
        for file, query in exported.items():
            connection.execute(f"copy ({query}) to '{tmp_path / file}' (format parquet)")
    snapshot = read_snapshot(tmp_path)
    refunded = warehouse.read("select distinct order_key from features.feat_training_example_refunds")
    assert snapshot.taken_back is not None
    assert set(snapshot.taken_back.order_keys) == set(refunded.order_key)
    assert not set(refunded.order_key) & set(snapshot.order_keys)
    looked_at, differ = states_that_know_the_future(snapshot)
    assert looked_at > 100
    assert differ == 0
    (tmp_path / REFUNDS_FILE).unlink()
    assert states_that_know_the_future(read_snapshot(tmp_path))[1] > 0
