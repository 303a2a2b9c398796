"""The business units' deliveries: for each unit an asset, whose freshness shows the latest arrival, and a check of its missing days.

Nothing is computed here: the units write the files, and the ingest run reports what arrived. Each unit has its own check, so that the
others do not hide a missing unit; Dagster's freshness policy does not consider which day a file is for.
"""

import datetime as dt
from collections.abc import Iterator, Sequence

import dagster as dg

from globolatte_assets.automation import hourly_and_after_new_data
from globolatte_assets.code_versions import CODE_REFERENCES
from globolatte_assets.keys import OWNER_DATA, SALES_TRANSACTIONS, WAREHOUSE_POOL
from globolatte_ingest.deliveries import DeliveryPolicy, missing_of_units
from globolatte_ingest.ledger import LoadedDay
from resources.clock import Clock
from resources.settings.choices import MissingDelivery
from resources.warehouse.warehouse import Warehouse

DAY = dt.timedelta(days=1)

DATA_VERSION = "whatever lies there"
"""The constant data version of every event: a new file must not make earlier days of `raw/sales_transactions` out of date."""


def deliveries_key(folder: str) -> dg.AssetKey:
    """The asset of a unit's deliveries, such as `raw/canada_deliveries`."""
    return dg.AssetKey(["raw", f"{folder.replace('-', '_')}_deliveries"])


def freshness_policy(policy: DeliveryPolicy) -> dg.FreshnessPolicy | None:
    """Fresh for a day after an arrival, then a warning; late once the hours have passed that a delivery may take.

    By Dagster's clock, whatever the unit's time zone: units deliver once a day, so what counts is the time between two deliveries.
    """
    if policy.severity is MissingDelivery.OFF:
        return None
    return dg.FreshnessPolicy.time_window(
        fail_window=DAY + dt.timedelta(hours=max(policy.hours, 1)), warn_window=DAY + dt.timedelta(minutes=30)
    )


def unit_deliveries(folders: Sequence[str], policy: DeliveryPolicy) -> list[dg.AssetSpec]:
    """The assets, one for each unit's landing folder. They are not materialized by hand."""
    line = unit_deliveries.__code__.co_firstlineno
    declared_here = dg.CodeReferencesMetadataValue(
        code_references=[dg.LocalFileCodeReference(file_path=__file__, line_number=line)]
    )
    return [
        dg.AssetSpec(
            deliveries_key(folder),
            owners=[OWNER_DATA],
            kinds={"csv"},
            description=f"What arrives under `sales/{folder}/` in the landing zone. Reported by the run that loads it. Its "
            "freshness says when something came last; which days are missing is said by the checks of `raw/sales_transactions`.",
            freshness_policy=freshness_policy(policy),
            metadata={CODE_REFERENCES: declared_here},
        )
        for folder in folders
    ]


def delivery_event(folder: str, arrived: Sequence[str], days: Sequence[LoadedDay]) -> dg.AssetMaterialization:
    """The event of a unit whose files arrived: their paths, and the days that are loaded since."""
    metadata: dict[str, dg.MetadataValue] = {"files": dg.MetadataValue.int(len(arrived))}
    if arrived:
        metadata["latest_file"] = dg.MetadataValue.text(max(arrived))
    if days:
        metadata["last_business_date"] = dg.MetadataValue.text(str(days[-1].date))
    return dg.AssetMaterialization(
        deliveries_key(folder), metadata=metadata, tags={"dagster/data_version": DATA_VERSION}
    )


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
