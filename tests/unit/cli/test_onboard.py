"""`globolatte onboard`: what people see, what is written, and what is said when it cannot be."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from globolatte_cli.errors import UserError
from globolatte_cli.onboard import onboard
from tests.builders import BUSINESS_UNITS_CSV, NOW, csv, line
from tests.unit.ingest.tills.exports import (
    PRODUCTS_CSV,
    american_register,
    database_dump,
    eight_columns,
    mexican_spreadsheet,
    shopify,
    square,
)

Run = Callable[..., Result]


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home that knows its units and products, and nothing else."""
    reference = tmp_path / "landing" / "reference"
    reference.mkdir(parents=True)
    (reference / "business_units.csv").write_bytes(BUSINESS_UNITS_CSV)
    (reference / "products.csv").write_text(PRODUCTS_CSV)
    for export in (american_register(), database_dump(), mexican_spreadsheet(), shopify(), square()):
        (tmp_path / export.file).write_bytes(export.content)
    return tmp_path


@pytest.fixture
def run(home: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command on files of the home."""
    monkeypatch.setenv("GLOBOLATTE_HOME", str(home))
    monkeypatch.setenv("GLOBOLATTE_NOW", f"{NOW:%Y-%m-%dT%H:%M}Z")
    monkeypatch.setenv("COLUMNS", "200")

    def invoke(*arguments: str) -> Result:
        given = [str(home / item) if item.endswith(".csv") else item for item in arguments]
        return CliRunner().invoke(onboard, given)

    return invoke


def units_file(home: Path) -> Path:
    return home / "landing" / "reference" / "units.toml"


def fault(result: Result) -> str:
    assert isinstance(result.exception, UserError), result.exception
    return str(result.exception)


def test_what_was_found_is_shown_and_nothing_is_written(run: Run, home: Path) -> None:
    result = run(mexican_spreadsheet().file, "--unit", "mexico")
    assert result.exit_code == 0, result.output
    for words in (
        "Folio",
        "'Importe' is 'Precio' × quantity",
        "On trial: loaded, 158 rows loaded, 0 in quarantine",
        '"Devolución" = "refund"',
        "says 'Público en general' for nobody",
        "Nothing was written",
    ):
        assert words in result.output
    assert not units_file(home).exists()


def test_a_declaration_is_written_and_what_comes_next_is_said(run: Run, home: Path) -> None:
    units_file(home).write_text('# ours\n[BU_CA]\ndelimiter = "semicolon"\n')
    result = run(mexican_spreadsheet().file, "--unit", "BU_MX", "--write")
    assert result.exit_code == 0, result.output
    written = units_file(home).read_text()
    assert written.startswith('# ours\n[BU_CA]\ndelimiter = "semicolon"\n')
    assert 'order_id = "Folio"' in written
    assert "sales/mexico/<yyyy>/<mm>/<dd>/" in result.output
    assert "Nothing had to be written" in run(mexican_spreadsheet().file, "--unit", "mexico", "--write").output


def test_everything_is_there_for_programs(run: Run) -> None:
    found = json.loads(run(square().file, "--unit", "usa", "--json").output)
    assert found["unit"] == "BU_US"
    assert found["declaration"]["columns"]["order_id"] == "Transaction ID"
    assert found["files"][0]["columns"]["total_price"] == "Net Sales"
    assert found["previews"][square().file]["sums"]["rows"] == 152


def of_day(home: Path, day: str, rows: int, **more: str) -> str:
    """A file of that many lines under the day's folder, where every file is called the same; its path below the home."""
    path = f"exports/2022/01/{day}/sales.csv"
    (home / path).parent.mkdir(parents=True)
    lines = (line(int(day) * 100 + row, transaction_date=f"2022-01-{day}T08:15:00", **more) for row in range(rows))
    (home / path).write_bytes(csv(*lines))
    return path


def test_files_of_several_days_that_are_called_the_same_are_each_tried_under_their_own_date(
    run: Run, home: Path
) -> None:
    days = [of_day(home, "29", 4), of_day(home, "30", 5)]
    found = json.loads(run(*days, "--unit", "usa", "--json").output)
    assert [file["file"] for file in found["files"]] == [str(home / day) for day in days]
    seen = found["previews"][str(home / days[0])]
    assert (seen["status"], seen["sums"]["rows"], seen["reasons"]) == ("loaded", 4, {})
    other = of_day(home, "31", 6, store_id="S1")
    found = json.loads(run(*days, other, "--unit", "usa", "--json").output)
    rows = {path: (seen["status"], seen["sums"]["rows"]) for path, seen in found["previews"].items()}
    assert rows == {str(home / days[0]): ("loaded", 4), str(home / other): ("loaded", 6)}, "two forms"


def test_rows_that_would_be_quarantined_are_shown_with_line_and_reason(run: Run, home: Path) -> None:
    broken = home / "broken.csv"
    broken.write_bytes(square().content.replace(b",Espresso,1.0,", b",Espreso,1.0,", 3))
    result = run("broken.csv", "--unit", "usa")
    assert "What would be quarantined" in result.output
    assert "unknown_product" in result.output
    assert "'Espreso' looks like 'Espresso'" in result.output


def test_a_sample_that_lies_in_the_landing_zone_needs_no_unit(run: Run, home: Path) -> None:
    export = american_register()
    file = home / "landing" / export.path
    file.parent.mkdir(parents=True)
    file.write_bytes(export.content)
    result = run(f"landing/{export.path}")
    assert result.exit_code == 0, result.output
    assert "BU_US" in result.output


def test_another_form_is_not_overwritten_but_if_that_is_meant(run: Run, home: Path) -> None:
    assert run(square().file, "--unit", "usa", "--write").exit_code == 0
    before = units_file(home).read_text()
    assert "BU_US is declared already, and for files of another form" in fault(
        run(american_register().file, "--unit", "usa", "--write")
    )
    assert units_file(home).read_text() == before
    both = run(square().file, american_register().file, "--unit", "usa", "--write", "--replace")
    assert both.exit_code == 0, both.output
    assert units_file(home).read_text().count("[[BU_US.files]]") == 2


def test_what_cannot_be_loaded_is_not_written(run: Run, home: Path) -> None:
    sales = "id,item,qty,amount,date\n" + "".join(f"{n},P001,1,2.50,{n} märz 2022 08:15\n" for n in range(1, 20))
    (home / "march.csv").write_text(sales)
    result = run("march.csv", "--unit", "usa", "--write")
    assert "export dates as numbers" in fault(result)
    assert not units_file(home).exists()


def test_files_of_the_usual_form_need_no_declaration(run: Run, home: Path) -> None:
    (home / "usual.csv").write_bytes(eight_columns().content)
    result = run("usual.csv", "--unit", "usa", "--write")
    assert result.exit_code == 0, result.output
    assert "these files are written the usual way" in result.output
    assert not units_file(home).exists()


def test_a_unit_is_declared_in_one_file_only(run: Run, home: Path) -> None:
    units = home / "landing" / "reference" / "business_units.csv"
    units.write_text("business_unit_id,country,unit_name,folder,date_format\nBU_US,USA,USA,usa,%d/%m/%Y\n")
    said = fault(run(square().file, "--write"))
    assert "business_units.csv declares date_format of BU_US" in said
    assert "empty these columns" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((square().file,), "whose file is it? Name the unit by --unit, one of canada, mexico, usa"),
        (
            (square().file, "--unit", "france"),
            "no business unit has the folder or id 'france'; known: canada, mexico, usa",
        ),
    ],
)
def test_a_unit_that_is_not_known_is_asked_for(run: Run, arguments: tuple[str, ...], said: str) -> None:
    assert said in fault(run(*arguments))


def test_reference_data_comes_first(run: Run, home: Path) -> None:
    (home / "landing" / "reference" / "products.csv").unlink()
    result = run(square().file, "--unit", "usa")
    assert "without the catalogue, nothing can be loaded on trial" in result.output
    (home / "landing" / "reference" / "business_units.csv").unlink()
    assert "put it there first" in fault(run(square().file, "--unit", "usa"))


def test_a_container_is_not_written_to(run: Run, monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    (home / "workbook.csv").write_bytes(b"PK\x03\x04")
    assert "is an Excel workbook" in fault(run("workbook.csv", "--unit", "usa"))
