"""Whether a process on record is still that process: by the kernel's own account of it, on a copy of /proc that tells any story."""

import json
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.processes import (
    HeldError,
    ProcessId,
    ProcessTable,
    Standing,
    find_process,
    is_held,
    take,
    this_process,
)

RUNS, ENDED, UNSEEN = Standing.RUNS, Standing.ENDED, Standing.UNSEEN


class Machine:
    """A machine whose /proc is a folder: processes start and end, clocks are set, it is restarted."""

    def __init__(self, folder: Path, host: str, boot: str = "boot-1", space: str = "pid:[1]") -> None:
        self.proc, self.host, self.boot, self.clock = folder, host, boot, 1_700_000_000
        for name in ("sys/kernel/random", "self/ns"):
            (self.proc / name).mkdir(parents=True, exist_ok=True)
        (self.proc / "self" / "stat").write_text(self._stat(1, 1))
        self.enter(space)
        self.restart(boot)

    def table(self) -> ProcessTable:
        return ProcessTable(self.proc, self.host)

    def enter(self, space: str) -> None:
        link = self.proc / "self" / "ns" / "pid"
        link.unlink(missing_ok=True)
        link.symlink_to(space)

    def restart(self, boot: str) -> None:
        (self.proc / "sys/kernel/random/boot_id").write_text(f"{boot}\n")
        for folder in self.proc.glob("[0-9]*"):
            self.end(int(folder.name))
        self.set_clock(0)

    def set_clock(self, step: float) -> None:
        """What a step of the wall clock changes in /proc: the time at which the machine seems to have been started."""
        self.clock += int(step)
        (self.proc / "stat").write_text(f"cpu 1 2 3\nbtime {self.clock}\n")

    def start(self, pid: int, ticks: int, state: str = "S") -> ProcessId | None:
        (self.proc / str(pid)).mkdir(exist_ok=True)
        (self.proc / str(pid) / "stat").write_text(self._stat(pid, ticks, state))
        return self.table().find(pid)

    def end(self, pid: int) -> None:
        (self.proc / str(pid) / "stat").unlink(missing_ok=True)
        (self.proc / str(pid)).rmdir()

    def _stat(self, pid: int, ticks: int, state: str = "S") -> str:
        return f"{pid} (a (very) odd) name) {state} " + " ".join(["0"] * 18) + f" {ticks} 0 0"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("proc")


pids, ticks = st.integers(1, 2**22), st.integers(0, 2**40)
steps = st.one_of(st.sampled_from([1, 10, -1, -10, 3600, -3600]), st.integers(-(10**9), 10**9))


def recorded(process: ProcessId | None) -> ProcessId:
    """As it comes back from a file."""
    assert process is not None
    return ProcessId(*json.loads(json.dumps(process)))


@given(pid=pids, born=ticks, step=steps, renamed=st.booleans())
def test_no_step_of_the_clock_and_no_new_name_of_the_machine_changes_who_runs(
    folder: Path, pid: int, born: int, step: int, *, renamed: bool
) -> None:
    machine = Machine(folder, "here")
    process = recorded(machine.start(pid, born))
    machine.set_clock(step)
    machine.host = "elsewhere" if renamed else "here"
    assert machine.table().standing(process) is RUNS
    machine.end(pid)
    assert machine.table().standing(process) is ENDED


@given(pid=pids, born=ticks, later=st.integers(1, 10**6), step=steps)
def test_another_process_that_gets_the_id_is_not_the_first(
    folder: Path, pid: int, born: int, later: int, step: int
) -> None:
    machine = Machine(folder, "here")
    process = recorded(machine.start(pid, born))
    machine.end(pid)
    machine.set_clock(step)
    machine.start(pid, born + later)
    assert machine.table().standing(process) is ENDED


@given(pid=pids, born=ticks, step=steps)
def test_after_a_restart_none_runs_even_with_the_same_id_and_start(
    folder: Path, pid: int, born: int, step: int
) -> None:
    machine = Machine(folder, "here")
    process = recorded(machine.start(pid, born))
    machine.restart("boot-2")
    machine.set_clock(step)
    machine.start(pid, born)
    assert machine.table().standing(process) is ENDED


@given(pid=pids, born=ticks, own_name=st.booleans(), there=st.booleans())
def test_of_a_container_on_the_same_kernel_nothing_is_said_whatever_has_the_id_here(
    folder: Path, pid: int, born: int, *, own_name: bool, there: bool
) -> None:
    machine = Machine(folder, "container" if own_name else "here", space="pid:[2]")
    process = recorded(machine.start(pid, born))
    outside = Machine(folder, "here", space="pid:[1]")
    if there:
        outside.start(pid, born)
    assert outside.table().standing(process) is UNSEEN
    assert process.alive is False


@given(pid=pids, born=ticks, there=st.booleans())
def test_of_another_machine_nothing_is_said(folder: Path, pid: int, born: int, *, there: bool) -> None:
    process = recorded(Machine(folder, "other", boot="its boot").start(pid, born))
    machine = Machine(folder, "here")
    if there:
        machine.start(pid, born)
    assert machine.table().standing(process) is UNSEEN


def test_one_that_has_ended_and_was_not_waited_for_has_ended(folder: Path) -> None:
    machine = Machine(folder, "here")
    process = recorded(machine.start(7, 100))
    assert machine.start(7, 100, "Z") is None
    assert machine.table().standing(process) is ENDED


def test_records_of_earlier_versions_are_read(folder: Path) -> None:
    machine = Machine(folder, "here")
    machine.start(7, 100)
    assert machine.table().standing(ProcessId(7, "100", host="here")) is RUNS
    assert machine.table().standing(ProcessId(7, "101", host="here")) is ENDED
    assert machine.table().standing(ProcessId(7, "100", host="other")) is UNSEEN
    me = psutil.Process()
    assert ProcessId(me.pid, me.create_time()).alive
    assert not ProcessId(me.pid, me.create_time() - 60).alive
    assert not ProcessId(2**22 + 1, me.create_time()).alive


def test_this_process_runs_and_is_found_by_its_id() -> None:
    me = this_process()
    assert me.alive
    assert find_process(me.pid) == me
    assert find_process(2**22 + 1) is None


# Locks -----------------------------------------------------------------------------------------------------------------

HOLD = """
import sys, pathlib
from resources.processes import take
with take(pathlib.Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_lock_is_held_for_as_long_as_its_process_lives_and_a_copy_of_it_never(tmp_path: Path) -> None:
    file, copy = tmp_path / "folder" / "lock", tmp_path / "copy"
    assert not is_held(file)
    with subprocess.Popen([sys.executable, "-c", HOLD, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        copy.write_bytes(file.read_bytes())
        assert is_held(file)
        assert not is_held(copy)
        with pytest.raises(HeldError, match="another process holds"):
            take(file, seconds=0)
        moved = file.rename(tmp_path / "moved")
        assert is_held(moved)
        assert not is_held(file)
        holder.kill()
    assert not is_held(moved)


def test_those_that_only_look_keep_nobody_from_the_lock(tmp_path: Path) -> None:
    file = tmp_path / "lock"
    look = f"""
import pathlib, time
from resources.processes import is_held
end = time.monotonic() + 1
while time.monotonic() < end:
    is_held(pathlib.Path({str(file)!r}))
"""
    with subprocess.Popen([sys.executable, "-c", look]) as looking:
        taken = 0
        while looking.poll() is None:
            with take(file):
                taken += 1
            time.sleep(0.001)
    assert taken > 1
