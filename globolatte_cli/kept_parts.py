"""What passes leave in the home, each part opened for reading and never made: warehouse, registry, customer state, Dagster's storage.
For `globolatte doctor`. A part that is gone is told from one that was never made by what the others hold.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import dagster as dg
import yaml

from globolatte_assets.keys import SALES_TRANSACTIONS
from globolatte_cli.running_parts import Finding
from globolatte_ml.scoring.state_bundle import read_state_bundle
from resources import environment
from resources.ml.local.registry_faults import IN_USE, code_of
from resources.ml.ml_platform import CHAMPION, fault_of
from resources.settings.choices import MLKind, WarehouseKind
from resources.settings.settings import Settings
from resources.warehouse.schema import MIGRATIONS
from resources.warehouse.warehouse import Warehouse, WarehouseBusyError, WarehouseUnusableError
from sensors.waiting import waiting_in

LEDGER, VERSIONS = "sales_data.load_ledger", "sales_data.schema_versions"
STORAGE_FILES = ("history/runs.db", "history/runs/index.db", "schedules/schedules.db")
"""Where Dagster keeps runs, events, and the ticks of sensors, unless its configuration names another storage."""
SQLITE = b"SQLite format 3\0"
"""How each file of SQLite begins."""
STORAGE_KEYS = {"storage", "run_storage", "event_log_storage", "schedule_storage"}
BACKUP = "restore it from a backup (docs/what-happens-when.md)"
AWAY = "move it away with what lies beside it under its name (-journal, -wal, -shm, .wal)"
LOAD_AGAIN = (
    f"{BACKUP}, or run `globolatte run`: it loads what is in the landing zone again, and knows nothing of approvals, retractions and "
    "answers of before"
)


def traces(settings: Settings) -> dict[str, str]:
    """What only a pass leaves in this home, by the part that it is in. Empty for a home in which nothing ran."""
    found: dict[str, str] = {}
    if loaded := _loaded_here(settings):
        found["warehouse"] = f"{loaded:,} files are loaded"
    if settings.ml is MLKind.LOCAL and (settings.mlflow_folder / "mlflow.db").exists():
        found["ML platform"] = "models are registered"
    if any(settings.mlflow_folder.glob("jobs/*/model")):
        found["trained models"] = "trained models are stored"
    if any((settings.endpoints_folder / "states").glob("[!.]*")):
        found["customer state"] = "customer states are stored"
    if any(settings.kept_files_folder.glob("[!.]*")):
        found["kept files"] = "the bytes of loaded files are kept"
    return found


def _loaded_here(settings: Settings) -> int:
    """How many loaded files the ledger of this home's own warehouse names; 0 if it cannot say."""
    if settings.warehouse is not WarehouseKind.DUCKDB or not settings.warehouse_file.exists():
        return 0
    try:
        return environment.warehouse_for_reading(settings).read(LEDGER, ["status"], {"status": "loaded"}).num_rows
    except Exception:  # noqa: BLE001 - whatever is wrong with it, the finding about the warehouse says it
        return 0


def _gone(settings: Settings, part: str, what: str, remedy: str, *, but: tuple[str, ...] = ()) -> Finding | None:
    """The finding that a part is gone, if other parts tell that it was there: all but those named, which are made before it."""
    others = [trace for name, trace in traces(settings).items() if name not in (part, *but)]
    return Finding(part, False, f"{what} is gone, though {others[0]}", remedy) if others else None


