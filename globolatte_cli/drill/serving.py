"""Faults of a running endpoint: of its processes, its files, its port, its key."""

import http.client
import os
import resource
import shutil
import signal
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil

from globolatte_cli.drill.answers import SECONDS, answered, ask, send
from globolatte_cli.drill.stage import Fault, Stage, aside
from globolatte_cli.drill.states import GARBAGE, red
from globolatte_ml.scoring.prediction_log import UNFINISHED, finish_abandoned
from resources.endpoint.local.endpoint import LocalEndpoint
from resources.endpoint.local.files import endpoint_key, last_lines, read_json
from resources.endpoint.local.processes import LOOPBACK


def _entry(stage: Stage, name: str) -> dict[str, Any]:
    document: dict[str, Any] = read_json(stage.endpoint.files.observed) or {}
    entries = [document.get("gateway") or {}, *document.get("deployments", [])]
    return next((entry for entry in entries if entry.get("name") == name), {})


def _live(stage: Stage) -> str:
    live = stage.endpoint.desired().live
    if live is None:
        raise FileNotFoundError("nothing is deployed on the copy")
    return live


def _gateway(_: Stage) -> str:
    return "gateway"


def _killed(name: Callable[[Stage], str]) -> Fault:
    @contextmanager
    def play(stage: Stage) -> Iterator[None]:
        before = _entry(stage, name(stage))
        stage.told["restarts"] = str(before["restarts"])
        os.kill(before["process"][0], signal.SIGKILL)
        yield

    def seen(stage: Stage) -> str | None:
        now, before = _entry(stage, name(stage)), stage.told.get("restarts")
        again = before is not None and now.get("healthy") and now.get("restarts", 0) > int(before)
        return f"endpoints list, {name(stage)}: restarts {now['restarts']}" if again else None

    what = "gateway" if name is _gateway else "server"
    return Fault(f"{what}-killed", KILLED, f"the {what}'s process is killed", play, seen, answered, SECONDS)


@contextmanager
def _supervisor_killed(stage: Stage) -> Iterator[None]:
    before = stage.endpoint.supervisor()
    if before is None:
        raise ProcessLookupError("the endpoint of the copy does not run")
    stage.told["supervisor"] = str(before.pid)
    os.kill(before.pid, signal.SIGKILL)
    yield


def _another_supervisor(stage: Stage) -> str | None:
    now, before = stage.endpoint.supervisor(), stage.told.get("supervisor")
    if before is None or now is None or str(now.pid) == before or not stage.endpoint.is_up():
        return None
    mine = [line for line in last_lines(stage.endpoint.files.log("supervisor")).splitlines() if f"[{now.pid}]" in line]
    return f"endpoints logs supervisor: {mine[0]}" if mine else None


def _removals(stage: Stage) -> list[str]:
    lines = last_lines(stage.endpoint.files.log(_live(stage)), 500).splitlines()
    return [line for line in lines if "was removed by another program" in line]


@contextmanager
def _log_file_removed(stage: Stage) -> Iterator[None]:
    stage.told["removals"] = str(len(_removals(stage)))
    finish_abandoned(stage.endpoint.files.prediction_log)  # what killed writers left is no open file
    ask(stage)
    until, live = time.monotonic() + SECONDS, _live(stage)
    while not (found := list(stage.endpoint.files.prediction_log.glob(f"{live}-*{UNFINISHED}"))):
        if time.monotonic() > until:
            raise FileNotFoundError("the log has no open file")
        time.sleep(0.1)
    for path in found:
        path.unlink()
    yield


def _removal_said(stage: Stage) -> str | None:
    said = _removals(stage) if "removals" in stage.told else []
    return f"endpoints logs {_live(stage)}: {said[-1]}" if len(said) > int(stage.told.get("removals", 0)) else None


@contextmanager
def _log_in_the_way(stage: Stage) -> Iterator[None]:
    with aside(stage.endpoint.files.prediction_log) as folder:
        folder.write_bytes(b"")
        ask(stage)
        yield


@contextmanager
def _log_disk_full(stage: Stage) -> Iterator[None]:
    """The disk takes nothing from the server while it has its log open."""
    ask(stage)
    server = psutil.Process(_entry(stage, _live(stage))["process"][0])
    processes = [process.pid for process in (server, *server.children(recursive=True))]
    before = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    try:
        for process in processes:
            resource.prlimit(process, resource.RLIMIT_FSIZE, (0, before[1]))
        ask(stage)
        yield
    finally:
        for process in processes:
            resource.prlimit(process, resource.RLIMIT_FSIZE, before)


