"""Broken states of a home that doctor must find, each with its remedy."""

import resource
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path

from globolatte_cli.drill.stage import Fault, Play, Stage, aside
from resources.endpoint.endpoint import Deployment, DesiredState
from resources.endpoint.local.files import write_desired, write_json
from resources.environment import ml_of, states_of
from resources.ml.ml_platform import CHAMPION

GARBAGE = b"\0not what it was\0" * 64
Where = Callable[[Stage], Path]


def _champion(stage: Stage) -> Path:
    champion = ml_of(stage.settings).model(CHAMPION)
    if champion is None:
        raise FileNotFoundError("there is no champion")
    return champion.folder


def _state_file(stage: Stage) -> Path:
    return next(iter(sorted(states_of(stage.settings).current().glob("*.parquet"))))


def gone(where: Where) -> Play:
    """Something is taken away."""
    return lambda stage: aside(where(stage))


def damaged(where: Where) -> Play:
    """A file holds something else."""

    @contextmanager
    def play(stage: Stage) -> Iterator[None]:
        with aside(where(stage)) as path:
            path.write_bytes(GARBAGE)
            yield

    return play


def in_the_way(where: Where, *, folder: bool) -> Play:
    """A file stands where a folder was, or the other way round."""

    @contextmanager
    def play(stage: Stage) -> Iterator[None]:
        with aside(where(stage)) as path:
            if folder:
                path.mkdir()
            else:
                path.write_bytes(b"")
            yield

    return play


@contextmanager
def _champion_damaged(stage: Stage) -> Iterator[None]:
    with aside(_champion(stage)) as folder:
        shutil.copytree(folder.with_name(f".{folder.name}.drill"), folder)
        for file in folder.rglob("*"):
            if file.is_file():
                file.write_bytes(GARBAGE)
        yield


@contextmanager
def _pointer_to_nothing(stage: Stage) -> Iterator[None]:
    with aside(stage.settings.endpoints_folder / "current_state") as pointer:
        pointer.write_text("nowhere")
        yield


@contextmanager
def _declared(stage: Stage) -> Iterator[None]:
    folder = _champion(stage)
    files = stage.endpoint.files
    write_desired(files, DesiredState({"blue": Deployment(str(folder), "1", "hash")}, {"blue": 100}))
    try:
        yield
    finally:
        files.desired.unlink()


@contextmanager
def _desired_damaged(stage: Stage) -> Iterator[None]:
    with _declared(stage):
        stage.endpoint.files.desired.write_bytes(GARBAGE)
        yield


@contextmanager
def _declaration_gone(stage: Stage) -> Iterator[None]:
    observed = stage.endpoint.files.observed
    write_json(observed, {"deployments": [{"name": "blue"}]})
    try:
        yield
    finally:
        observed.unlink()


@contextmanager
def _registry_locked(stage: Stage) -> Iterator[None]:
    with closing(sqlite3.connect(stage.home / REGISTRY, isolation_level=None)) as registry:
        registry.execute("begin exclusive")
        yield
        registry.execute("rollback")