def warehouse(settings: Settings) -> Finding:
    """The ledger's counts."""
    name, file = "warehouse", settings.warehouse_file
    is_file = settings.warehouse is WarehouseKind.DUCKDB
    if is_file and not file.exists():
        gone = _gone(settings, name, str(file), LOAD_AGAIN)
        return gone or Finding(name, True, f"{file} is not made yet; the first `globolatte run` makes it")
    opened = environment.warehouse_for_reading(settings)
    try:
        version = _version(opened) if is_file else None
        ledger = opened.read(LEDGER, ["status"])
    except WarehouseBusyError as busy:
        return Finding(name, True, f"in use: {busy}")
    except WarehouseUnusableError as fault:
        return Finding(name, False, str(fault), f"{AWAY}, then {LOAD_AGAIN}" if is_file else "see the message")
    except Exception as fault:  # it opens, and the tables that each warehouse has are not in it
        if not is_file:
            raise
        return Finding(name, False, f"{file}: holds no ledger ({fault})", f"{AWAY}, then {LOAD_AGAIN}")
    if version is not None and version > len(MIGRATIONS):
        state = f"{file}: was written by a newer release (its tables are of version {version}, this one knows {len(MIGRATIONS)})"
        return Finding(name, False, state, "upgrade GloboLatte")
    counts = sorted(Counter(ledger["status"].to_pylist()).items())
    files = ", ".join(f"{count:,} {status}" for status, count in counts) or "no file in the ledger"
    older = version is not None and version < len(MIGRATIONS)
    note = "; its tables are of an earlier release, and the next pass brings them up to date" if older else ""
    return Finding(name, True, f"{opened.describe()}: {files}{note}")


def _version(opened: Warehouse) -> int:
    """Up to which migration its tables were brought; 0 before the first."""
    return max(opened.read(VERSIONS, ["version"])["version"].to_pylist(), default=0)


def waiting(settings: Settings) -> Finding:
    """What waits for a person."""
    name = "waiting for a person"
    opened, landing = environment.warehouse_for_reading(settings), environment.landing_of(settings)
    if settings.warehouse is WarehouseKind.DUCKDB:
        if not settings.warehouse_file.exists():
            return Finding(name, True, "nothing that is on record: there is no warehouse")
        try:
            version = _version(opened)
        except WarehouseBusyError as busy:
            return Finding(name, True, f"not known, the warehouse is in use: {busy}")
        if version < len(MIGRATIONS):
            state = (
                "not known: the warehouse's tables are of an earlier release, and the next pass brings them up to date"
            )
            return Finding(name, True, state, waits=True)
    try:
        items = waiting_in(settings, opened, landing, environment.ml_of(settings), environment.clock_of(settings))
    except WarehouseBusyError as busy:
        return Finding(name, True, f"not known, the warehouse is in use: {busy}")
    lines = "".join(f"\n  {item.text}" for item in items)
    return Finding(name, True, f"{len(items)}{lines}" if items else "nothing", waits=bool(items))


def ml_platform(settings: Settings) -> Finding:
    """Opens the champion."""
    name, registry = "ML platform", settings.mlflow_folder / "mlflow.db"
    ml = environment.ml_of(settings.model_copy(update={"warehouse_wait_seconds": environment.SHORT_TIMEOUT_SECONDS}))
    if settings.ml is MLKind.LOCAL and (unreadable := _registry_fault(settings, registry)) is not None:
        return unreadable
    champion = ml.model(CHAMPION)
    if champion is None:
        return Finding(name, False, f"{ml.describe()}: no champion", "run `globolatte run`")
    if fault := fault_of(champion):
        state = f"{ml.describe()}: the champion, version {champion.version}, cannot be read: {fault}"
        return Finding(name, False, state, "run `globolatte run`: it trains a new one")
    return Finding(name, True, f"{ml.describe()}: champion is version {champion.version}")


def _registry_fault(settings: Settings, registry: Path) -> Finding | None:
    """What is wrong with the registry's file: without a word of MLflow, which would make a new one, or wait for a lock."""
    name, train = "ML platform", f"{BACKUP}, or run `globolatte run`: it trains a new model"
    if not registry.exists():
        return _gone(settings, name, str(registry), train, but=("warehouse", "kept files", "customer state"))
    if not _is_database(registry):
        return Finding(name, False, f"{registry} cannot be read: it is no database of SQLite", f"{AWAY}, then {train}")
    address = f"file:{quote(str(registry))}?mode=ro"
    try:
        with closing(sqlite3.connect(address, uri=True, timeout=environment.SHORT_TIMEOUT_SECONDS)) as opened:
            opened.execute("select count(*) from registered_models").fetchall()
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_READONLY_ROLLBACK:
            state = (
                f"{registry}: a write to it was interrupted, which the next pass takes back; not looked at until then"
            )
            return Finding(name, True, state, waits=True)
        if code_of(error) in IN_USE:
            return Finding(
                name,
                False,
                f"{registry}: {error}",
                "end the program that has the file open; what trains meanwhile waits for it",
            )
        return Finding(name, False, f"{registry} cannot be read: {error}", f"{AWAY}, then {train}")
    return None


