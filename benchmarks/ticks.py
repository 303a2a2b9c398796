"""How long one tick of each sensor of the landing zone takes when 100,000 files are known already.

The container's rows need Azurite, which `make test` installs. Its ledger holds 100,000 files; of these only what a tick may list
lies in the container, since what it may not list costs it nothing.
"""

import datetime as dt
import os
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import dagster as dg

from benchmarks.arrangement import UNITS, new_warehouse, record_loaded
from benchmarks.rows import Row, best_of, cpu_seconds
from globolatte_cli.instance import open_instance
from globolatte_cli.output import quiet
from resources.azure_storage import KEY_VARIABLE
from resources.environment import clock_of, landing_of, resources_of
from resources.landing.landing_zone import LandedFile
from resources.settings.choices import CredentialKind, LandingKind
from resources.settings.settings import Settings
from sensors.landing import state_of

KNOWN_FILES = 100_000
ALLOWED_SECONDS = 1.0
TODAY = dt.date(2024, 1, 31)
DAYS = 3650
PLAYED = {
    "now": dt.datetime.combine(TODAY, dt.time(12), dt.UTC),
    "first_business_date": TODAY - dt.timedelta(days=DAYS),
}
"""Ten years of three units that deliver ten files a day each."""
FILES_OF_A_DAY = KNOWN_FILES // (len(UNITS) * DAYS) + 1


def _paths() -> Iterator[tuple[str, str, dt.date]]:
    for back in range(DAYS):
        date = TODAY - dt.timedelta(days=back)
        for folder in UNITS:
            for number in range(FILES_OF_A_DAY):
                yield f"sales/{folder}/{date:%Y/%m/%d}/{number:03d}.csv", folder, date


def _record(settings: Settings, there: dict[str, LandedFile]) -> None:
    """Records all files as loaded, as a deployment of ten years has them: those that are there, and those that were."""
    new_warehouse(settings)
    gone = uuid.uuid4().hex
    files = ((there.get(path, LandedFile(path, gone, 1)), folder, date) for path, folder, date in _paths())
    record_loaded(settings, files)


def _tick(
    settings: Settings, sensor: str, name: str, cursor: str | None = None, note: str = "", *, once: bool = False
) -> Row:
    """The shortest of three ticks against what is allowed, in a fresh resource each, and the processor time that one takes.

    A tick that takes in what it finds is timed but `once`.
    """
    from definitions import build_definitions

    definitions = build_definitions(settings)
    with open_instance(settings) as instance, quiet(settings.home / "logs" / "bench.log"):

        def tick() -> object:
            resources = {
                key: value for key, value in resources_of(settings).items() if key in ("landing", "events", "clock")
            }
            context = dg.build_sensor_context(
                instance=instance, cursor=cursor, definitions=definitions, resources=resources
            )
            return definitions.resolve_sensor_def(sensor)(context)

        shortest = best_of(1 if once else 3, tick)
        if not once:
            note += f"{cpu_seconds(tick):.2f} s of processor time"
    return Row(f"{name} / allowed", shortest, ALLOWED_SECONDS, limit=1.0, note=note)


def folder_rows(settings: Settings) -> Iterator[Row]:
    """The landing sensor over a folder: a first look, which compares with the ledger, and one at an untouched folder."""
    here = settings.model_copy(update=PLAYED)
    for path, _, _ in _paths():
        file = settings.landing_folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    landing = landing_of(here)
    _record(here, {file.path: file for file in landing.files()})
    name = f"folder sensor's tick at {KNOWN_FILES:,} known files"
    yield _tick(here, "landing_sensor", f"{name}, compared with the ledger")
    cursor = state_of(landing.files(), here, clock_of(here))
    yield _tick(here, "landing_sensor", f"{name}, nothing new", cursor)


def blob_rows(settings: Settings) -> Iterator[Row]:
    """The blob event sensor with a hundred new blobs, and the reconciliation; nothing where Azurite is not installed."""
    from tests.blob_builders import Bay, Events
    from tests.emulators.azurite_server import Azurite, why_not

    if why_not() is not None:
        return
    settings.home.mkdir(parents=True)
    server = Azurite(settings.home / "azurite.log").start()
    with ExitStack() as ending:
        ending.callback(server.kill)
        os.environ[KEY_VARIABLE] = server.key
        bay = Bay.new(server)
        events = Events.new(server, bay.container.container_name, hidden_seconds=1)
        here = settings.model_copy(
            update={
                "landing": LandingKind.BLOB, "blob_account_url": server.account_url, "blob_container": bay.container.container_name,
                "blob_credential": CredentialKind.KEY, "blob_queue": events.queue.queue, "blob_queue_hidden_seconds": 1,
                "blob_queue_account_url": server.queue_account_url, **PLAYED,
            }
        )  # fmt: skip
        listed = TODAY - dt.timedelta(days=62)
        listable = [path for path, _, date in _paths() if date > listed]
        with ThreadPoolExecutor(8) as uploading:
            list(uploading.map(lambda path: bay.container.upload_blob(path, b"x"), listable))
        there = {file.path: file for file in bay.zone.files()}
        _record(here, there)

        known = f"tick at {KNOWN_FILES:,} known files"
        note = f"{len(there):,} blobs in the container; "
        yield _tick(here, "reconciliation_sensor", f"reconciliation's {known}", note=note)
        yield _tick(here, "blob_event_sensor", f"event sensor's {known}, empty queue")
        for number in range(100):
            events.tell(LandedFile(f"sales/usa/2024/01/{number % 28 + 1:02d}/new{number}.csv", "0x1", 1))
        yield _tick(here, "blob_event_sensor", f"event sensor's {known}, 100 new blobs", once=True)


def rows(settings: Settings) -> Iterator[Row]:
    """Every sensor of the landing zone."""
    yield from folder_rows(settings.model_copy(update={"home": settings.home / "folder"}))
    yield from blob_rows(settings.model_copy(update={"home": settings.home / "blob"}))
