"""Quarantined rows on their way into a spreadsheet and back: nothing is run there, nothing is changed on the way."""

import csv as standard_csv
import io
from pathlib import Path

import pyarrow as pa
import pytest

from globolatte_ingest.quarantine_sheets import (
    ALWAYS_EXPORTED,
    escaped,
    export,
    quarantined_rows,
    read_corrections,
    unescaped,
)
from globolatte_ingest.reading.sales import SALES_COLUMNS
from globolatte_ingest.reasons import RefusedError
from resources.landing.folder import FolderLandingZone
from resources.warehouse.duckdb_file import DuckDBWarehouse
from tests.builders import COLUMNS, csv, deliver, line, load, sales, sales_path

A = sales_path("a.csv")
FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", '=HYPERLINK("http://x")', "'=1", "''=1", "'-2"]
HARMLESS = ["", "1", "a=b", "'", "'x", " =1", "☕", "O'Hara"]


@pytest.mark.parametrize("text", FORMULAS + HARMLESS)
def test_escaping_is_undone_exactly(text: str) -> None:
    table = pa.table({"cell": [text]})
    there = escaped(table)["cell"][0].as_py()
    assert unescaped(escaped(table))["cell"][0].as_py() == text
    assert there == ("'" + text if text in FORMULAS else text)
    assert not there.startswith(("=", "+", "-", "@", "\t", "\r"))


def test_formulas_are_stored_as_text_and_exported_escaped(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone, tmp_path: Path
) -> None:
    lines = [
        line(n, payment_method=cell, order_id=f"=O{n}", quantity="-1") for n, cell in enumerate(["=1+1", "@x", "+1"])
    ]
    load(warehouse, landing, deliver(landing, A, csv(*lines, line(9, payment_method="=2+2", customer_id="+49"))))
    assert sales(warehouse, "payment_method, customer_id") == [("=2+2", "+49")]
    with warehouse.transaction() as transaction:
        export(quarantined_rows(transaction, A), tmp_path / "out.csv")
    content = (tmp_path / "out.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")
    rows = list(standard_csv.DictReader(io.StringIO(content.decode("utf-8-sig"))))
    assert [row["payment_method"] for row in rows] == ["'=1+1", "'@x", "'+1"]
    assert [(row["order_id"], row["quantity"]) for row in rows] == [(f"'=O{n}", "'-1") for n in range(3)]
    cells = [cell for row in rows for cell in row.values()]
    assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r")) for cell in cells)


def test_what_was_exported_can_be_read_back_unchanged(
    warehouse: DuckDBWarehouse, landing: FolderLandingZone, tmp_path: Path
) -> None:
    bad = [line(1, quantity="-1", payment_method='=a "b", c'), line(2, product_id="P9", order_id="-2")]
    content = (
        csv(line(7))
        + "".join('"' + '","'.join(v.replace('"', '""') for v in row.values()) + '"\n' for row in bad).encode()
    )
    load(warehouse, landing, deliver(landing, A, content + b"short\n"))
    with warehouse.transaction() as transaction:
        export(quarantined_rows(transaction, A), tmp_path / "out.csv")
    back = read_corrections((tmp_path / "out.csv").read_bytes())
    assert back["row_number"].to_pylist() == [2, 3]  # the row that could not be split has nothing to put back
    assert back.select(list(COLUMNS)).to_pylist() == bad


HEADER = ",".join(("row_number", *SALES_COLUMNS))
ROW = ",".join(line(1).get(column, "") for column in SALES_COLUMNS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (f"{','.join(SALES_COLUMNS)}\n{ROW}\n", "needs the columns row_number"),
        (f"{HEADER}\n", "has a header but no row"),
        (f"{HEADER}\n1,{ROW}\n1,{ROW}\n", "row_number more than once"),
        (f"{HEADER}\none,{ROW}\n", "row_number is no number"),
        (f"{HEADER}\n1,{ROW},x\n", "row 1 has 20 fields"),
    ],
)
def test_corrections_that_cannot_be_read_are_refused_as_a_whole(content: str, message: str) -> None:
    with pytest.raises(RefusedError, match=message):
        read_corrections(content.encode())


@pytest.mark.parametrize("delimiter", [";", "\t"])
def test_a_spreadsheet_may_save_with_another_delimiter(delimiter: str) -> None:
    back = read_corrections(f"{HEADER}\n3,{ROW}\n".replace(",", delimiter).encode())
    assert back["row_number"].to_pylist() == [3]
    assert back.select(list(COLUMNS)).to_pylist() == [line(1)]


def test_of_an_export_of_all_files_only_the_rows_of_the_one_file_are_put_back() -> None:
    """Row numbers count within a file: those of another one would land in the wrong places."""
    other, good = line(2), line(1)
    header = ",".join(("path", "row_number", *COLUMNS, *SALES_COLUMNS[len(COLUMNS) :]))
    rest = "," * (len(SALES_COLUMNS) - len(COLUMNS))
    rows = [f"{A},3,{','.join(good.values())}{rest}", f"{sales_path('b.csv')},3,{','.join(other.values())}{rest}"]
    content = "\n".join([header, *rows, ""]).encode()
    back = read_corrections(content, A)
    assert back["row_number"].to_pylist() == [3]
    assert back.select(list(COLUMNS)).to_pylist() == [good]
    with pytest.raises(RefusedError, match=r"has no row of sales/usa/2022/01/31/c\.csv"):
        read_corrections(content, sales_path("c.csv"))


def test_a_sheet_that_an_earlier_release_exported_is_read_without_the_columns_that_it_did_not_know() -> None:
    sheet = f"path,row_number,{','.join(ALWAYS_EXPORTED)}\n{A},3,T1,O1,BU_US,P001,C1,1,3.50,2022-01-31,card,Sunny\n"
    [row] = read_corrections(sheet.encode(), A).to_pylist()
    assert (row["row_number"], row["transaction_id"], row["weather"]) == (3, "T1", "Sunny")
    assert {row[column] for column in SALES_COLUMNS if column not in ALWAYS_EXPORTED} == {None}