def customer_state(settings: Settings) -> Finding:
    """Opens the customer state that serving reads."""
    name, remedy = "customer state", "run `globolatte run`: it publishes one"
    states = environment.states_of(settings)
    try:
        folder = states.current()
    except FileNotFoundError:
        pointer = settings.endpoints_folder / "current_state"
        if "customer state" in traces(settings):
            return Finding(name, False, f"{pointer}, which names the current one, is gone", remedy)
        before = ("warehouse", "kept files", "trained models")
        gone = _gone(settings, name, f"{pointer} was never written, or", remedy, but=before)
        return gone or Finding(name, True, "none is published yet")
    try:
        bundle = read_state_bundle(folder)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with its files, it cannot be served
        return Finding(name, False, f"cannot be read: {error}", remedy)
    return Finding(name, True, f"{folder.name}, of {len(bundle.business_units)} units")


def dagster_storage(settings: Settings) -> Iterator[Finding]:
    """Reads Dagster's records: runs, events, ticks. Nothing is opened of which a file is missing: Dagster would make it anew."""
    name, folder = "Dagster's storage", settings.dagster_folder
    remedy = (
        f"move {folder} away, then {BACKUP}, or run `globolatte run`: it begins a new history, and loads nothing twice"
    )
    configuration = folder / "dagster.yaml"
    if not configuration.exists():
        gone = _gone(settings, name, str(configuration), f"{BACKUP}; the next command writes the default one")
        yield gone or Finding(name, True, "is not made yet")
        return
    if not is_elsewhere(settings):
        there = [folder / file for file in STORAGE_FILES if (folder / file).exists()]
        if damaged := [path for path in there if not _is_database(path)]:
            yield Finding(name, False, f"cannot be read: {damaged[0]} is no database of SQLite", remedy)
            return
        if len(there) < len(STORAGE_FILES):
            missing = next(folder / file for file in STORAGE_FILES if folder / file not in there)
            yield _gone(settings, name, str(missing), remedy) or Finding(name, True, "is not made yet")
            return
    try:
        with dg.DagsterInstance.from_config(str(folder)) as instance:
            runs = instance.get_run_records(limit=1)
            instance.fetch_materializations(SALES_TRANSACTIONS, limit=1)
            instance.all_instigator_state()
    except Exception as fault:  # noqa: BLE001 - each storage has errors of its own
        reason = str(fault).strip().splitlines()[0]
        yield Finding(name, False, f"{folder}: cannot be read: {reason}", remedy)
        return
    latest = f"; its latest run is of {runs[0].create_timestamp:%Y-%m-%d %H:%M:%S}" if runs else ""
    yield Finding(name, True, f"runs, events and ticks can be read{latest}")


def is_elsewhere(settings: Settings) -> bool:
    """Whether `dagster.yaml` names a storage, such as PostgreSQL."""
    file = settings.dagster_folder / "dagster.yaml"
    try:
        configuration = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.MarkedYAMLError as error:  # its text quotes the line, in which a password may stand
        line = error.problem_mark.line + 1 if error.problem_mark is not None else "?"
        raise ValueError(f"{file}: line {line} is not YAML; correct it") from None
    return isinstance(configuration, dict) and bool(STORAGE_KEYS & configuration.keys())


def has_storage(settings: Settings) -> bool:
    """Whether Dagster's storage is there, so that opening it makes nothing."""
    if not (settings.dagster_folder / "dagster.yaml").exists():
        return False
    return is_elsewhere(settings) or all(_is_database(settings.dagster_folder / file) for file in STORAGE_FILES)


def _is_database(path: Path) -> bool:
    """Whether it is a file of SQLite; opening anything else would make one of it, or leave something beside it."""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(len(SQLITE)) == SQLITE
