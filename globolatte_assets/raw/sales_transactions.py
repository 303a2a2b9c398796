"""The asset `raw/sales_transactions`: landed sales files, loaded exactly once, one partition per business unit and date.

Also the checks that a load evaluates: whether a file was refused or held, or a row quarantined. What to load is decided elsewhere.
"""

import datetime as dt
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import dagster as dg

from globolatte_assets.keys import (
    BUSINESS_UNITS,
    OWNER_DATA,
    PRODUCTS,
    SALES_TRANSACTIONS,
    UNIT_DECLARATIONS,
    WAREHOUSE_POOL,
)
from globolatte_assets.metadata import load_report_metadata
from globolatte_assets.partitions import BUSINESS_UNIT, partition_key
from globolatte_assets.raw.deliveries import delivery_event
from globolatte_ingest.discovery import Work, last_dates, wanted_dates, work_in
from globolatte_ingest.kept_files import KeptFiles
from globolatte_ingest.kill_points import point
from globolatte_ingest.ledger import Announcement, Ledger, LedgerStatus, LoadedDay, Step
from globolatte_ingest.load import LoadReport, MissingReferenceDataError, context_of, do_work
from globolatte_ingest.paths import USUAL_LAYOUT, PathRules, SalesLayout
from globolatte_ingest.reading.landed_bytes import FileLimits
from globolatte_ingest.reasons import ReasonCode
from globolatte_ingest.waiting import MOST_FILES_LOOKED_FOR, WaitingFile, still_there, waiting_files
from resources.clock import Clock
from resources.landing.landing_zone import LandingZone
from resources.warehouse.warehouse import Warehouse

DATA_VERSION_TAG = "dagster/data_version"
BACKFILL_TAG = "dagster/backfill"

DESCRIPTION = """Each day's order lines as the business units delivered them.

A file is loaded exactly once: its rows, its quarantined rows and its ledger entry commit in one transaction. A file whose
content changed replaces its earlier rows. A file with too many bad rows is held until someone approves it. A day is materialized
when a file was really loaded for it, or retracted from it; a day without a file stays missing."""

NO_FILE_REFUSED = "no_file_refused"
NO_FILE_HELD = "no_file_held"
NO_ROW_QUARANTINED = "no_row_quarantined"

DESCRIPTIONS = {
    NO_FILE_REFUSED: "Every file that lies there was readable, of this load and of earlier ones.",
    NO_FILE_HELD: "No file, of this load or an earlier one, waits for someone to approve it.",
    NO_ROW_QUARANTINED: "Every row of this load was certain enough to be loaded.",
}


def unreported(days: Iterable[LoadedDay], reported: Mapping[str, Mapping[str, str]]) -> list[LoadedDay]:
    """The loaded days whose present content was not reported to Dagster: loaded by this run, or by one that was killed."""
    return [
        day
        for day in days
        if reported.get(partition_key(day.folder, day.date), {}).get(DATA_VERSION_TAG) != day.data_version
    ]


def _log_materializations(context: dg.AssetExecutionContext, days: Iterable[LoadedDay]) -> None:
    for day in days:
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


def _log_delivery(
    context: dg.AssetExecutionContext,
    work: Work,
    done: LoadReport,
    by_unit: Mapping[str, Sequence[LoadedDay]],
    layout: SalesLayout,
) -> None:
    """Reports arrived files of the unit that this run, or a killed run before it, loaded; where their paths name no unit, for each unit
    that has days in them. What is held is not delivered until it is approved; other requested steps are not deliveries.
    """
    requested = {step.path for step in work.steps if step.step != Step.APPROVE}
    came = [path for path in done.loaded if path not in requested]
    files = [item.file.path for item in work.files] or [
        path for outstanding in by_unit.values() for day in outstanding for path in day.files
    ]
    is_told = all((told := layout.told(path)) is None or told[0] is not None for path in files)
    for unit, outstanding in by_unit.items():
        if (unit == work.folder if is_told else outstanding) and (came or (outstanding and not requested)):
            context.log_event(delivery_event(unit, came, outstanding))


FAR_APART = dt.timedelta(days=7)
"""Dates that lie no further apart are read by one query."""


def _stretches(dates: Collection[dt.date]) -> list[tuple[dt.date, dt.date]]:
    """The first and the last of the dates that lie near each other: nothing is read of the years between the others."""
    found: list[tuple[dt.date, dt.date]] = []
    for date in sorted(dates):
        if found and date - found[-1][1] <= FAR_APART:
            found[-1] = found[-1][0], date
        else:
            found.append((date, date))
    return found


