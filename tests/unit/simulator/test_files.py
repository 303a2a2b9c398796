"""The written dataset: every line once, every day a file, the truth beside the landing zone. Not here: behaviour."""

import csv
import hashlib
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from simulator import Simulation, WrittenDataset, sales_csv, simulate, write

HEADER = [
    "transaction_id",
    "order_id",
    "business_unit",
    "product_id",
    "customer_id",
    "quantity",
    "total_price",
    "transaction_date",
    "payment_method",
    "weather",
]
START, END = date(2023, 12, 20), date(2024, 1, 15)


def small_chain(seed: int = 3) -> Simulation:
    return simulate(orders=120, customers=150, seed=seed, start=START, end=END)


@pytest.fixture(scope="module")
def chain() -> Simulation:
    return small_chain()


@pytest.fixture(scope="module")
def written(chain: Simulation, tmp_path_factory: pytest.TempPathFactory) -> WrittenDataset:
    return write(chain, tmp_path_factory.mktemp("dataset"))


def sales_rows(landing: Path) -> pd.DataFrame:
    """All lines of all sales files by the standard library's CSV reader, with the folder and date of their path."""
    rows = []
    for file in sorted(landing.glob("sales/*/*/*/*/sales.csv")):
        folder, *day = file.relative_to(landing / "sales").parts[:-1]
        with file.open(newline="", encoding="utf-8") as text:
            reader = csv.reader(text)
            assert next(reader) == HEADER
            rows += [[*row, folder, "-".join(day)] for row in reader]
    return pd.DataFrame(rows, columns=[*HEADER, "folder", "date"])


