"""A backfill of many small files against one bare `read_csv`, and against the same job with an empty body."""

import os
from collections.abc import Iterator

import dagster as dg

from benchmarks.arrangement import bare_read
from benchmarks.rows import Row, best_of, seconds
from globolatte_assets.partitions import sales_partitions
from globolatte_cli.instance import open_instance
from globolatte_cli.output import quiet
from globolatte_ingest.discovery import LoadRange, coalesce, placed, unrecorded
from globolatte_ingest.load import batches, context_of, load_batch
from globolatte_ingest.paths import PathRules, SalesFile
from globolatte_ingest.reading.landed_bytes import FileLimits
from globolatte_ingest.reference import BUSINESS_UNITS_FILE, PRODUCTS_FILE, load_reference
from resources.clock import Clock
from resources.environment import landing_of, warehouse_of
from resources.settings.settings import Settings
from sensors.landing import range_tags


def _with_reference_data(settings: Settings) -> None:
    """Makes a new warehouse that knows units and products as they are landed."""
    settings.warehouse_file.unlink(missing_ok=True)
    for kind in (BUSINESS_UNITS_FILE, PRODUCTS_FILE):
        load_reference(kind, landing_of(settings), warehouse_of(settings), "bench", Clock().timestamp())


def _ranges(settings: Settings) -> tuple[LoadRange, ...]:
    """What is to be loaded."""
    rules = PathRules(frozenset(settings.business_units), settings.first_business_date, Clock().today())
    with warehouse_of(settings).transaction() as transaction:
        news = unrecorded(transaction, list(landing_of(settings).files("sales/")))
    return coalesce(item for item in placed(news, rules) if isinstance(item, SalesFile))


def _our_load(settings: Settings) -> None:
    """Everything that ingestion does outside Dagster: listing, ledger, hashing, validation, rows, quarantine, checks."""
    _with_reference_data(settings)
    warehouse, landing, clock = warehouse_of(settings), landing_of(settings), Clock()
    limits = FileLimits(settings.max_file_bytes, settings.max_compression_ratio, settings.load_batch_bytes)
    with warehouse.transaction() as transaction:
        context = context_of(transaction, "bench", clock.timestamp(), limits, settings.max_bad_share)
    for load in _ranges(settings):
        for batch in batches(load.files, settings.load_batch_bytes):
            load_batch(warehouse, landing, batch, context)


def _empty_job(settings: Settings) -> dg.Definitions:
    """The ingest job with a body that only reports the partitions."""
    key = dg.AssetKey(["bench", "nothing"])

    @dg.asset(
        key=key,
        partitions_def=sales_partitions(settings.business_units, settings.first_business_date),
        backfill_policy=dg.BackfillPolicy.single_run(),
        output_required=False,
    )
    def nothing(context: dg.AssetExecutionContext) -> Iterator[dg.AssetCheckResult]:
        for partition in context.partition_keys:
            context.log_event(
                dg.AssetMaterialization(
                    asset_key=key,
                    partition=partition,
                    metadata={"dagster/partition_row_count": 7, "rows_quarantined": 0, "files": partition},
                    tags={"dagster/data_version": "0123456789abcdef"},
                )
            )
        yield from ()

    job = dg.define_asset_job("empty", selection=[key], executor_def=dg.in_process_executor)
    return dg.Definitions(assets=[nothing], jobs=[job])


def _job_seconds(settings: Settings, definitions: dg.Definitions, job: str) -> float:
    tags, run = [range_tags(load) for load in _ranges(settings)], definitions.resolve_job_def(job).execute_in_process
    with open_instance(settings) as instance, quiet(settings.home / "logs" / "bench.log"):
        return seconds(lambda: [run(instance=instance, tags=of_range) for of_range in tags])


def rows(settings: Settings) -> Iterator[Row]:
    """`settings` names a home with a filled landing zone and nothing loaded yet; it is filled on the way."""
    os.environ["GLOBOLATTE_HOME"] = str(settings.home)
    pattern, scratch = f"{settings.landing_folder}/sales/**/*.csv", settings.home / "bare.duckdb"
    reference = best_of(3, lambda: bare_read(pattern, scratch))
    ours = best_of(3, lambda: _our_load(settings))
    yield Row("ingest 2,190 files, outside Dagster / one read_csv", ours, reference, limit=2.0)

    from definitions import build_definitions

    _with_reference_data(settings)
    empty = _job_seconds(settings, _empty_job(settings), "empty")
    whole = _job_seconds(settings, build_definitions(settings), "ingest_sales")
    yield Row("ingest job, three units / the same job with an empty body", whole, empty, limit=1.5)
    scratch.unlink()
