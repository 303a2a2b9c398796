"""Quarantine, ledger, correction and retraction as a person works with them: from the terminal, with a spreadsheet between."""

import json
from pathlib import Path

import pytest

from tests.builders import csv, line, sales
from tests.homes import Home, NewHome, warehouse

DATE = "2022-03-01"
PATH = "sales/usa/2022/03/01/late.csv"
PRODUCT = "P999"


@pytest.mark.slow
def test_rows_are_seen_mended_put_back_and_taken_out_and_what_follows_follows(
    home_that_ran: NewHome, tmp_path: Path
) -> None:
    home = home_that_ran()
    before = lines(home)
    file = home.folder / "landing" / PATH
    file.parent.mkdir(parents=True)
    rows = [line(n, transaction_date=f"{DATE}T09:00:00", payment_method="=1+1") for n in (1, 2)]
    file.write_bytes(csv(*rows, line(3, transaction_date=f"{DATE}T09:00:00", quantity="two")))
    file.with_name("empty.csv").write_bytes(b"")
    corrected = max((home.folder / "landing").glob("sales/usa/**/*.csv"), key=lambda file: len(file.read_text()))
    header, *kept = corrected.read_text().splitlines()
    corrected.write_text("\n".join([header.replace(",quantity", ",amount"), *kept]) + "\n")

    looked = home.ok("run")
    assert "2 files refused, 1 held" in looked
    assert "column 'quantity' is missing" in looked
    assert lines(home) == before
    assert json.loads(home.ok("quarantine", "list", "--json"))[0]["status"] == "held"
    assert "bad_number" in home.ok("quarantine", "show", PATH)
    assert "bad_number" in home.ok("quarantine", "show", str(file))  # as the shell completes it
    refused = json.loads(home.ok("ledger", "list", "--status", "refused", "--json"))
    reasons = {entry["path"]: entry["reason_code"] for entry in refused}
    assert reasons[str(Path(PATH).with_name("empty.csv"))] == "empty_file"
    assert len(reasons) == 2
    assert "empty_file" in home.ok("ledger", "list")
    assert lines(home, DATE) == 0

    assert "2 rows loaded, 1 quarantined" in home.ok("quarantine", "release", PATH, "--note", "the till is known")
    exported = tmp_path / "bad.csv"
    home.ok("quarantine", "export", PATH, "--out", str(exported))
    text = exported.read_text(encoding="utf-8-sig")
    exported.write_text(text.replace('"two"', '"2"'))
    assert "3 rows loaded, 0 quarantined" in home.ok("quarantine", "release", PATH, "--rows", str(exported))
    assert json.loads(home.ok("quarantine", "list", "--json")) == []
    corrected.write_text("\n".join([header, *kept[1:], "bad,row"]) + "\n")
    assert "1 rows quarantined" in home.ok("run")
    assert lines(home, DATE) == 3
    assert lines(home) == before - 1 + 3

    again = home.ok("quarantine", "retry", "--unit", "BU_US")
    assert f"{Path(PATH).with_name('empty.csv')}: refused" in again
    assert f"{corrected.relative_to(home.folder / 'landing')}: " in again
    assert PATH not in again
    assert lines(home) == before - 1 + 3
    assert (
        "no business unit has the folder or id 'france'"
        in home.command("quarantine", "retry", "--unit", "france").stderr
    )
    assert "give the PATH of one file, or --unit" in home.command("quarantine", "retry").stderr

    assert "3 rows taken out" in home.ok("retract", PATH, "--yes")
    assert (PATH,) not in sales(warehouse(home), "path")
    assert "nothing of it is loaded or held (it is retracted)" in home.command("retract", PATH, "--yes").stderr
    history = json.loads(home.ok("ledger", "show", PATH, "--json"))
    assert [entry["status"] for entry in history["versions"]] == ["superseded", "superseded", "retracted"]
    assert [step["step"] for step in history["steps"]] == ["approve", "release", "retract"]
    assert home.ok("ledger", "list", "--status", "held").strip() == "No file is held."
    wrong = home.command("retract", "sales/usa/2022/03/02/none.csv", "--yes")
    assert (wrong.returncode, "is not in the ledger" in wrong.stderr) == (1, True)


def lines(home: Home, date: str | None = None) -> int:
    """Order lines that dbt has built, of the day alone if it is named."""
    found = warehouse(home).read("marts.fct_order_lines", ["business_date"]).to_pydict()["business_date"]
    return sum(date in (None, str(one)) for one in found)