def content_hashes(root: Path) -> dict[str, str]:
    files = (file for file in sorted(root.rglob("*")) if file.is_file())
    return {str(file.relative_to(root)): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def test_every_simulated_line_is_in_exactly_one_file(chain: Simulation, written: WrittenDataset) -> None:
    rows = sales_rows(written.landing).sort_values("transaction_id").reset_index(drop=True)
    lines, orders = chain.lines, chain.orders
    of_line = orders.loc[lines["order"]].reset_index(drop=True)
    assert len(rows) == len(lines) == written.order_lines
    assert rows["transaction_id"].tolist() == [f"T{number:08d}" for number in range(1, len(lines) + 1)]
    assert rows["order_id"].tolist() == [f"O{order + 1:07d}" for order in lines["order"]]
    assert rows["product_id"].tolist() == [f"P{product + 1:03d}" for product in lines["product"]]
    assert rows["customer_id"].tolist() == [f"C{customer + 1:04d}" for customer in of_line["customer"]]
    assert rows["quantity"].astype(int).tolist() == lines["quantity"].tolist()
    assert rows["transaction_date"].tolist() == of_line["ordered_at"].dt.strftime("%Y-%m-%dT%H:%M:%S").tolist()
    weather = np.array(["Sunny", "Rainy", "Snowy", "Cloudy"])[of_line["weather"]]
    assert rows["weather"].tolist() == weather.tolist()
    units = np.array(["BU_US", "BU_CA", "BU_MX"])[of_line["business_unit"]]
    assert rows["business_unit"].tolist() == units.tolist()


def test_a_line_lies_in_the_file_of_its_unit_and_local_date(written: WrittenDataset) -> None:
    rows = sales_rows(written.landing)
    folder = rows["business_unit"].map({"BU_US": "usa", "BU_CA": "canada", "BU_MX": "mexico"})
    assert (folder == rows["folder"]).all()
    assert (rows["transaction_date"].str[:10] == rows["date"]).all()


def test_the_lines_of_an_order_are_adjacent_and_its_main_product_first(
    chain: Simulation, written: WrittenDataset
) -> None:
    rows = sales_rows(written.landing)
    starts = rows["order_id"] != rows["order_id"].shift()
    assert starts.sum() == rows["order_id"].nunique() == 120
    main = rows[starts].set_index("order_id")["product_id"].sort_index()
    assert main.tolist() == [f"P{product + 1:03d}" for product in chain.orders["main_product"]]


def test_total_price_is_price_times_quantity(written: WrittenDataset) -> None:
    prices = pd.read_csv(written.landing / "reference/products.csv", dtype=str).set_index("product_id")["price"]
    rows = sales_rows(written.landing)
    cents = prices.loc[rows["product_id"]].astype(float).to_numpy() * 100 * rows["quantity"].astype(int).to_numpy()
    assert rows["total_price"].tolist() == [f"{value / 100:.2f}" for value in cents.round()]


def test_a_day_without_sales_is_a_header_alone(written: WrittenDataset) -> None:
    files = sorted(written.landing.glob("sales/*/*/*/*/sales.csv"))
    assert len(files) == written.sales_files == 3 * 27
    header_only = [file for file in files if file.read_text() == ",".join(HEADER) + "\n"]
    rows = sales_rows(written.landing)
    assert len(header_only) == written.empty_sales_files == len(files) - len(rows.groupby(["folder", "date"]))
    assert header_only


def test_two_years_are_2190_files(tmp_path: Path) -> None:
    calls: list[tuple[int, int]] = []
    dataset = write(simulate(orders=50, customers=5), tmp_path, lambda done, total: calls.append((done, total)))
    assert dataset.sales_files == len(list(tmp_path.glob("landing/sales/*/*/*/*/sales.csv"))) == 2190
    assert calls == [(number, 2190) for number in range(1, 2191)]


def test_customers_without_orders_are_customers_too(chain: Simulation, written: WrittenDataset) -> None:
    customers = pd.read_csv(written.landing / "reference/customers.csv", dtype=str)
    assert list(customers) == ["customer_id", "customer_name", "email", "location", "marketing_opt_out"]
    assert customers["customer_id"].tolist() == [f"C{number:04d}" for number in range(1, 151)]
    assert (chain.truth.order_count == 0).any()
    assert customers["email"].is_unique
    assert customers["email"].str.fullmatch(r"[a-z]+\.[a-z]+\.\d+@example\.com").all()
    assert set(customers["marketing_opt_out"]) == {"true", "false"}
    country = customers["location"].str.split(", ").str[1]
    assert country.tolist() == np.array(["USA", "Canada", "Mexico"])[chain.truth.home].tolist()


def test_reference_files_have_the_documented_columns(written: WrittenDataset) -> None:
    units = pd.read_csv(written.landing / "reference/business_units.csv")
    assert list(units) == ["business_unit_id", "country", "unit_name", "folder", "time_zone"]
    assert units["folder"].tolist() == ["usa", "canada", "mexico"]
    products = pd.read_csv(written.landing / "reference/products.csv", dtype=str)
    assert list(products) == ["product_id", "product_name", "category", "price", "stock_quantity"]
    assert products["price"].tolist() == ["3.00", "4.25", "4.75", "4.50", "4.00", "3.50"]


def test_the_truth_is_beside_the_landing_zone_and_never_in_it(written: WrittenDataset) -> None:
    root = written.landing.parent
    assert sorted(path.name for path in root.iterdir()) == ["landing", "truth"]
    landed = {path.relative_to(written.landing).parts[0] for path in written.landing.rglob("*") if path.is_file()}
    assert landed == {"sales", "reference"}
    assert {path.suffix for path in written.landing.rglob("*") if path.is_file()} == {".csv"}
    text = "".join(path.read_text() for path in written.landing.rglob("*.csv"))
    for hidden in ("purist", "comfort", "explorer", "taste", "habit", "segment", "probability"):
        assert hidden not in text
    assert sorted(path.name for path in written.truth.iterdir()) == [
        "README.txt",
        "customers.parquet",
        "order_probabilities.parquet",
        "parameters.json",
    ]


def test_the_true_probabilities_of_every_order_are_written(chain: Simulation, written: WrittenDataset) -> None:
    table = pq.read_table(written.truth / "order_probabilities.parquet").to_pandas()
    assert list(table) == ["order_id", "product_id", "probability"]
    wide = table.pivot_table(index="order_id", columns="product_id", values="probability")
    assert wide.index.tolist() == [f"O{number:07d}" for number in range(1, 121)]
    np.testing.assert_array_equal(wide.to_numpy(), chain.probabilities)
    np.testing.assert_allclose(wide.sum(axis=1), 1.0, atol=1e-12)


def test_equal_arguments_give_equal_bytes(chain: Simulation, written: WrittenDataset, tmp_path: Path) -> None:
    write(small_chain(), tmp_path)
    assert content_hashes(tmp_path) == content_hashes(written.landing.parent)


def test_the_size_of_a_block_changes_no_byte(
    chain: Simulation, written: WrittenDataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sales_csv, "LINES_PER_BLOCK", 7)
    write(chain, tmp_path)
    assert content_hashes(tmp_path) == content_hashes(written.landing.parent)


def test_an_interrupted_write_is_completed_by_writing_again(chain: Simulation, tmp_path: Path) -> None:
    whole = write(chain, tmp_path)
    before = content_hashes(tmp_path)
    for file in list(whole.landing.rglob("sales.csv"))[::2]:
        file.unlink()
    write(chain, tmp_path)
    assert content_hashes(tmp_path) == before


def test_two_datasets_never_share_a_landing_zone(chain: Simulation, tmp_path: Path) -> None:
    write(chain, tmp_path)
    before = content_hashes(tmp_path)
    with pytest.raises(FileExistsError, match="another dataset; choose another folder"):
        write(small_chain(seed=4), tmp_path)
    assert content_hashes(tmp_path) == before


def test_identifiers_grow_with_their_number(tmp_path: Path) -> None:
    dataset = write(simulate(orders=20, customers=10_000, start=START, end=START), tmp_path)
    customers = pd.read_csv(dataset.landing / "reference/customers.csv", dtype=str)["customer_id"]
    assert [customers.iloc[0], customers.iloc[-1]] == ["C00001", "C10000"]
    assert set(sales_rows(dataset.landing)["customer_id"]) <= set(customers)