@contextmanager
def full_disk(_: Stage) -> Iterator[None]:
    """Nothing that this process writes finds room: what a full disk or a quota does."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def red(name: str, words: str = "") -> Callable[[Stage], str | None]:
    """Doctor finds this part wrong, with these words, and names a remedy."""

    def seen(stage: Stage) -> str | None:
        fitting = [one for one in stage.doctor() if one.name == name and words in one.state and one.remedy]
        return f"doctor, {name}: {fitting[0].state}" if fitting else None

    return seen


def _state(
    name: str, what: str, play: Callable[[Stage], AbstractContextManager[object]], part: str, words: str = ""
) -> Fault:
    return Fault(name, KINDS.get(name, "a part of the home is broken"), what, play, red(part, words), patience=1.0)


def _under(name: str) -> Where:
    return lambda stage: stage.home / name


KINDS = {
    "machine-restarted": "a restart of the machine",
    "registry-locked": "a database locked by another program",
    "disk-full": "a full disk",
}
"""Of the states that are more than a part gone or damaged."""
WAREHOUSE, REGISTRY, PLATFORM, STORAGE = "warehouse.duckdb", "mlflow/mlflow.db", "ML platform", "Dagster's storage"
STATES: tuple[Fault, ...] = (
    _state("registry-locked", "another program has mlflow.db locked", _registry_locked, PLATFORM, "locked"),
    _state(
        "reference-file-gone",
        "products.csv is gone",
        gone(_under("landing/reference/products.csv")),
        "landing zone",
        "sales files",
    ),
    _state(
        "landing-zone-in-the-way",
        "a file is in its place",
        in_the_way(_under("landing"), folder=False),
        "landing zone",
        "is a file",
    ),
    _state(
        "landing-zone-gone",
        "the folder is gone, as a disk that is not mounted",
        gone(_under("landing")),
        "landing zone",
        "is not there",
    ),
    _state("warehouse-gone", "the warehouse's file is gone", gone(_under(WAREHOUSE)), "warehouse", "is gone"),
    _state(
        "warehouse-damaged",
        "the warehouse's file holds something else",
        damaged(_under(WAREHOUSE)),
        "warehouse",
        "cannot be read",
    ),
    _state(
        "warehouse-in-the-way",
        "a folder stands where the warehouse was",
        in_the_way(_under(WAREHOUSE), folder=True),
        "warehouse",
        "cannot be read",
    ),
    _state(
        "champion-damaged", "the champion's files hold something else", _champion_damaged, PLATFORM, "cannot be read"
    ),
    _state(
        "champion-emptied",
        "the champion's folder is empty",
        in_the_way(_champion, folder=True),
        PLATFORM,
        "cannot be read",
    ),
    _state("registry-gone", "mlflow.db is gone", gone(_under(REGISTRY)), PLATFORM, "mlflow.db is gone"),
    _state("registry-damaged", "mlflow.db holds something else", damaged(_under(REGISTRY)), PLATFORM, "cannot be read"),
    _state(
        "state-pointer-gone",
        "the file that names the current customer state is gone",
        gone(_under("endpoints/current_state")),
        "customer state",
        "is gone",
    ),
    _state(
        "state-pointer-to-nothing",
        "the pointer names a state that is not there",
        _pointer_to_nothing,
        "customer state",
        "cannot be read",
    ),
    _state(
        "state-damaged", "a file of it holds something else", damaged(_state_file), "customer state", "cannot be read"
    ),
    _state(
        "machine-restarted",
        "an endpoint is declared, and nothing of it runs",
        _declared,
        "online endpoint",
        "declared, not running",
    ),
    _state(
        "declaration-damaged", "desired.json holds something else", _desired_damaged, "online endpoint", "desired.json"
    ),
    _state(
        "declaration-gone", "desired.json is gone, and an endpoint ran", _declaration_gone, "online endpoint", "is gone"
    ),
    _state("disk-full", "the disk is full", full_disk, "disk", "nothing can be written"),
    _state(
        "dagster-storage-damaged",
        "Dagster's storage holds something else",
        damaged(_under("dagster/history/runs.db")),
        STORAGE,
        "cannot be read",
    ),
    _state(
        "dagster-events-damaged",
        "its record of what was materialized holds something else",
        damaged(_under("dagster/history/runs/index.db")),
        STORAGE,
        "cannot be read",
    ),
    _state(
        "dagster-ticks-damaged",
        "its record of sensors holds something else",
        damaged(_under("dagster/schedules/schedules.db")),
        STORAGE,
        "cannot be read",
    ),
    _state("dagster-storage-gone", "Dagster's history is gone", gone(_under("dagster/history")), STORAGE, "is gone"),
    _state(
        "dagster-settings-gone",
        "dagster.yaml is gone, and with it what it names",
        gone(_under("dagster/dagster.yaml")),
        STORAGE,
        "is gone",
    ),
)
