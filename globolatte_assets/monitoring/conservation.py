"""The check that no row is lost, over the whole ledger and independent of the loads' own assertions."""

import dagster as dg

from globolatte_assets.automation import follow_new_data
from globolatte_assets.keys import CONSERVATION, SALES_TRANSACTIONS, WAREHOUSE_POOL
from globolatte_ingest.ledger import Ledger
from resources.warehouse.warehouse import Warehouse


@dg.asset_check(
    asset=SALES_TRANSACTIONS,
    name=CONSERVATION.name,
    automation_condition=follow_new_data(),
    description="For every loaded file: rows in file = rows loaded + rows quarantined, counted in the tables themselves.",
    pool=WAREHOUSE_POOL,
)
def ledger_conservation(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    """Count every loaded file's rows in the tables and compare them with what the file had."""
    with warehouse.transaction() as transaction:
        unbalanced = Ledger(transaction).unbalanced_files()
    listing = "\n".join(
        f"- `{row['path']}`: {row['rows_in_file']} in file, {row['rows_loaded']} loaded, {row['rows_quarantined']} quarantined"
        for row in unbalanced[:50]
    )
    return dg.AssetCheckResult(
        passed=not unbalanced,
        description=f"{len(unbalanced)} files do not add up" if unbalanced else "every row is accounted for",
        metadata={"unbalanced_files": len(unbalanced), "files": dg.MetadataValue.md(listing or "none")},
    )
