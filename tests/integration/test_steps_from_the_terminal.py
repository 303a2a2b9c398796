"""Quarantine, ledger and retraction as a person works with them: from the terminal, with a spreadsheet between."""

import json
from pathlib import Path

import pytest

from resources.warehouse.duckdb_file import DuckDBWarehouse
from tests.builders import csv, line
from tests.homes import Home, NewHome

DATE = "2022-03-01"
PATH = "sales/usa/2022/03/01/late.csv"
PRODUCT = "P999"


@pytest.mark.slow
def test_rows_are_seen_mended_put_back_and_taken_out_and_what_follows_follows(
    home_that_ran: NewHome, tmp_path: Path
) -> None:
    home = home_that_ran()
    file = home.folder / "landing" / PATH
    file.parent.mkdir(parents=True)
    rows = [line(n, transaction_date=f"{DATE}T09:00:00", payment_method="=1+1") for n in (1, 2)]
    file.write_bytes(csv(*rows, line(3, transaction_date=f"{DATE}T09:00:00", quantity="two")))

    held = home.ok("run")
    assert "1 held" in held
    assert json.loads(home.ok("quarantine", "list", "--json"))[0]["status"] == "held"
    assert "bad_number" in home.ok("quarantine", "show", PATH)
    assert "bad_number" in home.ok("quarantine", "show", str(file))  # as the shell completes it
    assert lines(home) == 0

    assert "2 rows loaded, 1 quarantined" in home.ok("quarantine", "release", PATH, "--note", "the till is known")
    exported = tmp_path / "bad.csv"
    home.ok("quarantine", "export", PATH, "--out", str(exported))
    text = exported.read_text(encoding="utf-8-sig")
    exported.write_text(text.replace('"two"', '"2"'))
    assert "3 rows loaded, 0 quarantined" in home.ok("quarantine", "release", PATH, "--rows", str(exported))
    assert json.loads(home.ok("quarantine", "list", "--json")) == []
    home.ok("run")
    assert lines(home) == 3

    assert "3 rows taken out" in home.ok("retract", PATH, "--yes")
    home.ok("run")
    assert lines(home) == 0
    history = json.loads(home.ok("ledger", "show", PATH, "--json"))
    assert [entry["status"] for entry in history["versions"]] == ["superseded", "superseded", "retracted"]
    assert [step["step"] for step in history["steps"]] == ["approve", "release", "retract"]
    assert home.ok("run").startswith("Nothing to do")
    file.with_name("empty.csv").write_bytes(b"")
    assert "1 files refused" in home.ok("run")
    (refused,) = json.loads(home.ok("ledger", "list", "--status", "refused", "--json"))
    assert (refused["path"], refused["reason_code"]) == (str(Path(PATH).with_name("empty.csv")), "empty_file")
    assert "empty_file" in home.ok("ledger", "list")
    assert home.ok("ledger", "list", "--status", "held").strip() == "No file is held."
    wrong = home.command("retract", "sales/usa/2022/03/02/none.csv", "--yes")
    assert (wrong.returncode, "is not in the ledger" in wrong.stderr) == (1, True)


def lines(home: Home) -> int:
    """Order lines of the day that dbt has built."""
    warehouse = DuckDBWarehouse(file=str(home.folder / "warehouse.duckdb"))
    found = warehouse.read("marts.fct_order_lines", ["business_date"]).to_pydict()["business_date"]
    return sum(str(date) == DATE for date in found)
