"""How long one tick of each sensor of the landing zone takes when 100,000 files are known already.

The container's rows need Azurite, which `make test` installs. Its ledger holds 100,000 files; of these only what a tick may list
lies in the container, since what it may not list costs it nothing.
"""

import datetime as dt
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from benchmarks.rows import Row, best_of, cpu_seconds
from globolatte_cli.instance import open_instance
from globolatte_cli.output import quiet
from globolatte_ingest.ledger import Ledger, LedgerStatus
from globolatte_ingest.paths import PathRules
from resources.environment import clock_of, landing_of, resources_of, warehouse_of
from resources.landing.landing_zone import LandedFile
from resources.settings.choices import CredentialKind, LandingKind
from resources.settings.settings import Settings

KNOWN_FILES = 100_000
ALLOWED_SECONDS = 1.0
UNITS = {"usa": "BU_US", "canada": "BU_CA", "mexico": "BU_MX"}
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


def _record(settings: Settings, files: list[LandedFile]) -> None:
    """Records files as loaded, and the units and a product, as a deployment of ten years has them."""
    import pyarrow as pa

    warehouse = warehouse_of(settings)
    rules = PathRules(sorted(UNITS), TODAY - dt.timedelta(days=DAYS), TODAY)
    units = [
        {"business_unit_id": unit, "country": folder, "unit_name": folder, "folder": folder, "time_zone": "UTC"}
        for folder, unit in UNITS.items()
    ]
    product = {"product_id": "P1", "product_name": "Latte", "price": 3}
    warehouse.replace("sales_data.business_units", pa.Table.from_pylist(units))
    warehouse.replace("sales_data.products", pa.Table.from_pylist([product]))
    with warehouse.transaction() as transaction:
        ledger = Ledger(transaction)
        contents = [str(number) for number in range(len(files))]
        entries = ledger.new_entries(files, contents, LedgerStatus.LOADED, "bench", dt.datetime(2024, 1, 1))  # noqa: DTZ001
        for file, entry in zip(files, entries, strict=True):
            place = rules.place(file)
            entry.business_unit, entry.business_date, entry.rows_in_file = UNITS[place.folder], place.date, 0
        ledger.write(entries)


def _ticks(settings: Settings, sensor: str, cursor: str | None, rounds: int) -> tuple[float, str]:
    """The shortest of several ticks in a fresh resource each, and the processor time that one takes, in words."""
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

        shortest = best_of(rounds, tick)
        return shortest, f"{cpu_seconds(tick):.2f} s of processor time"


def folder_rows(settings: Settings) -> Iterator[Row]:
    """The landing sensor over a folder: a first look, which compares with the ledger, and one at an untouched folder."""
    here = settings.model_copy(update=PLAYED)
    for path, _, _ in _paths():
        file = settings.landing_folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
    landing = landing_of(here)
    _record(here, list(landing.files()))
    first, worked = _ticks(here, "landing_sensor", None, 3)
    yield Row(
        f"folder sensor's tick at {KNOWN_FILES:,} known files, compared with the ledger / allowed",
        first,
        ALLOWED_SECONDS,
        limit=1.0,
        note=worked,
    )
    from globolatte_ingest.discovery import listing_digest
    from sensors.landing import path_rules

    cursor = f"{listing_digest(landing.files())} {path_rules(here, clock_of(here))}"
    idle, worked = _ticks(here, "landing_sensor", cursor, 3)
    yield Row(
        f"folder sensor's tick at {KNOWN_FILES:,} known files, nothing new / allowed",
        idle,
        ALLOWED_SECONDS,
        limit=1.0,
        note=worked,
    )


def blob_rows(settings: Settings) -> Iterator[Row]:
    """The blob event sensor with a thousand messages, and the reconciliation; nothing where Azurite is not installed."""
    from tests.emulators.azurite_server import Azurite, why_not

    if why_not() is not None:
        return
    home = settings.home / "blob"
    home.mkdir(parents=True)
    server = Azurite(home / "azurite.log").start()
    try:
        yield from _blob_rows(server, settings.model_copy(update={"home": home}))
    finally:
        server.kill()


def _blob_rows(server: object, settings: Settings) -> Iterator[Row]:
    from concurrent.futures import ThreadPoolExecutor

    from resources.azure_storage import KEY_VARIABLE
    from tests.blob_builders import Bay, Events
    from tests.emulators.azurite_server import Azurite

    assert isinstance(server, Azurite)
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
    paths = list(_paths())
    with ThreadPoolExecutor(8) as uploading:
        list(
            uploading.map(
                lambda path: bay.container.upload_blob(path, b"x"), [p for p, _, date in paths if date > listed]
            )
        )
    there = {file.path: file for file in bay.zone.files()}
    known = [there.get(path) or LandedFile(path, uuid.uuid4().hex, 1) for path, _, _ in paths]
    _record(here, known)

    tick, worked = _ticks(here, "reconciliation_sensor", None, 3)
    note = f"{len(there):,} blobs in the container; {worked}"
    yield Row(
        f"reconciliation's tick at {KNOWN_FILES:,} known files / allowed", tick, ALLOWED_SECONDS, limit=1.0, note=note
    )
    idle, worked = _ticks(here, "blob_event_sensor", None, 3)
    yield Row(
        f"event sensor's tick at {KNOWN_FILES:,} known files, empty queue / allowed",
        idle,
        ALLOWED_SECONDS,
        limit=1.0,
        note=worked,
    )
    for number in range(100):
        events.tell(LandedFile(f"sales/usa/2024/01/{number % 28 + 1:02d}/new{number}.csv", "0x1", 1))
    busy, _ = _ticks(here, "blob_event_sensor", None, 1)
    yield Row(
        f"event sensor's tick at {KNOWN_FILES:,} known files, 100 new blobs / allowed", busy, ALLOWED_SECONDS, limit=1.0
    )


def rows(settings: Settings) -> Iterator[Row]:
    """Every sensor of the landing zone."""
    Path(settings.home).mkdir(parents=True, exist_ok=True)
    yield from folder_rows(settings.model_copy(update={"home": settings.home / "folder"}))
    yield from blob_rows(settings)
