"""Who owns a transaction id: the first file that delivered it within its business unit and date, decided again at every change."""

import datetime as dt
import itertools
import random

import pytest

from globolatte_ingest.ledger import Ledger
from resources.landing.folder import FolderLandingZone
from resources.warehouse.duckdb_file import DuckDBWarehouse
from tests.builders import (
    UNITS,
    csv,
    deliver,
    deliver_and_load,
    fetch,
    ledger,
    line,
    load,
    quarantine,
    sales,
    sales_path,
)
from tests.unit.ingest.law import Day, Row, Version

A, B = sales_path("a.csv"), sales_path("b.csv")
ONE, TWO = "T00000001", "T00000002"
OTHER_DAY = dt.date(2022, 1, 30)


def test_within_a_file_the_first_row_owns_the_transaction(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    deliver_and_load(warehouse, landing, A, line(1, quantity="x"), line(1), line(2), line(1))
    assert sales(warehouse) == [(A, 2, ONE), (A, 3, TWO)]
    assert quarantine(warehouse) == [(A, 1, "bad_number"), (A, 4, "duplicate_in_file")]


def test_among_files_the_one_delivered_first_owns_the_transaction(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    deliver_and_load(warehouse, landing, B, line(1))
    deliver_and_load(warehouse, landing, A, line(1), line(2))
    assert sales(warehouse) == [(A, 2, TWO), (B, 1, ONE)]
    assert quarantine(warehouse, "path, reason, detail") == [
        (A, "duplicate_across_files", f"transaction {ONE} was delivered first by {B}")
    ]
    assert ledger(warehouse, "path, rows_loaded, rows_quarantined") == [(B, 1, 0), (A, 1, 1)]


def test_within_a_batch_the_first_path_owns_the_transaction(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    load(warehouse, landing, deliver(landing, A, csv(line(1))), deliver(landing, B, csv(line(1))))
    assert sales(warehouse) == [(A, 1, ONE)]
    assert quarantine(warehouse) == [(B, 1, "duplicate_across_files")]


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        (sales_path("a.csv", date=OTHER_DAY), {"transaction_date": f"{OTHER_DAY}T08:15:00"}),
        (sales_path("a.csv", "canada"), {"business_unit": "BU_CA"}),
    ],
    ids=["another-date", "another-unit"],
)
def test_the_same_transaction_id_elsewhere_is_no_duplicate(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone, path: str, fields: dict[str, str]
) -> None:
    deliver_and_load(warehouse, landing, A, line(1))
    deliver_and_load(warehouse, landing, path, line(1, **fields))
    assert len(sales(warehouse)) == 2
    assert quarantine(warehouse) == []


def test_a_row_is_released_from_quarantine_with_all_its_values_when_its_owner_is_corrected(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    later = line(
        1,
        quantity="2",
        total_price="7.10",
        transaction_date="2022-01-31T08:15:00.5",
        payment_method="",
        weather="rainy",
    )
    deliver_and_load(warehouse, landing, A, line(1))
    deliver_and_load(warehouse, landing, B, later)
    everything_of_b = (
        "row_number, quantity, total_price, transaction_date, payment_method, weather, order_id, customer_id"
    )
    deliver_and_load(warehouse, landing, A, line(2))
    assert sales(warehouse) == [(A, 1, TWO), (B, 1, ONE)]
    assert quarantine(warehouse) == []
    released = sales(warehouse, everything_of_b)[1]
    deliver_and_load(warehouse, landing, A)
    deliver_and_load(warehouse, landing, B, later)
    assert sales(warehouse, everything_of_b) == [released]


def test_the_ledger_counts_follow_when_ownership_moves(warehouse: DuckDBWarehouse, landing: FolderLandingZone) -> None:
    counts = "path, rows_in_file, rows_loaded, rows_quarantined"
    deliver_and_load(warehouse, landing, A, line(1))
    deliver_and_load(warehouse, landing, B, line(1), line(3))
    assert ledger(warehouse, counts)[-1] == (B, 2, 1, 1)
    deliver_and_load(warehouse, landing, A, line(2))
    assert ledger(warehouse, counts) == [(A, 1, 1, 0), (B, 2, 2, 0), (A, 1, 1, 0)]


def test_an_owner_that_comes_back_owns_again(warehouse: DuckDBWarehouse, landing: FolderLandingZone) -> None:
    deliver_and_load(warehouse, landing, A, line(1))
    deliver_and_load(warehouse, landing, B, line(1), line(1))
    before = sales(warehouse), quarantine(warehouse)
    deliver_and_load(warehouse, landing, A, line(2))
    assert sales(warehouse) == [(A, 1, TWO), (B, 1, ONE)]
    assert quarantine(warehouse) == [(B, 2, "duplicate_in_file")]
    deliver_and_load(warehouse, landing, A, line(1))
    assert (sales(warehouse), quarantine(warehouse)) == before


def test_a_refused_file_delivered_nothing_so_it_owns_nothing(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    load(warehouse, landing, deliver(landing, A, b"oh no"))
    deliver_and_load(warehouse, landing, B, line(1))
    deliver_and_load(warehouse, landing, A, line(1))
    assert sales(warehouse) == [(B, 1, ONE)]
    deliver_and_load(warehouse, landing, B, line(1, total_price="4.00"))
    assert sales(warehouse) == [(B, 1, ONE)]


def test_a_quarantined_row_owns_nothing(warehouse: DuckDBWarehouse, landing: FolderLandingZone) -> None:
    deliver_and_load(warehouse, landing, A, line(1, weather="Hail"))
    deliver_and_load(warehouse, landing, B, line(1))
    assert sales(warehouse) == [(B, 1, ONE)]
    assert quarantine(warehouse) == [(A, 1, "unknown_weather")]


def test_files_of_equal_content_give_the_same_sales_in_any_order_of_arrival(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    contents = {"a.csv": (1, 2), "b.csv": (2, 3, 3), "c.csv": (3, 4)}
    orders = {dt.date(2022, 1, day): order for day, order in enumerate(itertools.permutations(contents), start=1)}
    for turn in range(3):
        batch = [
            deliver(
                landing,
                sales_path(order[turn], date=date),
                csv(*(line(number, transaction_date=str(date)) for number in contents[order[turn]])),
            )
            for date, order in orders.items()
        ]
        load(warehouse, landing, *batch)
    what = "transaction_id, order_id, product_id, quantity, total_price, payment_method, weather, business_date"
    by_day = [sorted(row[:-1] for row in sales(warehouse, what) if row[-1] == date) for date in orders]
    assert [len(rows) for rows in by_day] == [4] * 6
    assert all(rows == by_day[0] for rows in by_day)


# Against a naive model of the law --------------------------------------------------------------------------------------


def as_row(fields: dict[str, str]) -> Row:
    names = ("transaction_id", "payment_method", "weather", "order_id", "customer_id", "business_unit")
    return Row(*(fields[name] for name in names))


def deliver_to(day: Day, path: str, lines: list[dict[str, str]] | None) -> None:
    day.landed[path] = Version(len(day.landed), None if lines is None else tuple(map(as_row, lines)))
    day.take(path)


def random_lines(chance: random.Random, **fields: str) -> list[dict[str, str]] | None:
    """Up to five lines over few transaction ids, now and then a bad one; now and then a file that is refused."""
    if chance.random() < 0.1:
        return None
    weathers = ["Sunny"] * 5 + ["Hail"]
    return [
        line(
            chance.randint(1, 4),
            order_id=chance.choice(["", "", "O1", "O2"]),
            customer_id=chance.choice(["C1", "C1", "C2", ""]),
            payment_method=chance.choice(["card", "card", "cash"]),
            weather=chance.choice(weathers),
            **fields,
        )
        for _ in range(chance.randint(0, 5))
    ]


@pytest.mark.parametrize("seed", range(2))
def test_random_deliveries_and_corrections_end_as_the_law_says(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone, seed: int
) -> None:
    chance = random.Random(seed)
    days = {
        (folder, dt.date(2022, 1, day)): Day(1.0, unit=UNITS[folder])
        for folder, day in itertools.product(("canada", "usa"), range(1, 5))
    }
    for _ in range(6):
        batch = []
        for (folder, date), law in days.items():
            for name in sorted(chance.sample(["a.csv", "b.csv", "c.csv"], chance.randint(0, 3))):
                path = sales_path(name, folder, date)
                lines = random_lines(chance, business_unit=UNITS[folder], transaction_date=str(date))
                deliver_to(law, path, lines)
                batch.append(deliver(landing, path, b"refused" if lines is None else csv(*lines)))
        load(warehouse, landing, *batch)
        expected = [law.expected() for law in days.values()]
        assert sales(warehouse, "path, row_number, transaction_id, payment_method, customer_id, business_unit") == [
            row[:-1]
            for loaded, _ in expected
            for row in loaded  # the model of a day knows no other date
        ]
        assert quarantine(warehouse) == [row for _, quarantined in expected for row in quarantined]
        with warehouse.transaction() as transaction:
            assert Ledger(transaction).unbalanced_files() == []


# What is said of it ----------------------------------------------------------------------------------------------------


def test_a_line_id_with_other_values_is_a_conflict_that_names_the_other_file_and_the_difference(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    deliver_and_load(warehouse, landing, A, line(1), line(2), line(2, quantity="2"))
    deliver_and_load(warehouse, landing, B, line(1, total_price="4.00"))
    assert sales(warehouse) == [(A, 1, ONE), (A, 2, TWO)]
    assert quarantine(warehouse, "path, reason, detail") == [
        (A, "conflict_in_file", f"transaction {TWO} stands earlier in this file, in row 2, with other values (quantity 2, there 1)"),
        (
            B,
            "conflict_across_files",
            f"transaction {ONE} has other values in {A} (total_price 4.00, there 3.50); a transaction_id names one line of its unit, date "
            "and store_id: correct one of the files",
        ),
    ]  # fmt: skip
    assert ledger(warehouse, "path, status, reason") == [
        (A, "loaded", None),
        (B, "loaded", f"nothing of it is loaded: 1 conflict_across_files (such as of {A})"),
    ]
    deliver_and_load(warehouse, landing, A, line(1, total_price="4.00"))
    assert quarantine(warehouse) == [(B, 1, "duplicate_across_files")]
    assert ledger(warehouse, "reason")[1] == (f"nothing of it is loaded: all 1 rows repeat those of {A}",)
    deliver_and_load(warehouse, landing, A, line(2))
    assert sales(warehouse) == [(A, 1, TWO), (B, 1, ONE)]
    assert ledger(warehouse, "reason")[1] == (None,)


def test_two_tills_with_ids_of_their_own_hold_the_second_file_unless_stores_are_told(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    till = [line(number, total_price=f"{number}.00") for number in range(1, 11)]
    other = [line(number, product_id="P002") for number in range(1, 11)]
    deliver_and_load(warehouse, landing, A, *till)
    report = load(warehouse, landing, deliver(landing, B, csv(*other)), max_bad_share=0.2)
    assert report.held[0][1].startswith("10 of 10 rows are bad, more than 20%")
    assert {reason for _, reason in fetch(warehouse, "select load_id, reason from sales_data.quarantine")} == {
        "conflict_across_files"
    }
    told = [csv(*(row | {"store_id": store} for row in rows)) for store, rows in (("S1", till), ("S2", other))]
    load(
        warehouse,
        landing,
        *(deliver(landing, path, content) for path, content in zip((A, B), told, strict=True)),
        max_bad_share=0.2,
    )
    assert len(sales(warehouse)) == 20
    assert quarantine(warehouse) == []


def test_lines_without_a_customer_take_the_one_of_their_order_and_an_order_of_several_is_quarantined(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    lines = [
        line(1, order_id="O1", customer_id=""),
        line(2, order_id="O1", customer_id="C2"),
        line(3, order_id="O2", customer_id="C1"),
        line(4, order_id="O2", customer_id=""),
        line(5, order_id="O2", customer_id="C2"),
        line(6, order_id="", customer_id=""),
        line(7, order_id="O3", customer_id=""),
    ]
    deliver_and_load(warehouse, landing, A, *lines)
    assert sales(warehouse, "row_number, customer_id") == [(1, "C2"), (2, "C2"), (6, None), (7, None)]
    detail = (
        "order O2 names customers C1 and C2; an order_id names one order of its unit, date and store_id: correct the file, or send each "
        "shop's sales by itself"
    )
    assert quarantine(warehouse, "row_number, reason, detail") == [
        (number, "order_of_several_customers", detail) for number in (3, 4, 5)
    ]


@pytest.mark.parametrize("paths", [(A, B), (B, A)], ids=["whole-order-first", "part-first"])
def test_a_line_that_comes_again_without_the_rest_of_its_order_is_no_conflict(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone, paths: tuple[str, str]
) -> None:
    named = line(2, order_id="O1", customer_id="C2")
    anonymous = line(1, order_id="O1", customer_id="")
    contents = {A: [anonymous, named], B: [anonymous]}
    for path in paths:
        deliver_and_load(warehouse, landing, path, *contents[path])
    assert quarantine(warehouse) == [(paths[1], 1, "duplicate_across_files")]
    deliver_and_load(warehouse, landing, sales_path("c.csv"), line(2, order_id="O1", customer_id="C3"))
    assert quarantine(warehouse, "path, reason")[-1] == (sales_path("c.csv"), "conflict_across_files")


def test_customer_ids_that_went_through_a_program_for_numbers_are_noted(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone
) -> None:
    report = deliver_and_load(warehouse, landing, A, line(1, customer_id="1001.0"), line(2, customer_id="C1"))
    [(path, note)] = report.notes
    assert path == A
    assert note.startswith("note: 1 rows have a customer_id that ends in '.0', a number with a decimal point")
    assert "1001" not in note
    assert ledger(warehouse, "status, reason") == [("loaded", note)]
