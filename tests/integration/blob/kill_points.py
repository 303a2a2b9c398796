"""A code location with the real assets, jobs and sensors of the landing zone, that kills itself once at a named point.

The daemon loads it. `KILL_AT` names the point, `KILL_MARK` a file: when the point is reached and the file is not there yet, it is
written and the whole process group (daemon, code server, runs) gets SIGKILL.
"""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg
from azure.storage.queue import QueueClient

from globolatte_assets.jobs import INGEST_SALES, LOAD_REFERENCE_DATA, RECORD_MISPLACED_FILES, job_named, jobs
from globolatte_assets.partitions import sales_partitions
from globolatte_assets.raw import sales_transactions
from globolatte_assets.raw.misplaced_files import misplaced_files_asset
from globolatte_assets.raw.reference_data import holiday_calendar_asset, reference_assets
from globolatte_assets.raw.weather import weather_asset
from globolatte_ingest import kill_points
from globolatte_ingest.reading.landed_bytes import FileLimits
from resources.environment import clock_of, event_queue_of, landing_of, warehouse_of
from resources.landing.event_queue import EventQueue
from resources.settings.settings import Settings
from sensors.definitions import file_sensors


def die_at(point: str) -> None:
    """The end, if this is the point and it was not reached before."""
    mark = Path(os.environ["KILL_MARK"])
    if os.environ.get("KILL_AT") == point and not mark.exists():
        mark.write_text(point)
        os.killpg(os.getpgrp(), signal.SIGKILL)


def around(owner: Any, name: str, before: str | None = None, after: str | None = None) -> None:
    """Makes points of the moments before and after a call: of what lies below ingestion and has no points of its own."""
    inner: Callable[..., Any] = getattr(owner, name)

    def called(*arguments: Any, **options: Any) -> Any:
        if before:
            die_at(before)
        result = inner(*arguments, **options)
        if after:
            die_at(after)
        return result

    setattr(owner, name, called)


kill_points.hook = die_at
around(EventQueue, "_delete", "acknowledging: before the first deletion", "acknowledging: after the first deletion")
around(QueueClient, "send_message", after="poison: in both queues")

settings = Settings()
partitions = sales_partitions(settings.business_units, settings.first_business_date)
limits = FileLimits(settings.max_file_bytes, most_in_memory=settings.load_batch_bytes)
own_jobs = [job_named(jobs(), name) for name in (LOAD_REFERENCE_DATA, INGEST_SALES, RECORD_MISPLACED_FILES)]
defs = dg.Definitions(
    assets=[
        *reference_assets(settings.business_units),
        holiday_calendar_asset(settings.first_business_date.year),
        weather_asset(),
        sales_transactions.sales_transactions_asset(partitions, settings.first_business_date, limits),
        misplaced_files_asset(settings.business_units, settings.first_business_date),
    ],
    jobs=own_jobs,
    sensors=file_sensors(settings, own_jobs),
    resources={
        "clock": clock_of(settings),
        "landing": landing_of(settings),
        "warehouse": warehouse_of(settings),
        "events": event_queue_of(settings),
    },
    executor=dg.in_process_executor,
)
