"""The check that nothing waits for a person: over the whole ledger, the landing zone and the units, not over the last load only."""

import datetime as dt
from collections.abc import Sequence

import dagster as dg

from globolatte_assets.automation import follow_new_data, hourly_and_after_new_data
from globolatte_assets.keys import DELIVERED_ONCE, NOTHING_WAITS, SALES_TRANSACTIONS, WAREHOUSE_POOL
from globolatte_ingest.paths import USUAL_LAYOUT, PathRules, SalesLayout
from globolatte_ingest.waiting import LATEST_DAYS, delivered_twice, what_waits
from resources.clock import Clock
from resources.landing.landing_zone import LandingZone
from resources.warehouse.warehouse import Warehouse


def waiting_check(
    folders: Sequence[str], first_business_date: dt.date, layout: SalesLayout = USUAL_LAYOUT, *, lists_whole: bool
) -> dg.AssetChecksDefinition:
    """Builds the check for a deployment's partitions. `lists_whole`: listing the whole landing zone is cheap."""

    @dg.asset_check(
        asset=SALES_TRANSACTIONS,
        name=NOTHING_WAITS.name,
        automation_condition=hourly_and_after_new_data(),
        pool=WAREHOUSE_POOL,
        description="No file is held, refused or misplaced, no load crashed, and every unit has its partition: looks at everything that is "
        "not settled, however long ago it came.",
    )
    def nothing_waits_for_a_person(
        landing: dg.ResourceParam[LandingZone], warehouse: dg.ResourceParam[Warehouse], clock: Clock
    ) -> dg.AssetCheckResult:
        rules = PathRules(sorted(folders), first_business_date, clock.today(), layout=layout)
        items = what_waits(warehouse, landing, rules, clock.timestamp(), lists_whole=lists_whole)
        listing = "\n".join(f"- {item.text}" for item in items)
        return dg.AssetCheckResult(
            passed=not items,
            severity=dg.AssetCheckSeverity.WARN,
            description=items[0].text + (f" (and {len(items) - 1} more)" if len(items) > 1 else "")
            if items
            else "nothing waits",
            metadata={"waiting": len(items), "what": dg.MetadataValue.md(listing or "nothing")},
        )

    return nothing_waits_for_a_person


@dg.asset_check(
    asset=SALES_TRANSACTIONS,
    name=DELIVERED_ONCE.name,
    automation_condition=follow_new_data(),
    pool=WAREHOUSE_POOL,
    description="No two files of a unit's day hold the same sales under other ids: such sales would count twice. Compared are files with "
    f"equally many rows, of the {LATEST_DAYS} days that such files came for last.",
)
def no_day_delivered_twice(warehouse: dg.ResourceParam[Warehouse]) -> dg.AssetCheckResult:
    """Compare the files of each day that has several, by their rows without ids."""
    with warehouse.transaction() as transaction:
        twice = delivered_twice(transaction)
    listing = "\n".join(f"- {one}" for one in twice[:50])
    return dg.AssetCheckResult(
        passed=not twice,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(twice)} days, such as {twice[0]}" if twice else "no day's sales are loaded twice",
        metadata={"days": len(twice), "files": dg.MetadataValue.md(listing or "none")},
    )
