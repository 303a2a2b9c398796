"""The asset `raw/sales_transactions`: landed sales files, loaded exactly once, one partition per business unit and date."""

import datetime as dt
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from globolatte_assets.keys import BUSINESS_UNITS, OWNER_DATA, PRODUCTS, SALES_TRANSACTIONS, WAREHOUSE_POOL
from globolatte_assets.partitions import partition_key
from globolatte_assets.raw.file_format import COLUMNS as FORMAT_COLUMNS
from globolatte_assets.raw.file_format import FileFormat, declared
from globolatte_assets.raw.landing_paths import PathRules, SalesFile
from globolatte_assets.raw.ledger import (
    Announcement,
    KnownFile,
    LoadedDay,
    announce,
    known_files_under,
    loaded_days,
    open_attempts,
    take_over,
)
from globolatte_assets.raw.load_checks import check_results, check_specs
from globolatte_assets.raw.loading import LoadContext, LoadReport, batches, load_batch
from globolatte_assets.raw.pending import new_sales
from globolatte_assets.raw.retraction import retract
from globolatte_assets.raw.steps import AskedStep, Step, open_steps, reloads_among, settle
from globolatte_assets.raw.unpacking import FileLimits
from resources.clock import Clock
from resources.event_log import event_log_kept_open
from resources.landing import SALES_PREFIX, LandingZone
from resources.warehouse import Warehouse

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


def formats_by_folder(warehouse: Warehouse) -> dict[str, FileFormat]:
    """What each unit declares of its files, by its landing folder."""
    units = warehouse.read("sales_data.business_units", ["folder", *FORMAT_COLUMNS]).to_pylist()
    return {unit["folder"]: declared(unit) for unit in units}


def pending_in(
    landing: LandingZone,
    known: Mapping[str, KnownFile],
    again: Collection[tuple[str, str]],
    prefixes: Sequence[str],
    rules: PathRules,
    dates: set[dt.date],
) -> tuple[list[SalesFile], set[tuple[str, str]]]:
    """The new or changed files of a unit's dates, with those to load again, in path order; and every version that is there."""
    listing = [file for prefix in prefixes for file in landing.files(prefix)]
    there = {(file.path, file.etag) for file in listing}
    unknown = {path: file for path, file in known.items() if (path, file.etag) not in again}
    placed = new_sales(listing, unknown, rules)
    return [item for item in placed if isinstance(item, SalesFile) and item.date in dates], there


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


@dataclass(frozen=True)
class Work:
    """What is to be done of one unit's dates: files to load, and what people asked for."""

    folder: str
    dates: set[dt.date]
    files: list[SalesFile]
    there: set[tuple[str, str]]
    steps: list[AskedStep]

    @property
    def announced(self) -> tuple[dt.date, dt.date] | None:
        """The first and the last date that something is done for."""
        dates = [*(item.date for item in self.files), *(step.date for step in self.steps)]
        return (min(dates), max(dates)) if dates else None

    @property
    def overtaken(self) -> list[AskedStep]:
        """Steps about a version that is not in the landing zone any more."""
        return [step for step in self.steps if step.step != Step.RETRACT and (step.path, step.etag) not in self.there]


def work_in(warehouse: Warehouse, landing: LandingZone, folder: str, dates: set[dt.date], rules: PathRules) -> Work:
    """Compares the landing zone with the ledger, and with what people asked for."""
    where = prefixes(folder, dates)
    with warehouse.transaction() as transaction:
        known = known_files_under(transaction, where[0] if len(dates) == 1 else f"{SALES_PREFIX}{folder}/")
        steps = [step for step in open_steps(transaction) if step.folder == folder and step.date in dates]
    files, there = pending_in(landing, known, reloads_among(steps), where, rules, dates)
    return Work(folder, dates, files, there, steps)


def _load_folder(
    context: dg.AssetExecutionContext,
    warehouse: Warehouse,
    landing: LandingZone,
    work: Work,
    load_context: LoadContext,
    batch_bytes: int,
) -> LoadReport:
    run_id, now = load_context.run_id, load_context.now
    report = LoadReport()
    with warehouse.transaction() as transaction:
        crashed = {path for path, _ in open_attempts(transaction)}
        if work.announced:  # before the first commit: a kill after it must not leave loads that nobody reports
            announce(transaction, Announcement(run_id, work.folder, *work.announced), now)
    for batch in batches(work.files, batch_bytes, crashed):
        report += load_batch(warehouse, landing, batch, load_context)
        context.log.info("%s: %d of %d files loaded", work.folder, len(report.loaded), len(work.files))
    if work.steps:
        with warehouse.transaction() as transaction:
            for step in work.overtaken:
                settle(transaction, step, "nothing done: the file was replaced or removed since", run_id, now)
            retract(transaction, [step for step in work.steps if step.step == Step.RETRACT], run_id, now)
    return report


def _owed(
    context: dg.AssetExecutionContext, warehouse: Warehouse, folder: str, dates: set[dt.date], now: dt.datetime
) -> list[LoadedDay]:
    """The days that Dagster has to be told of; announced, so that a kill from here on is made good."""
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
            take_over(transaction, folder, min(dates), max(dates), now)
        if owed:
            announce(transaction, Announcement(context.run.run_id, folder, owed[0].date, owed[-1].date), now)
    return owed


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
        check_specs=check_specs(),
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
            context.run.run_id,
            clock.timestamp(),
            units_by_folder(warehouse),
            limits.of_a_file,
            limits.max_bad_share,
            formats_by_folder(warehouse),
        )
        rules = PathRules(frozenset(load_context.units_by_folder), first_business_date, clock.today())
        report = LoadReport()
        for folder, dates in sorted(wanted_dates(context.partition_keys).items()):
            _require_unit(folder, load_context)
            with warehouse.kept_open():
                work = work_in(warehouse, landing, folder, dates, rules)
                report += _load_folder(context, warehouse, landing, work, load_context, limits.batch_bytes)
                owed = _owed(context, warehouse, folder, dates, load_context.now)
            with event_log_kept_open(context.instance, context.run.run_id):
                _log_materializations(context, owed)
        yield from check_results(report)

    return sales_transactions


def _require_unit(folder: str, load_context: LoadContext) -> None:
    if folder not in load_context.units_by_folder:
        raise dg.Failure(
            description=f"reference/business_units.csv has no unit with the folder {folder!r}; add its row and load again",
            allow_retries=False,
        )
