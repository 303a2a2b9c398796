"""One asset for what each business unit delivers, with a freshness policy of its own: when something of the unit came last.

Nothing here is computed: the units write the files, the ingest run reports what came. Which days are missing is not a matter of
freshness but of the checks in `delivery_checks`.
"""

import datetime as dt
from collections.abc import Sequence

import dagster as dg

from globolatte_assets.code_versions import CODE_REFERENCES
from globolatte_assets.keys import OWNER_DATA
from globolatte_ingest.deliveries import DeliveryPolicy
from globolatte_ingest.ledger import LoadedDay
from resources.settings.choices import MissingDelivery

DAY = dt.timedelta(days=1)

DATA_VERSION = "whatever lies there"
"""One version for good, stored with every event: a new file makes no earlier day of `raw/sales_transactions` out of date."""


def deliveries_key(folder: str) -> dg.AssetKey:
    """The asset of a unit's deliveries, such as `raw/canada_deliveries`."""
    return dg.AssetKey(["raw", f"{folder.replace('-', '_')}_deliveries"])


def freshness_policy(policy: DeliveryPolicy) -> dg.FreshnessPolicy | None:
    """Fresh for a day after something came, then a warning; late once the hours have passed that a delivery may take.

    By Dagster's clock, whatever the unit's time zone: units deliver once a day, so what counts is the time between two deliveries.
    """
    if policy.severity is MissingDelivery.OFF:
        return None
    return dg.FreshnessPolicy.time_window(
        fail_window=DAY + dt.timedelta(hours=max(policy.hours, 1)), warn_window=DAY + dt.timedelta(minutes=30)
    )


def unit_deliveries(folders: Sequence[str], policy: DeliveryPolicy) -> list[dg.AssetSpec]:
    """The assets, one for each unit's landing folder. They are nobody's to materialize by hand."""
    line = unit_deliveries.__code__.co_firstlineno
    declared_here = dg.CodeReferencesMetadataValue(
        code_references=[dg.LocalFileCodeReference(file_path=__file__, line_number=line)]
    )
    return [
        dg.AssetSpec(
            deliveries_key(folder),
            owners=[OWNER_DATA],
            kinds={"csv"},
            description=f"What arrives under `sales/{folder}/` in the landing zone. Reported by the run that loads or holds it. Its "
            "freshness says when something came last; which days are missing is said by the checks of `raw/sales_transactions`.",
            freshness_policy=freshness_policy(policy),
            metadata={CODE_REFERENCES: declared_here},
        )
        for folder in folders
    ]


def delivery_event(folder: str, arrived: Sequence[str], days: Sequence[LoadedDay]) -> dg.AssetMaterialization:
    """The event of a unit whose files came: their paths, and the days that are loaded since."""
    metadata: dict[str, dg.MetadataValue] = {"files": dg.MetadataValue.int(len(arrived))}
    if arrived:
        metadata["latest_file"] = dg.MetadataValue.text(max(arrived))
    if days:
        metadata["last_business_date"] = dg.MetadataValue.text(str(days[-1].date))
    return dg.AssetMaterialization(
        deliveries_key(folder), metadata=metadata, tags={"dagster/data_version": DATA_VERSION}
    )