def _outstanding_days(
    context: dg.AssetExecutionContext,
    warehouse: Warehouse,
    folder: str,
    dates: set[dt.date],
    units: Collection[str],
    now: dt.datetime,
) -> dict[str, list[LoadedDay]]:
    """The days still to be reported to Dagster, by landing folder, the run's own first: those of its dates, of its unit and of the others
    that its files have rows of, and every other day that its files touched because their rows tell it.

    They are announced in the ledger, so that after a kill the next run reports them.
    """
    found: dict[str, list[LoadedDay]] = {}
    with warehouse.transaction() as transaction:
        ledger = Ledger(transaction)
        to_report: dict[str, set[dt.date]] = {folder: set(dates)}
        for other in ledger.other_units(folder, min(dates), max(dates)):
            to_report.setdefault(other, set()).update(dates)
        for day in ledger.days_of_runs(context.run.run_id, folder, min(dates), max(dates)):
            to_report.setdefault(day[0], set()).add(day[1])
        for unit, wanted in to_report.items():
            if unit not in units and unit != folder:
                continue
            days = [
                day
                for first, last in _stretches(wanted)
                for day in ledger.loaded_days(unit, first, last)
                if day.date in wanted
            ]
            reported = context.instance.event_log_storage.get_latest_tags_by_partition(
                SALES_TRANSACTIONS,
                dg.DagsterEventType.ASSET_MATERIALIZATION,
                [DATA_VERSION_TAG],
                [partition_key(day.folder, day.date) for day in days],
            )
            found[unit] = unreported(days, reported)
            ledger.take_over(unit, wanted, now)
        for unit, outstanding in found.items():
            if outstanding:
                ledger.announce(Announcement(context.run.run_id, unit, outstanding[0].date, outstanding[-1].date), now)
    return found


class UndatedPaths(dg.Config):
    """Which files to look at among those that cannot be listed by their date; without any word of them, all that lie there."""

    paths: list[str] | None = None


def sales_transactions_asset(
    partitions: dg.MultiPartitionsDefinition,
    first_business_date: dt.date,
    limits: FileLimits,
    max_bad_share: float = 0.2,
    deliveries: Sequence[dg.AssetSpec] = (),
    kept: KeptFiles | None = None,
    max_take_away: float = 0.5,
    layout: SalesLayout = USUAL_LAYOUT,
    *,
    lists_whole: bool = False,
) -> dg.AssetsDefinition:
    """Builds the asset for a deployment's partitions. `deliveries` are the assets of what the units deliver.

    A file with a larger share of bad rows than `max_bad_share` is held, and so is one that takes away a larger share than
    `max_take_away` of what it corrects. `kept` is where the bytes of loaded files are kept. `lists_whole`: listing the
    whole landing zone is cheap.
    """

    units = frozenset(partitions.get_partitions_def_for_dimension(BUSINESS_UNIT).get_partition_keys())

    @dg.asset(
        key=SALES_TRANSACTIONS,
        deps=[*deliveries, BUSINESS_UNITS, PRODUCTS, UNIT_DECLARATIONS],
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        output_required=False,
        check_specs=[
            dg.AssetCheckSpec(name, asset=SALES_TRANSACTIONS, description=description)
            for name, description in DESCRIPTIONS.items()
        ],
        pool=WAREHOUSE_POOL,
        owners=[OWNER_DATA],
        kinds={"csv", "table"},
        description=DESCRIPTION,
    )
    def sales_transactions(
        context: dg.AssetExecutionContext,
        config: UndatedPaths,
        landing: dg.ResourceParam[LandingZone],
        warehouse: dg.ResourceParam[Warehouse],
        clock: Clock,
    ) -> Iterator[dg.AssetCheckResult]:
        now = clock.timestamp()
        try:
            with warehouse.transaction() as transaction:
                load_context = context_of(
                    transaction, context.run.run_id, now, limits, max_bad_share, kept, max_take_away
                )
                own_dates = last_dates(transaction, clock.today)
        except MissingReferenceDataError as missing:
            raise dg.Failure(description=str(missing), allow_retries=False) from missing
        point("run started")
        rules = PathRules(
            frozenset(load_context.units_by_folder), first_business_date, clock.today(), own_dates, layout
        )
        load_context = replace(
            load_context,
            last_dates={folder: rules.last_of(folder) for folder in rules.folders},
            first_date=first_business_date,
        )
        report = LoadReport()
        for folder, dates in sorted(wanted_dates(context.partition_keys).items()):
            if folder not in load_context.units_by_folder:
                raise dg.Failure(
                    description=f"reference/business_units.csv has no unit with the folder {folder!r}; add its row and load again",
                    allow_retries=False,
                )
            with warehouse.keep_open():
                work = work_in(warehouse, landing, folder, dates, rules, now, config.paths)
                done = do_work(warehouse, landing, work, load_context, context.log)
                by_unit = _outstanding_days(context, warehouse, folder, dates, units, now)
            outstanding = by_unit[folder]
            _log_delivery(context, work, done, by_unit, layout)
            _log_materializations(context, [day for days in by_unit.values() for day in days])
            if BACKFILL_TAG in context.run.tags and (quiet := dates - {day.date for day in outstanding}):
                context.log.warning(
                    f"{folder}: {len(quiet)} of the {len(dates)} days of this backfill had nothing new: they are loaded already, or no "
                    "file came for them. Dagster ends a backfill with such days as failed, although this run succeeded and nothing is "
                    "missing (docs/landing.md)"
                )
            point("run reported")
            report += done
        if kept is not None and (over := kept.months_over(now)):
            kept.forget(warehouse, over)
            context.log.info("kept files of %s removed: older than GLOBOLATTE_KEEP_FILES_DAYS", ", ".join(over))
        yield from check_results(report, _left(warehouse, landing, layout, lists_whole=lists_whole))

    return sales_transactions


