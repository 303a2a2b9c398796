"""The checks that every business unit has delivered: one for each unit, so that a silent unit is not hidden by the others.

Dagster's freshness policy of each unit (`unit_deliveries`) knows when something came last, not which day it was for.
"""

from collections.abc import Iterator, Sequence

import dagster as dg

from globolatte_assets.automation import hourly_and_after_new_data
from globolatte_assets.keys import SALES_TRANSACTIONS, WAREHOUSE_POOL
from globolatte_ingest.deliveries import DeliveryPolicy, missing_of_units
from resources.clock import Clock
from resources.settings.choices import MissingDelivery
from resources.warehouse.warehouse import Warehouse


def check_name(folder: str) -> str:
    """The name of a unit's check, such as `canada_has_delivered`."""
    return f"{folder.replace('-', '_')}_has_delivered"


def delivery_checks(folders: Sequence[str], policy: DeliveryPolicy) -> dg.AssetChecksDefinition:
    """Builds the checks. With the severity `block`, what follows new sales waits until every unit has delivered."""
    specs = [
        dg.AssetCheckSpec(
            check_name(folder),
            asset=SALES_TRANSACTIONS,
            description=f"{folder} has delivered every business date of the last {policy.days} that ended more than "
            f"{policy.hours:g} hours ago, by its own time zone.",
            blocking=policy.severity is MissingDelivery.BLOCK,
            automation_condition=hourly_and_after_new_data(),
        )
        for folder in folders
    ]
    severity = dg.AssetCheckSeverity.WARN if policy.severity is MissingDelivery.WARN else dg.AssetCheckSeverity.ERROR

    @dg.multi_asset_check(specs=specs, name="units_have_delivered", pool=WAREHOUSE_POOL)
    def units_have_delivered(warehouse: dg.ResourceParam[Warehouse], clock: Clock) -> Iterator[dg.AssetCheckResult]:
        with warehouse.transaction() as transaction:
            found = missing_of_units(transaction, folders, policy, clock.now())
        for missing in found:
            yield dg.AssetCheckResult(
                asset_key=SALES_TRANSACTIONS,
                check_name=check_name(missing.folder),
                passed=not missing.dates,
                severity=severity,
                description=str(missing),
                metadata={"missing": [str(date) for date in missing.dates], "watched_dates": missing.watched},
            )

    return units_have_delivered
