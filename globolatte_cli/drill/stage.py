"""Where faults are played: a copy of a home, the command line on it, and what a fault is."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from globolatte_cli.doctor import findings
from globolatte_cli.errors import UserError
from globolatte_cli.running_parts import Finding
from resources.endpoint.local.endpoint import LocalEndpoint
from resources.environment import endpoint_of
from resources.settings.choices import LandingKind, MLKind, WarehouseKind
from resources.settings.settings import PROJECT_ROOT, Settings

LEFT_OUT = ("run", "logs", "*.sock", "port", "key", "known_keys.json")
"""Of `endpoints/` and `dagster/`: what belongs to running processes, and by what their callers reach them."""
COMMAND_SECONDS = 900
GLOBOLATTE = Path(sys.executable).with_name("globolatte")


@dataclass(frozen=True)
class Stage:
    """A copied home. `red`: what doctor finds wrong with it as it is, so that only more counts."""

    settings: Settings
    red: frozenset[str] = frozenset()
    told: dict[str, str] = field(default_factory=dict)
    """What commands printed, by a name."""

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

    def globolatte(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command on the copy, in a process of its own; it reports to nobody."""
        clean = {name: value for name, value in os.environ.items() if name != "GLOBOLATTE_ALERT_WEBHOOK"}
        environment = {**clean, **self.settings.environment_variables(), "COLUMNS": "400", "NO_COLOR": "1"}
        return subprocess.run(
            [GLOBOLATTE, *arguments],
            cwd=PROJECT_ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=COMMAND_SECONDS,
            check=False,
        )

    def doctor(self) -> list[Finding]:
        """What doctor finds wrong that was not wrong before."""
        return [found for found in findings(self.settings) if not found.fine and found.name not in self.red]


Play = Callable[[Stage], AbstractContextManager[object]]


@dataclass(frozen=True)
class Fault:
    """One fault: `play` does it and undoes it, `seen` returns the words that show it, or nothing as long as there are none."""

    name: str
    kind: str
    what: str
    play: Play
    seen: Callable[[Stage], str | None]
    lost: Callable[[Stage], str] = lambda _: "nothing"
    patience: float = 30.0


@dataclass(frozen=True)
class Shown:
    """What came of a fault. `by` is empty if nothing showed it."""

    fault: str
    kind: str
    what: str
    by: str
    seconds: float
    lost: str

    @property
    def silent(self) -> bool:
        """Whether nothing showed it."""
        return not self.by


def played(fault: Fault, stage: Stage) -> Shown:
    """Plays a fault and waits until something shows it."""
    began = time.monotonic()
    by, lost = "", ""
    try:
        with fault.play(stage):
            while True:
                by = fault.seen(stage) or ""
                seconds = time.monotonic() - began
                if by or seconds > fault.patience:
                    break
                time.sleep(0.2)
            lost = fault.lost(stage)
    except Exception as error:  # noqa: BLE001 - a fault that cannot be played is reported like a silent one and ends no other
        return Shown(fault.name, fault.kind, fault.what, "", time.monotonic() - began, f"not played: {error!r}")
    return Shown(fault.name, fault.kind, fault.what, " ".join(by.split()), seconds, lost)


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
    copy_of(settings.home, folder)
    mine = settings.model_copy(update={"home": folder, "endpoint_port": None, "warehouse_wait_seconds": 20.0})
    return Stage(mine, frozenset(found.name for found in findings(mine) if not found.fine))


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
