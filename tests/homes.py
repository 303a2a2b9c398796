"""Homes with the command line on them, each command in a process of its own.

A small chain is simulated and run once in a session; tests that need a home after a pass get a copy.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from resources.warehouse.duckdb_file import DuckDBWarehouse
from tests import warm_commands
from tests.session import Shared

GLOBOLATTE = str(Path(sys.executable).with_name("globolatte"))
SMALL = ("--orders", "2000", "--customers", "150", "--start", "2022-01-01", "--end", "2022-02-28")
"""Two months in which every customer is known and a model can be learned."""
SMALL_FILES = 177


@dataclass(frozen=True)
class Home:
    """One deployment's state folder, and the command line on it."""

    folder: Path

    def environment(self, **more: str) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("GLOBOLATTE_", "DAGSTER_"))}
        return {**clean, "GLOBOLATTE_HOME": str(self.folder), "COLUMNS": "200", **more}

    def command(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        with tempfile.TemporaryDirectory() as folder:
            output, errors = Path(folder, "output"), Path(folder, "errors")
            process = warm_commands.start(arguments, self.environment(**more), output, errors)
            exit_code = process.wait(600)  # of a busy machine; alone it takes a tenth of that
            if exit_code is None:
                process.kill()
                raise TimeoutError(f"globolatte {' '.join(arguments)} does not end:\n{output.read_text()}")
            return subprocess.CompletedProcess(arguments, exit_code, output.read_text(), errors.read_text())

    def ok(self, *arguments: str, **more: str) -> str:
        done = self.command(*arguments, **more)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def simulate(self, *arguments: str) -> "Home":
        self.ok("simulate", "--out", str(self.folder), *arguments)
        return self


NewHome = Callable[[], Home]


def warehouse(home: Home) -> DuckDBWarehouse:
    """Its warehouse, as it is."""
    return DuckDBWarehouse(file=str(home.folder / "warehouse.duckdb"))


def simulated_home(shared: Shared) -> Home:
    """The small chain, delivered and not yet run; to be copied, not touched."""
    return Home(shared.once("simulated-home", lambda folder: Home(folder).simulate(*SMALL)))


def ran_home(shared: Shared) -> Home:
    """The same after its first run, in a process as a person's shell starts it; to be copied, not touched."""

    def run(folder: Path) -> None:
        home = copied(simulated_home(shared), folder)
        done = subprocess.run([GLOBOLATTE, "run"], env=home.environment(), capture_output=True, text=True, check=False)
        assert f"{SMALL_FILES} files loaded" in done.stdout, done.stdout + done.stderr

    return Home(shared.once("ran-home", run))


def copied(home: Home, to: Path) -> Home:
    """A home of its own that is as `home` is. Nothing in it is told where it is now."""
    shutil.copytree(home.folder, to, dirs_exist_ok=True)
    return Home(to)
