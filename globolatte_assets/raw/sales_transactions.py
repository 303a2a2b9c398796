"""The asset `raw/sales_transactions`: landed sales files, loaded exactly once, one partition per business unit and date."""

import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from globolatte_assets.keys import BUSINESS_UNITS, OWNER_DATA, PRODUCTS, SALES_TRANSACTIONS, WAREHOUSE_POOL
from globolatte_assets.partitions import partition_key
from globolatte_assets.raw.load_checks import check_results, check_specs
from globolatte_assets.raw.unit_deliveries import delivery_event
from globolatte_ingest.discovery import Work, wanted_dates, work_in
from globolatte_ingest.kill_points import point
from globolatte_ingest.ledger import Announcement, Ledger, LoadedDay
from globolatte_ingest.load import LoadContext, LoadReport, MissingReferenceDataError, context_of, do_work
from globolatte_ingest.paths import PathRules
from globolatte_ingest.reading.landed_bytes import FileLimits
from resources.clock import Clock
from resources.landing.landing_zone import LandingZone
from resources.warehouse.warehouse import Warehouse

DATA_VERSION_TAG = "dagster/data_version"

DESCRIPTION = """Each day's order lines as the business units delivered them.

A file is loaded exactly once: its rows, its quarantined rows and its ledger entry commit in one transaction. A file whose
content changed replaces its earlier rows. A file with too many bad rows is held until someone approves it. A day is materialized
when a file was really loaded for it, or retracted from it; a day without a file stays missing."""


@dataclass(frozen=True)
class LoadLimits:
    """Bounds of a load: bytes per transaction; of a file: bytes, how much larger than packed, and the share of bad rows."""

    batch_bytes: int
    max_file_bytes: int
    max_compression_ratio: float = 200.0
    max_bad_share: float = 0.2

    @property
    def of_a_file(self) -> FileLimits:
        """The bounds of reading one file. A file that is more than a batch is read piece by piece."""
        return FileLimits(self.max_file_bytes, self.max_compression_ratio, self.batch_bytes)


def unreported(
    days: Iterable[LoadedDay], reported: Mapping[str, Mapping[str, str]], dates: set[dt.date]
) -> list[LoadedDay]:
    """The loaded days whose present content was not reported to Dagster: loaded just now, or before a kill."""
    return [
        day
        for day in days
        if day.date in dates
        and reported.get(partition_key(day.folder, day.date), {}).get(DATA_VERSION_TAG) != day.data_version
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
    context: dg.AssetExecutionContext, work: Work, done: LoadReport, outstanding: Sequence[LoadedDay]
) -> None:
    """Reports that files of the unit came, by this run or by one that was killed before; what people requested is no delivery."""
    requested = {step.path for step in work.steps}
    came = [path for path in (*done.loaded, *(path for path, _ in done.held)) if path not in requested]
    if came or (outstanding and not requested):
        context.log_event(delivery_event(work.folder, came, outstanding))


def _outstanding_days(
    context: dg.AssetExecutionContext, warehouse: Warehouse, folder: str, dates: set[dt.date], now: dt.datetime
) -> list[LoadedDay]:
    """The days still to be reported to Dagster; announced, so that a kill from here on is made good."""
    with warehouse.transaction() as transaction:
        ledger = Ledger(transaction)
        days = ledger.loaded_days(folder, min(dates), max(dates))
        reported = context.instance.event_log_storage.get_latest_tags_by_partition(
            SALES_TRANSACTIONS,
            dg.DagsterEventType.ASSET_MATERIALIZATION,
            [DATA_VERSION_TAG],
            [partition_key(day.folder, day.date) for day in days],
        )
        outstanding = unreported(days, reported, dates)
        if (max(dates) - min(dates)).days + 1 == len(dates):
            ledger.take_over(folder, min(dates), max(dates), now)
        if outstanding:
            ledger.announce(Announcement(context.run.run_id, folder, outstanding[0].date, outstanding[-1].date), now)
    return outstanding


def sales_transactions_asset(
    partitions: dg.MultiPartitionsDefinition,
    first_business_date: dt.date,
    limits: LoadLimits,
    deliveries: Sequence[dg.AssetSpec] = (),
) -> dg.AssetsDefinition:
    """Builds the asset for a deployment's partitions. `deliveries` are the assets of what the units deliver."""

    @dg.asset(
        key=SALES_TRANSACTIONS,
        deps=[*deliveries, BUSINESS_UNITS, PRODUCTS],
        partitions_def=partitions,
        backfill_policy=dg.BackfillPolicy.single_run(),
        output_required=False,
        check_specs=check_specs(),
        pool=WAREHOUSE_POOL,
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
        now = clock.timestamp()
        try:
            with warehouse.transaction() as transaction:
                load_context = context_of(transaction, context.run.run_id, now, limits.of_a_file, limits.max_bad_share)
        except MissingReferenceDataError as missing:
            raise dg.Failure(description=str(missing), allow_retries=False) from missing
        point("run started")
        rules = PathRules(frozenset(load_context.units_by_folder), first_business_date, clock.today())
        report = LoadReport()
        for folder, dates in sorted(wanted_dates(context.partition_keys).items()):
            _require_unit(folder, load_context)
            with warehouse.kept_open():
                work = work_in(warehouse, landing, folder, dates, rules)
                done = do_work(warehouse, landing, work, load_context, limits.batch_bytes, _progress_log(context, work))
                outstanding = _outstanding_days(context, warehouse, folder, dates, now)
            _log_delivery(context, work, done, outstanding)
            _log_materializations(context, outstanding)
            point("run reported")
            report += done
        yield from check_results(report)

    return sales_transactions


def _progress_log(context: dg.AssetExecutionContext, work: Work) -> Callable[[LoadReport], None]:
    def log(report: LoadReport) -> None:
        context.log.info("%s: %d of %d files loaded", work.folder, len(report.loaded), len(work.files))

    return log


def _require_unit(folder: str, load_context: LoadContext) -> None:
    if folder not in load_context.units_by_folder:
        raise dg.Failure(
            description=f"reference/business_units.csv has no unit with the folder {folder!r}; add its row and load again",
            allow_retries=False,
        )
