"""Each till's export loads after `globolatte onboard --write`, without a further edit: every line once, the takings to the cent.

What is in the tables is compared with what was counted while the file was written, by one who knows the till.
"""

from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from globolatte_cli.main import cli
from globolatte_ingest.load import context_of, load_batch
from globolatte_ingest.paths import SalesFile
from globolatte_ingest.reading.landed_bytes import FileLimits
from globolatte_ingest.reference import (
    BUSINESS_UNITS_FILE,
    PRODUCTS_FILE,
    UNIT_DECLARATIONS_FILE,
    load_reference,
)
from resources.landing.folder import FolderLandingZone
from resources.warehouse.duckdb_file import DuckDBWarehouse
from tests.builders import BUSINESS_UNITS_CSV, NOW, RULES, deliver, fetch, landing_in, warehouse_in
from tests.unit.ingest.tills.exports import PRODUCTS_CSV, WRITERS, Export, Truth

EXPORTS: dict[str, Export] = {export.name: export for export in (write() for write in WRITERS)}
LIMITS = FileLimits(10_000_000)


def onboarded(home: Path, export: Export) -> Result:
    """A new home with the chain's reference data, in which the command looked at the export and wrote its declaration."""
    landing = landing_in(home)
    deliver(landing, "reference/business_units.csv", BUSINESS_UNITS_CSV)
    deliver(landing, "reference/products.csv", PRODUCTS_CSV.encode())
    sample = home / "downloads" / export.file
    sample.parent.mkdir()
    sample.write_bytes(export.content)
    arguments = ["onboard", str(sample), "--unit", export.folder, "--write"]
    return CliRunner().invoke(
        cli, arguments, env={"GLOBOLATTE_HOME": str(home), "GLOBOLATTE_NOW": f"{NOW:%Y-%m-%dT%H:%M}Z"}
    )


def loaded(home: Path, folder: str, files: dict[str, bytes]) -> DuckDBWarehouse:
    """Files under their paths, loaded as a run does it."""
    landing, warehouse = FolderLandingZone(folder=str(home / "landing")), warehouse_in(home)
    kinds = [BUSINESS_UNITS_FILE, PRODUCTS_FILE]
    kinds += [UNIT_DECLARATIONS_FILE] if (home / "landing" / UNIT_DECLARATIONS_FILE.path).exists() else []
    for kind in kinds:
        load_reference(kind, landing, warehouse, "run", NOW)
    placed = [RULES.place(deliver(landing, path, content)) for path, content in files.items()]
    assert all(isinstance(item, SalesFile) and item.folder == folder for item in placed), placed
    with warehouse.transaction() as transaction:
        context = context_of(transaction, "run", NOW, LIMITS, 0.2)
    load_batch(warehouse, landing, placed, context)
    return warehouse


def statuses(warehouse: DuckDBWarehouse) -> set[object]:
    return {
        status for (status,) in fetch(warehouse, "select status from sales_data.load_ledger where path like 'sales/%'")
    }


def truth_in(warehouse: DuckDBWarehouse) -> Truth:
    """What the tables say, in the words of the export's truth."""
    [(sales, refunds, voids, takings, anonymous)] = fetch(
        warehouse,
        "select count(*) filter (where kind = 'sale'), count(*) filter (where kind = 'refund'), count(*) filter (where kind = 'void'), "
        "coalesce(sum(total_price) filter (where kind <> 'void'), 0), count(*) filter (where customer_id is null) "
        "from sales_data.sales_transactions",
    )
    return Truth(int(str(sales)), int(str(refunds)), int(str(voids)), Decimal(str(takings)), int(str(anonymous)))


@pytest.mark.parametrize("name", [export.name for export in EXPORTS.values() if export.loads])
def test_a_tills_export_loads_without_a_further_edit(name: str, tmp_path: Path) -> None:
    export = EXPORTS[name]
    result = onboarded(tmp_path, export)
    assert result.exit_code == 0, result.output
    warehouse = loaded(tmp_path, export.folder, {export.path: export.content})
    assert statuses(warehouse) == {"loaded"}
    assert truth_in(warehouse) == export.truth


def test_a_file_of_several_days_loads_under_its_declaration_day_by_day(tmp_path: Path) -> None:
    export = EXPORTS["online_retailer"]
    assert "Can each day be exported by itself?" in onboarded(tmp_path, export).output.replace("\n", " ")
    header, *rows = export.content.splitlines(keepends=True)
    days = {
        f"sales/usa/{day:%Y/%m/%d}/{export.file}": header
        + b"".join(row for row in rows if f",{day.month}/{day.day}/{day.year} ".encode() in row)
        for day in export.days
    }
    warehouse = loaded(tmp_path, "usa", days)
    assert statuses(warehouse) == {"loaded"}
    assert truth_in(warehouse) == export.truth
