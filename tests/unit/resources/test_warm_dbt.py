"""A dbt started ahead does what dbt does: output, exit code, interrupts; and is not missed where there is none."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from resources.environment import DBT_PROJECT_FOLDER, WARM_DBT_EXECUTABLE
from resources.settings.settings import PROJECT_ROOT
from resources.warm_dbt import VARIABLE, warm_dbt

LINGERING = """
import os, sys, time
import resources.warm_dbt as warm

def linger(arguments, manifest):
    try:
        print("working", *arguments[1:], flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        sys.exit(3)

warm._run_dbt = linger
warm._parsed = lambda: None
warm.wait_for_work(os.getppid())
"""


def dbt(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs dbt's command line in `folder`, and gives what it printed."""
    return subprocess.run([WARM_DBT_EXECUTABLE, *arguments], cwd=folder, capture_output=True, text=True, check=False)


def warm_processes() -> list[psutil.Process]:
    """The warm processes that this test started."""
    return [child for child in psutil.Process().children() if "resources.warm_dbt" in child.cmdline()]


@contextmanager
def lingering(folder: Path, first: str = "") -> Iterator[subprocess.Popen[str]]:
    """`globolatte-dbt build` under way in a warm process that takes a minute, and runs `first` before all."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))
        listener.listen(1)
        warm = subprocess.Popen([sys.executable, "-c", first + LINGERING], stdin=listener.fileno(), cwd=PROJECT_ROOT)
    client = subprocess.Popen(
        [WARM_DBT_EXECUTABLE, "build"],
        env={**os.environ, VARIABLE: str(folder / "socket")},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert client.stdout is not None
        assert client.stdout.readline() == "working build\n"
        yield client
        warm.wait(10)
    finally:
        for process in (client, warm):
            process.kill()
            process.wait()


def test_a_warm_dbt_answers_as_dbt_does(tmp_path: Path) -> None:
    cold = dbt("debug", "--no-such-option", folder=tmp_path)
    with warm_dbt(DBT_PROJECT_FOLDER, tmp_path):
        (process,) = warm_processes()
        warm = dbt("debug", "--no-such-option", folder=tmp_path)
        process.wait(10)
        used_up = dbt("debug", "--no-such-option", folder=tmp_path)
    assert "No such option" in cold.stderr
    for again in (warm, used_up):
        assert (again.returncode, again.stdout, again.stderr) == (cold.returncode, cold.stdout, cold.stderr)
    assert VARIABLE not in os.environ


def test_folder_and_environment_are_those_of_the_caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with warm_dbt(DBT_PROJECT_FOLDER, tmp_path):
        monkeypatch.setenv("DBT_PROFILES_DIR", str(tmp_path / "profiles"))
        said = dbt("debug", folder=tmp_path)
    assert said.returncode == 1
    assert f"{tmp_path}/dbt_project.yml" in said.stdout
    assert f"{tmp_path}/profiles" in said.stdout


def test_a_warm_dbt_that_died_is_not_missed(tmp_path: Path) -> None:
    with warm_dbt(DBT_PROJECT_FOLDER, tmp_path):
        (process,) = warm_processes()
        process.kill()
        process.wait()
        assert dbt("--help", folder=tmp_path).returncode == 0


def test_one_that_is_not_asked_for_anything_ends_with_the_pass(tmp_path: Path) -> None:
    with warm_dbt(DBT_PROJECT_FOLDER, tmp_path):
        (process,) = warm_processes()
    assert not process.is_running()


def test_one_whose_pass_is_killed_ends_by_itself(tmp_path: Path) -> None:
    script = (
        "import sys, time\nfrom pathlib import Path\nfrom resources.warm_dbt import warm_dbt\n"
        "with warm_dbt(Path(sys.argv[1]), Path(sys.argv[2])):\n    time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", script, DBT_PROJECT_FOLDER, tmp_path], cwd=PROJECT_ROOT)
    (warm,) = _children(psutil.Process(parent.pid))
    parent.kill()
    parent.wait()
    warm.wait(20)


def test_an_interrupt_reaches_the_warm_dbt(tmp_path: Path) -> None:
    with lingering(tmp_path) as client:
        client.send_signal(signal.SIGINT)
        assert client.communicate(timeout=10)[0] == "interrupted\n"
        assert client.returncode == 3


def test_a_warm_dbt_whose_caller_is_killed_stops(tmp_path: Path) -> None:
    with lingering(tmp_path) as client:
        client.kill()
        assert client.stdout is not None
        assert client.stdout.readline() == "interrupted\n"


def _die_when_asked(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    connection.close()


def _children(process: psutil.Process) -> list[psutil.Process]:
    """A process' children, once there are any."""
    while not (children := process.children()):
        time.sleep(0.05)
    return children


def test_a_build_ends_with_its_caller_also_where_interrupts_were_ignored(tmp_path: Path) -> None:
    as_in_the_background = "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
    with lingering(tmp_path, as_in_the_background) as client:
        client.kill()


def test_a_warm_dbt_that_dies_before_it_is_ready_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        listener.listen(1)
        monkeypatch.setenv(VARIABLE, str(tmp_path / "socket"))
        dying = threading.Thread(target=_die_when_asked, args=(listener,))
        dying.start()
        said = dbt("debug", "--no-such-option", folder=tmp_path)
        dying.join()
    assert "the dbt that was started ahead died; starting another" in said.stderr
    assert "No such option" in said.stderr


def test_a_folder_too_deep_for_a_socket_is_no_trouble(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = tmp_path / ("\N{LATIN SMALL LETTER E WITH ACUTE}" * 60)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with warm_dbt(DBT_PROJECT_FOLDER, tmp_path):
        assert VARIABLE not in os.environ
        assert not warm_processes()
