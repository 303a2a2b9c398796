"""Whole commands in homes of their own, each command in a process of its own, as a person would run it."""

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

GLOBOLATTE = str(Path(sys.executable).with_name("globolatte"))


@dataclass(frozen=True)
class Home:
    """One deployment's state folder, and the command line on it."""

    folder: Path

    def environment(self, **more: str) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("GLOBOLATTE_", "DAGSTER_"))}
        return {**clean, "GLOBOLATTE_HOME": str(self.folder), "COLUMNS": "200", **more}

    def command(self, *arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [GLOBOLATTE, *arguments],
            env=self.environment(**more),
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    def ok(self, *arguments: str, **more: str) -> str:
        done = self.command(*arguments, **more)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def simulate(self, *arguments: str) -> "Home":
        self.ok("simulate", "--out", str(self.folder), *arguments)
        return self


@pytest.fixture(scope="session")
def new_home(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Home]:
    """Makes empty homes."""
    return lambda: Home(tmp_path_factory.mktemp("home"))