def _left(warehouse: Warehouse, landing: LandingZone, layout: SalesLayout, *, lists_whole: bool) -> list[WaitingFile]:
    """The sales files that are held or refused and still there, of this load or an earlier one."""
    with warehouse.transaction() as transaction:
        found = waiting_files(transaction, layout)
        files = [file for file in found if file.code != ReasonCode.MISPLACED and file.is_sales]
    whole = {file.path for file in landing.files()} if lists_whole and len(files) > MOST_FILES_LOOKED_FOR else None
    there = still_there(landing, [file.path for file in files], whole)
    return [file for file in files if file.path in there]


def check_results(report: LoadReport, left: Sequence[WaitingFile]) -> Iterator[dg.AssetCheckResult]:
    """The check results of a load. `left`: all files that are held or refused now, whichever load found them."""
    refused = [(file.path, file.reason) for file in left if file.status == LedgerStatus.REFUSED]
    held = [(file.path, file.reason) for file in left if file.status == LedgerStatus.HELD]
    yield dg.AssetCheckResult(
        check_name=NO_FILE_REFUSED,
        passed=not refused,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(refused)} refused, such as {refused[0][0]}: {refused[0][1]}"
        if refused
        else f"{len(report.loaded)} files loaded, none refused",
        metadata={
            "refused": _listed(refused),
            "files_loaded": len(report.loaded),
            **load_report_metadata(report),
        },
    )
    yield dg.AssetCheckResult(
        check_name=NO_FILE_HELD,
        passed=not held,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{len(held)} held, such as {held[0][0]}: approve or correct them" if held else "none held",
        metadata={"held": _listed(held)},
    )
    most_frequent = ", ".join(f"{reason}: {rows}" for reason, rows in Counter(report.reasons).most_common(3))
    reasons = "\n".join(f"| {reason} | {rows} |" for reason, rows in sorted(report.reasons.items()))
    yield dg.AssetCheckResult(
        check_name=NO_ROW_QUARANTINED,
        passed=not report.rows_quarantined,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{report.rows_loaded} rows loaded, {report.rows_quarantined} quarantined"
        + (f" ({most_frequent}); their text is in sales_data.quarantine" if report.reasons else ""),
        metadata={
            "rows_loaded": report.rows_loaded,
            "rows_quarantined": report.rows_quarantined,
            "reasons": dg.MetadataValue.md(f"| reason | rows |\n|---|---|\n{reasons}"),
            "ignored_columns": ", ".join(report.extra_columns) or "none",
            "not_read": ", ".join(report.not_read) or "none",
            "notes": _listed(report.notes),
        },
    )


def _listed(files: Sequence[tuple[str, str]]) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md("\n".join(f"- `{path}`: {reason}" for path, reason in files) or "none")
