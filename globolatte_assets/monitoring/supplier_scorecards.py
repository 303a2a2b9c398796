"""The asset `monitoring/supplier_scorecards`: one page per business unit on its deliveries, week by week, to be sent to the unit."""

import hashlib
import json
from functools import partial

import dagster as dg

from globolatte_assets.keys import OWNER_DATA, SUPPLIER_FAULTS, SUPPLIER_SCORECARDS, SUPPLIER_WEEKS, WAREHOUSE_POOL
from globolatte_assets.monitoring.reports import StoredPages
from globolatte_assets.pictures import drawn, image
from globolatte_ingest.scorecard import FAULTS_TABLE, WEEKS_TABLE, Scorecard, as_html, plot_of_weeks, scorecards
from resources.warehouse.warehouse import Warehouse


def cards_of(warehouse: Warehouse) -> list[Scorecard]:
    """The scorecards of all units that have delivered something."""
    units = warehouse.read("marts.dim_business_unit", ["business_unit_id", "unit_name"], order_by=["business_unit_id"])
    order = ["business_unit", "week_start"]
    weeks = warehouse.read(WEEKS_TABLE, order_by=order)
    faults = warehouse.read(FAULTS_TABLE, order_by=[*order, "kind", "reason"])
    return scorecards(units.to_pylist(), weeks.to_pylist(), faults.to_pylist())


def summary(cards: list[Scorecard], pages: StoredPages) -> str:
    """All units in one table, each with the link to its page, as Markdown."""
    columns = ("days_late", "corrections", "files_refused", "files_held", "rows_loaded", "rows_quarantined")
    head = ("unit", *(column.replace("_", " ") for column in columns))
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * len(columns)}"]
    for card in cards:
        numbers = " | ".join(f"{card.total(column):,}" for column in columns)
        lines.append(f"| [{card.business_unit}]({pages.url(card.business_unit)}) | {numbers} |")
    return "\n".join(lines)


def supplier_scorecards_asset(pages: StoredPages, delivery_hours: float) -> dg.AssetsDefinition:
    """Builds the asset; `pages` stores one page per unit. A delivery is late after `delivery_hours`."""

    @dg.asset(
        key=SUPPLIER_SCORECARDS,
        deps=[SUPPLIER_WEEKS, SUPPLIER_FAULTS],
        pool=WAREHOUSE_POOL,
        owners=[OWNER_DATA],
        kinds={"python", "html"},
        description="One page per business unit on what it delivered week by week, how late, what it corrected, and what could not be "
        "taken up, with the reasons. It holds nothing about customers and can be sent to the unit as it is.",
    )
    def supplier_scorecards(warehouse: dg.ResourceParam[Warehouse]) -> dg.MaterializeResult:
        cards = cards_of(warehouse)
        links: dict[str, dg.MetadataValue] = {}
        for card in cards:
            plot, note = drawn(partial(plot_of_weeks, card))
            pages.store(card.business_unit, as_html(card, delivery_hours, plot))
            links[f"page_{card.business_unit}"] = dg.MetadataValue.url(pages.url(card.business_unit))
            links[f"weeks_{card.business_unit}"] = image(plot) if plot else dg.MetadataValue.text(note)
        content = json.dumps([[card.weeks, card.faults] for card in cards], default=str, sort_keys=True)
        return dg.MaterializeResult(
            metadata={"dagster/row_count": len(cards), "units": dg.MetadataValue.md(summary(cards, pages)), **links},
            data_version=dg.DataVersion(hashlib.sha256(content.encode()).hexdigest()[:16]),
        )

    return supplier_scorecards