@contextmanager
def _pointer_to_nothing(stage: Stage) -> Iterator[None]:
    with aside(stage.endpoint.files.state_pointer) as pointer:
        pointer.write_text("nowhere")
        yield


@contextmanager
def _declaration_damaged(stage: Stage) -> Iterator[None]:
    with aside(stage.endpoint.files.desired) as desired:
        desired.write_bytes(GARBAGE)
        yield


@contextmanager
def _port_taken(stage: Stage) -> Iterator[None]:
    port = int(urlsplit(str(stage.endpoint.observed().url)).port or 0)
    stage.endpoint.stop()
    with socket.create_server((LOOPBACK, port)):
        stage.endpoint.ensure_running()
        stage.endpoint.wait_until_converged()
        stage.told["port"] = str(port)
        yield


def _other_port_said(stage: Stage) -> str | None:
    note, port = stage.endpoint.observed().note, stage.told.get("port")
    return f"endpoints list: {note}" if port and port in note else None


@contextmanager
def _key_rotated(stage: Stage) -> Iterator[None]:
    before = endpoint_key(stage.endpoint.files)
    done = stage.globolatte("endpoints", "rotate-key")
    if done.returncode:
        raise ValueError(done.stderr)
    after = endpoint_key(stage.endpoint.files)
    answers = [send(stage, key=key)[0] for key in (before, after)]
    if before != after and answers == [http.client.OK, http.client.OK]:
        stage.told["keys"] = f"the keys before and after are both good; {done.stdout}"
    yield


@contextmanager
def _copy_stopped(stage: Stage) -> Iterator[None]:
    """A copy of the endpoint's folder, made while it runs, is stopped."""
    before = stage.endpoint.supervisor()
    with tempfile.TemporaryDirectory(dir=stage.home.parent) as folder:
        copy = Path(folder) / "endpoints"
        shutil.copytree(stage.endpoint.files.folder, copy, ignore=shutil.ignore_patterns("*.sock"))
        runs = LocalEndpoint(folder=str(copy)).observed().running
        LocalEndpoint(folder=str(copy)).stop()
        if before is not None and stage.endpoint.supervisor() == before and not runs and stage.endpoint.is_up():
            stage.told["copy"] = f"endpoints list: the copy's does not run, and process {before.pid} goes on"
        yield


def _told(name: str) -> Callable[[Stage], str | None]:
    return lambda stage: stage.told.get(name)


KILLED, LOG, COPIED = "a part is killed", "a log that lasts", "a home that was moved or copied"
ENDPOINT = "online endpoint"
SERVING: tuple[Fault, ...] = (
    _killed(_live),
    _killed(_gateway),
    Fault(
        "supervisor-killed",
        KILLED,
        "the supervisor is killed",
        _supervisor_killed,
        _another_supervisor,
        answered,
        SECONDS,
    ),
    Fault("log-file-removed", LOG, "a cleaner removes the open log file", _log_file_removed, _removal_said, answered),
    Fault(
        "log-in-the-way",
        LOG,
        "the prediction log cannot be written",
        _log_in_the_way,
        red(ENDPOINT, "not logged"),
        answered,
    ),
    Fault(
        "log-disk-full",
        LOG,
        "the disk is full while the log is open",
        _log_disk_full,
        red(ENDPOINT, "File too large"),
        answered,
    ),
    Fault(
        "served-state-gone",
        "a state that is gone",
        "the pointer names no state",
        _pointer_to_nothing,
        red(ENDPOINT, "stays in service"),
        answered,
    ),
    Fault(
        "served-declaration-damaged",
        "a declaration that is damaged",
        "desired.json holds something else",
        _declaration_damaged,
        red(ENDPOINT, "desired.json"),
        answered,
    ),
    Fault("key-rotated", "a key is rotated", "the key is rotated", _key_rotated, _told("keys"), answered),
    Fault("copy-stopped", COPIED, "a copy of it is stopped", _copy_stopped, _told("copy"), answered),
    Fault(
        "port-taken",
        "a port that is taken",
        "another program has the remembered port",
        _port_taken,
        _other_port_said,
        answered,
        SECONDS,
    ),
)
