"""Where faults are played: a copy of a home, the command line on it, and what a fault is."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path

from globolatte_cli.doctor import findings
from globolatte_cli.errors import UserError
from globolatte_cli.kept_parts import is_elsewhere
from globolatte_cli.running_parts import Finding
from resources.endpoint.local.endpoint import LocalEndpoint
from resources.endpoint.local.files import KEY_VARIABLE
from resources.environment import endpoint_of, warehouse_for_reading
from resources.settings.choices import LandingKind, MLKind, WarehouseKind
from resources.settings.settings import PROJECT_ROOT, Settings

LEFT_OUT = ("run", "logs", "*.sock", "port", "key", "known_keys.json", "run_locks")
"""Of `endpoints/` and `dagster/`: what belongs to running processes, and by what their callers reach them."""
OF_THE_ORIGINAL = (KEY_VARIABLE, "GLOBOLATTE_ENDPOINT_PORT", "GLOBOLATTE_ALERT_WEBHOOK")
"""Variables by which the original is reached, and by which it reports: the copy has none of them."""
COMMAND_SECONDS = 900
GLOBOLATTE = Path(sys.executable).with_name("globolatte")


@dataclass(frozen=True)
class Stage:
    """A copied home."""

    settings: Settings
    told: dict[str, str] = field(default_factory=dict)
    """What was said to a fault that is played now, by a name."""
    given: list[str] = field(default_factory=list)
    """The ids of all requests that the endpoint answered."""

    @property
    def home(self) -> Path:
        """The copy."""
        return self.settings.home

    @property
    def endpoint(self) -> LocalEndpoint:
        """The copy's own endpoint."""
        endpoint = endpoint_of(self.settings)
        assert isinstance(endpoint, LocalEndpoint)  # noqa: S101 - a copy is made of local homes only
        return endpoint

    def globolatte(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        """A command on the copy, in a process of its own; it reports to nobody."""
        clean = {name: value for name, value in os.environ.items() if name not in OF_THE_ORIGINAL}
        environment = {**clean, **self.settings.environment_variables(), "COLUMNS": "400", "NO_COLOR": "1"}
        return subprocess.run(
            [GLOBOLATTE, *arguments],
            cwd=PROJECT_ROOT,
            env={**environment, **more},
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )

    def doctor(self) -> list[Finding]:
        """What doctor finds wrong."""
        return [found for found in findings(self.settings) if not found.fine]


Play = Callable[[Stage], AbstractContextManager[object]]


class Outcome(StrEnum):
    """What came of a fault. All but the first one fail the drill."""

    SHOWN = "shown"
    SILENT = "silent"
    LOST = "lost without a word"
    RED_BEFORE = "red before"
    """What is to show it was there without it."""
    NOT_PLAYED = "could not be played"


@dataclass(frozen=True)
class Loss:
    """What a fault took, as it was counted; `unsaid`: how much of that nothing told."""

    words: str
    unsaid: int = 0


Measure = Callable[[Stage], Callable[[], Loss]]
"""Counts before a fault, and returns what counts again after it."""


def conserved(stage: Stage) -> Callable[[], Loss]:
    """Rows, quarantined rows and entries of the ledger, which a broken state must not make fewer."""
    before = _counts(stage)

    def loss() -> Loss:
        after = _counts(stage)
        fewer = {name: before[name] - after[name] for name in before if after[name] < before[name]}
        if fewer:
            return Loss(", ".join(f"{count:,} {name}" for name, count in fewer.items()), sum(fewer.values()))
        return Loss(f"nothing: {', '.join(f'{count:,} {name}' for name, count in after.items())}")

    return loss


def _counts(stage: Stage) -> dict[str, int]:
    warehouse = warehouse_for_reading(stage.settings)
    return {name: warehouse.read(table, [column]).num_rows for name, (table, column) in COUNTED.items()}


COUNTED = {
    "rows of sales": ("sales_data.sales_transactions", "load_id"),
    "rows in quarantine": ("sales_data.quarantine", "load_id"),
    "entries in the ledger": ("sales_data.load_ledger", "load_id"),
}


@dataclass(frozen=True)
class Fault:
    """One fault: `play` does it and undoes it, `seen` returns the words that show it, or nothing as long as there are none.

    Without the fault `seen` must find nothing: it is looked at before. `kind` says in a few words what trouble of the field this is one of.
    """

    name: str
    kind: str
    what: str
    play: Play
    seen: Callable[[Stage], str | None]
    measure: Measure = conserved
    patience: float = 30.0


@dataclass(frozen=True)
class Shown:
    """What came of a fault. `by`: what showed it, or why it could not be played."""

    fault: str
    kind: str
    what: str
    outcome: Outcome
    by: str
    seconds: float
    lost: str

    @property
    def fine(self) -> bool:
        """Whether it was shown, and nothing was lost without a word."""
        return self.outcome is Outcome.SHOWN

    def worse(self, outcome: Outcome, lost: str) -> "Shown":
        """The same with this outcome, if it was fine."""
        return replace(self, outcome=outcome, lost=lost) if self.fine else self


def played(fault: Fault, stage: Stage) -> Shown:
    """Plays a fault, waits until something shows it, and counts what was lost. Whatever goes wrong is the outcome of this fault alone."""
    began = time.monotonic()

    def ended(outcome: Outcome, by: str, lost: str) -> Shown:
        return Shown(fault.name, fault.kind, fault.what, outcome, " ".join(by.split()), time.monotonic() - began, lost)

    stage.told.clear()
    try:
        if before := fault.seen(stage):
            return ended(Outcome.RED_BEFORE, before, "not measured")
        loss_of, began = fault.measure(stage), time.monotonic()
        with fault.play(stage):
            while not (by := fault.seen(stage)) and time.monotonic() - began < fault.patience:
                time.sleep(0.2)
            shown = ended(Outcome.SHOWN if by else Outcome.SILENT, by or "", "")
        loss = loss_of()
    except Exception as error:  # noqa: BLE001 - what cannot be played fails the drill, and ends no other fault
        return ended(Outcome.NOT_PLAYED, repr(error), "not measured")
    shown = replace(shown, lost=loss.words)
    return shown.worse(Outcome.LOST, loss.words) if loss.unsaid else shown


def copy_of(home: Path, to: Path) -> None:
    """Copies a home without what belongs to its running processes. Links become what they lead to, so that none leads out of the copy."""
    if not (home / "warehouse.duckdb").exists():
        raise UserError(f"{home} holds no warehouse yet; run `globolatte run` or `globolatte demo` first")
    ignored = shutil.ignore_patterns(*LEFT_OUT)

    def left_out(folder: str, names: list[str]) -> set[str]:
        return ignored(folder, names) if Path(folder).name in ("endpoints", "dagster") else set()

    shutil.copytree(home, to, ignore=left_out, ignore_dangling_symlinks=True, dirs_exist_ok=True)
    (to / "endpoints" / "desired.json").unlink(missing_ok=True)  # its processes are the original's


def stage_in(folder: Path, settings: Settings) -> Stage:
    """A stage on a copy of the home of `settings`. Raises `UserError` if that home is not all on this machine."""
    kinds = (settings.landing, settings.warehouse, settings.ml)
    if kinds != (LandingKind.FOLDER, WarehouseKind.DUCKDB, MLKind.LOCAL):
        raise UserError("faults are played on a home that is all on this machine; set GLOBOLATTE_ENV=local")
    if (settings.dagster_folder / "dagster.yaml").exists() and is_elsewhere(settings):
        raise UserError(
            f"{settings.dagster_folder / 'dagster.yaml'} names a storage outside of the home, to which a copy would write as well; play "
            "faults on a home with Dagster's default storage"
        )
    copy_of(settings.home, folder)
    mine = settings.model_copy(update={"home": folder, "endpoint_port": None, "warehouse_wait_seconds": 20.0})
    return Stage(mine)


@contextmanager
def aside(path: Path) -> Iterator[Path]:
    """Takes a file or folder away, and puts it back over whatever is there then."""
    hidden = path.with_name(f".{path.name}.drill")
    path.rename(hidden)
    try:
        yield path
    finally:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
        hidden.rename(path)
