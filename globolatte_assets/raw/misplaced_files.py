"""The asset `raw/misplaced_files`: files that belong to no business unit or date, recorded in the ledger as refused."""

import datetime as dt
from collections.abc import Sequence

import dagster as dg
from pydantic import Field

from globolatte_assets.keys import MISPLACED_FILES, OWNER_DATA, WAREHOUSE_POOL
from globolatte_ingest.discovery import last_dates, placed, unrecorded
from globolatte_ingest.ledger import Ledger
from globolatte_ingest.paths import USUAL_LAYOUT, MisplacedFile, PathRules, SalesLayout
from resources.clock import Clock
from resources.landing.landing_zone import LandingZone
from resources.warehouse.warehouse import Warehouse


class MisplacedPaths(dg.Config):
    """The paths to look at; without any, the whole landing zone."""

    paths: list[str] = Field(default_factory=list)


def misplaced_files_asset(
    folders: Sequence[str], first_business_date: dt.date, layout: SalesLayout = USUAL_LAYOUT
) -> dg.AssetsDefinition:
    """Builds the asset for a deployment's business units."""

    @dg.asset(
        key=MISPLACED_FILES,
        pool=WAREHOUSE_POOL,
        owners=[OWNER_DATA],
        kinds={"csv"},
        description="What lies in the landing zone and belongs to no partition (unknown folder, no date, wrong file type, hidden, a "
        "link, a copy left unfinished), and is no reference file. Each is in the load ledger as refused, with the reason and "
        "the remedy.",
    )
    def misplaced_files(
        context: dg.AssetExecutionContext,
        config: MisplacedPaths,
        landing: dg.ResourceParam[LandingZone],
        warehouse: dg.ResourceParam[Warehouse],
        clock: Clock,
    ) -> dg.MaterializeResult:
        paths = config.paths
        listing = [
            file for prefix in paths or [""] for file in landing.files(prefix) if not paths or file.path == prefix
        ]
        with warehouse.transaction() as transaction:
            own_dates = last_dates(transaction, clock.today)
            rules = PathRules(frozenset(folders), first_business_date, clock.today(), own_dates, layout)
            places = placed(unrecorded(transaction, listing), rules)
            found = [item for item in places if isinstance(item, MisplacedFile)]
            Ledger(transaction).refuse_misplaced(found, context.run.run_id, clock.timestamp())
        lines = "\n".join(f"- `{item.file.path}`: {item.reason}" for item in found)
        return dg.MaterializeResult(metadata={"refused": len(found), "files": dg.MetadataValue.md(lines or "none")})

    return misplaced_files
