"""The asset `raw/sales_transactions`: landed sales files, loaded exactly once, one partition per business unit and date."""

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import dagster as dg

from globolatte_assets.keys import BUSINESS_UNITS, OWNER_DATA, PRODUCTS, SALES_TRANSACTIONS, WAREHOUSE_POOL
from globolatte_assets.partitions import partition_key
from globolatte_assets.raw.landing_paths import PathRules, SalesFile
from globolatte_assets.raw.ledger import (
    Announcement,
    LoadedDay,
    announce,
    known_files_under,
    loaded_days,
    open_attempts,
    take_over,
)
from globolatte_assets.raw.loading import LoadContext, LoadReport, batches, load_batch
from globolatte_assets.raw.pending import new_sales
from resources.clock import Clock
from resources.event_log import event_log_kept_open
from resources.landing import SALES_PREFIX, LandingZone
from resources.warehouse import Warehouse

DATA_VERSION_TAG = "dagster/data_version"
NO_FILE_REFUSED = "no_file_refused"
NO_ROW_QUARANTINED = "no_row_quarantined"

DESCRIPTION = """Each day's order lines as the business units delivered them.

A file is loaded exactly once: its rows, its quarantined rows and its ledger entry commit in one transaction. A file whose
content changed replaces its earlier rows. A day is materialized when a file was really loaded for it; a day without a file
stays missing."""


@dataclass(frozen=True)
class LoadLimits:
    """Bounds of a load: bytes per transaction, bytes per file."""

    batch_bytes: int
    max_file_bytes: int


def missing_reference_data(table: str, file: str) -> dg.Failure:
    """The error for a load that came before its reference data."""
    return dg.Failure(
        description=f"{table} is empty: put {file} into the landing zone and materialize raw/{table.partition('.')[2]} "
        "(`globolatte run` does), then load again",
        allow_retries=False,
    )


def units_by_folder(warehouse: Warehouse) -> dict[str, str]:
    """The business unit's id by its landing folder. Raises `dagster.Failure` when reference data is missing."""
    units = warehouse.read("sales_data.business_units", ["folder", "business_unit_id"]).to_pydict()
    if not units["folder"]:
        raise missing_reference_data("sales_data.business_units", "reference/business_units.csv")
    if not warehouse.read("sales_data.products", ["product_id"]).num_rows:
        raise missing_reference_data("sales_data.products", "reference/products.csv")
    return dict(zip(units["folder"], units["business_unit_id"], strict=True))


def wanted_dates(partition_keys: Iterable[str]) -> dict[str, set[dt.date]]:
    """The dates asked for, by landing folder."""
    dates: dict[str, set[dt.date]] = defaultdict(set)
    for key in partition_keys:
        folder, _, date = key.partition("|")
        dates[folder].add(dt.date.fromisoformat(date))
    return dict(dates)


def prefixes(folder: str, dates: Iterable[dt.date]) -> list[str]:
    """The fewest landing prefixes worth listing: a month's where several of its days are wanted, else the day's."""
    by_month: dict[str, set[dt.date]] = defaultdict(set)
    for date in dates:
        by_month[f"{date:%Y/%m}"].add(date)
    return [
        f"{SALES_PREFIX}{folder}/{month}/" if len(days) > 1 else f"{SALES_PREFIX}{folder}/{min(days):%Y/%m/%d}/"
        for month, days in sorted(by_month.items())
    ]


def pending_in(
    warehouse: Warehouse, landing: LandingZone, folder: str, dates: set[dt.date], rules: PathRules
) -> list[SalesFile]:
    """The new or changed files of a unit's dates, in path order."""
    common = f"{SALES_PREFIX}{folder}/"
    with warehouse.transaction() as transaction:
        known = known_files_under(transaction, prefixes(folder, dates)[0] if len(dates) == 1 else common)
    listing = (file for prefix in prefixes(folder, dates) for file in landing.files(prefix))
    placed = new_sales(listing, known, rules)
    return [item for item in placed if isinstance(item, SalesFile) and item.date in dates]


def unreported(
    days: Iterable[LoadedDay], reported: Mapping[str, Mapping[str, str]], dates: set[dt.date]
) -> list[LoadedDay]:
    """The loaded days whose present content Dagster has not been told of: loaded just now, or before a kill."""
    return [
        day
        for day in days
        if day.date in dates
        and reported.get(partition_key(day.folder, day.date), {}).get(DATA_VERSION_TAG) != day.data_version
    ]


def _log_materializations(context: dg.AssetExecutionContext, days: Iterable[LoadedDay]) -> int:
    count = 0
    for day in days:
        count += 1
        context.log_event(
            dg.AssetMaterialization(
                asset_key=SALES_TRANSACTIONS,
                partition=partition_key(day.folder, day.date),
                metadata={
                    "dagster/partition_row_count": day.rows_loaded,
                    "rows_quarantined": day.rows_quarantined,
                    "files": dg.MetadataValue.text(", ".join(day.files)),
                },
                tags={DATA_VERSION_TAG: day.data_version},
            )
        )
    return count


def _load_folder(
    context: dg.AssetExecutionContext,
    warehouse: Warehouse,
    landing: LandingZone,
    folder: str,
    dates: set[dt.date],
    rules: PathRules,
    load_context: LoadContext,
    batch_bytes: int,
) -> LoadReport:
    if folder not in load_context.units_by_folder:
        raise dg.Failure(
            description=f"reference/business_units.csv has no unit with the folder {folder!r}; add its row and load again",
            allow_retries=False,
        )
    with warehouse.kept_open():
        files = pending_in(warehouse, landing, folder, dates, rules)
        report = LoadReport()
        with warehouse.transaction() as transaction:
            crashed = {path for path, _ in open_attempts(transaction)}
            if files:  # before the first commit: a kill after it must not leave loads that nobody reports
                first, last = min(item.date for item in files), max(item.date for item in files)
                announce(transaction, Announcement(context.run.run_id, folder, first, last), load_context.now)
        for batch in batches(files, batch_bytes, crashed):
            report += load_batch(warehouse, landing, batch, load_context)
            context.log.info("%s: %d of %d files loaded", folder, len(report.loaded), len(files))
        with warehouse.transaction() as transaction:
            days = loaded_days(transaction, folder, min(dates), max(dates))
            reported = context.instance.event_log_storage.get_latest_tags_by_partition(
                SALES_TRANSACTIONS,
                dg.DagsterEventType.ASSET_MATERIALIZATION,
                [DATA_VERSION_TAG],
                [partition_key(day.folder, day.date) for day in days],
            )
            owed = unreported(days, reported, dates)
            if (max(dates) - min(dates)).days + 1 == len(dates):
                take_over(transaction, folder, min(dates), max(dates), load_context.now)
            if owed:
                announcement = Announcement(context.run.run_id, folder, owed[0].date, owed[-1].date)
                announce(transaction, announcement, load_context.now)
    with event_log_kept_open(context.instance, context.run.run_id):
        _log_materializations(context, owed)
    return report


def _most_frequent(reasons: Mapping[str, int], how_many: int = 3) -> str:
    named = sorted(reasons.items(), key=lambda item: (-item[1], item[0]))[:how_many]
    return ", ".join(f"{reason}: {rows}" for reason, rows in named)


def _check_results(report: LoadReport) -> Iterator[dg.AssetCheckResult]:
    refused = "\n".join(f"- `{path}`: {reason}" for path, reason in report.refused)
    yield dg.AssetCheckResult(
        check_name=NO_FILE_REFUSED,
        passed=not report.refused,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(report.refused)} refused, such as {report.refused[0][0]}: {report.refused[0][1]}"
        if report.refused
        else f"{len(report.loaded)} files loaded, none refused",
        metadata={"refused": dg.MetadataValue.md(refused or "none"), "files_loaded": len(report.loaded)},
    )
    reasons = "\n".join(f"| {reason} | {rows} |" for reason, rows in sorted(report.reasons.items()))
    yield dg.AssetCheckResult(
        check_name=NO_ROW_QUARANTINED,
        passed=not report.rows_quarantined,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{report.rows_loaded} rows loaded, {report.rows_quarantined} quarantined"
        + (f" ({_most_frequent(report.reasons)}); their text is in sales_data.quarantine" if report.reasons else ""),
        metadata={
            "rows_loaded": report.rows_loaded,
            "rows_quarantined": report.rows_quarantined,
            "reasons": dg.MetadataValue.md(f"| reason | rows |\n|---|---|\n{reasons}"),
            "ignored_columns": ", ".join(report.extra_columns) or "none",
            "not_read": ", ".join(report.not_read) or "none",
        },
    )


def sales_transactions_asset(
    partitions: dg.MultiPartitionsDefinition, first_business_date: dt.date, limits: LoadLimits
) -> dg.AssetsDefinition:
    """Builds the asset for a deployment's partitions."""

    @dg.asset(
        key=SALES_TRANSACTIONS,
        deps=[BUSINESS_UNITS, PRODUCTS],
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        output_required=False,
        check_specs=[
            dg.AssetCheckSpec(
                NO_FILE_REFUSED, asset=SALES_TRANSACTIONS, description="Every file of this load was readable."
            ),
            dg.AssetCheckSpec(
                NO_ROW_QUARANTINED,
                asset=SALES_TRANSACTIONS,
                description="Every row of this load was certain enough to be loaded.",
            ),
        ],
        pool=WAREHOUSE_POOL,
        group_name="raw",
        owners=[OWNER_DATA],
        kinds={"csv", "table"},
        description=DESCRIPTION,
    )
    def sales_transactions(
        context: dg.AssetExecutionContext,
        landing: dg.ResourceParam[LandingZone],
        warehouse: dg.ResourceParam[Warehouse],
        clock: Clock,
    ) -> Iterator[dg.AssetCheckResult]:
        load_context = LoadContext(
            context.run.run_id, clock.timestamp(), units_by_folder(warehouse), limits.max_file_bytes
        )
        rules = PathRules(frozenset(load_context.units_by_folder), first_business_date, clock.today())
        report = LoadReport()
        for folder, dates in sorted(wanted_dates(context.partition_keys).items()):
            report += _load_folder(context, warehouse, landing, folder, dates, rules, load_context, limits.batch_bytes)
        yield from _check_results(report)

    return sales_transactions
