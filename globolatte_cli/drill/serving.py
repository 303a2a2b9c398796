"""Faults of a running endpoint: of its processes, its files and its callers."""

import json
import os
import signal
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

from globolatte_assets.endpoints.recommender import smoke_question
from globolatte_cli.drill.stage import Fault, Stage, aside
from globolatte_cli.drill.states import GARBAGE, red
from globolatte_ml.scoring.prediction_log import UNFINISHED, finish_abandoned
from resources.endpoint.endpoint import EndpointError
from resources.endpoint.local.files import last_lines, read_json
from resources.environment import states_of

SECONDS = 40.0


def _entry(stage: Stage, name: str) -> dict[str, Any]:
    document: dict[str, Any] = read_json(stage.endpoint.files.observed) or {}
    entries = [document.get("gateway") or {}, *document.get("deployments", [])]
    return next((entry for entry in entries if entry.get("name") == name), {})


def _live(stage: Stage) -> str:
    live = stage.endpoint.desired().live
    if live is None:
        raise FileNotFoundError("nothing is deployed on the copy")
    return live


def _answer(stage: Stage) -> str:
    """Whether a question is answered now, in words."""
    if "question" not in stage.told:
        stage.told["question"] = json.dumps(smoke_question(states_of(stage.settings).current()))
    try:
        stage.endpoint.score([json.loads(stage.told["question"])])
    except (EndpointError, OSError) as error:
        return f"answers: {error}"
    return "nothing, it answers again"


def _killed(name: Callable[[Stage], str]) -> Fault:
    @contextmanager
    def play(stage: Stage) -> Iterator[None]:
        before = _entry(stage, name(stage))
        stage.told["restarts"] = str(before["restarts"])
        os.kill(before["process"][0], signal.SIGKILL)
        yield

    def seen(stage: Stage) -> str | None:
        now = _entry(stage, name(stage))
        again = now.get("healthy") and now.get("restarts", 0) > int(stage.told["restarts"])
        return f"endpoints list, {name(stage)}: restarts {now['restarts']}" if again else None

    what = "gateway" if name is _gateway else "server"
    return Fault(f"{what}-killed", "endpoint", f"the {what}'s process is killed", play, seen, _answer, SECONDS)


def _gateway(_: Stage) -> str:
    return "gateway"


@contextmanager
def _supervisor_killed(stage: Stage) -> Iterator[None]:
    before = stage.endpoint.supervisor()
    if before is None:
        raise ProcessLookupError("the endpoint of the copy does not run")
    stage.told["supervisor"] = str(before.pid)
    os.kill(before.pid, signal.SIGKILL)
    yield


def _another_supervisor(stage: Stage) -> str | None:
    now = stage.endpoint.supervisor()
    if now is None or str(now.pid) == stage.told["supervisor"] or not stage.endpoint.is_up():
        return None
    mine = [line for line in last_lines(stage.endpoint.files.log("supervisor")).splitlines() if f"[{now.pid}]" in line]
    return f"endpoints logs supervisor: {mine[0]}" if mine else None


@contextmanager
def _log_file_removed(stage: Stage) -> Iterator[None]:
    folder = stage.endpoint.files.prediction_log
    finish_abandoned(folder)
    _answer(stage)
    for _ in range(50):
        if found := list(folder.glob(f"*{UNFINISHED}")):
            break
        time.sleep(0.1)
    for path in found:
        path.unlink()
    yield


def _removal_said(stage: Stage) -> str | None:
    lines = last_lines(stage.endpoint.files.log(_live(stage))).splitlines()
    said = [line for line in lines if "was removed by another program" in line]
    return f"endpoints logs {_live(stage)}: {said[-1]}" if said else None


@contextmanager
def _log_in_the_way(stage: Stage) -> Iterator[None]:
    with aside(stage.endpoint.files.prediction_log) as folder:
        folder.write_bytes(b"")
        _answer(stage)
        yield


def _log_counts(stage: Stage) -> str:
    log = (_entry(stage, _live(stage)).get("status") or {}).get("prediction_log") or {}
    return f"{log.get('dropped', 0) + log.get('failed', 0)} answers; {log.get('waiting', 0)} wait"


@contextmanager
def _pointer_to_nothing(stage: Stage) -> Iterator[None]:
    _answer(stage)
    with aside(stage.endpoint.files.state_pointer) as pointer:
        pointer.write_text("nowhere")
        yield


@contextmanager
def _declaration_damaged(stage: Stage) -> Iterator[None]:
    with aside(stage.endpoint.files.desired) as desired:
        desired.write_bytes(GARBAGE)
        yield


def _refused(body: bytes, key: str | None, status: int, words: str) -> Callable[[Stage], str | None]:
    def seen(stage: Stage) -> str | None:
        files = stage.endpoint.files
        mine = key if key is not None else files.key.read_text().strip()
        headers = {"Authorization": f"Bearer {mine}", "Content-Type": "application/json"}
        request = urllib.request.Request(f"{stage.endpoint.observed().url}/score", body, headers)  # noqa: S310 - our own
        try:
            urllib.request.urlopen(request, timeout=SECONDS).close()  # noqa: S310
        except urllib.error.HTTPError as error:
            said = error.read().decode()
            return f"answer {error.code}: {said}" if error.code == status and words in said else None
        return None

    return seen


def _nothing_more(_: Stage) -> "nullcontext[None]":
    return nullcontext()


SERVING: tuple[Fault, ...] = (
    _killed(_live),
    _killed(_gateway),
    Fault(
        "supervisor-killed",
        "endpoint",
        "the supervisor is killed",
        _supervisor_killed,
        _another_supervisor,
        _answer,
        SECONDS,
    ),
    Fault(
        "log-file-removed",
        "endpoint",
        "a cleaner removes the open log file",
        _log_file_removed,
        _removal_said,
        _log_counts,
    ),
    Fault(
        "log-in-the-way",
        "endpoint",
        "the prediction log cannot be written",
        _log_in_the_way,
        red("online endpoint", "not logged"),
        _log_counts,
    ),
    Fault(
        "served-state-gone",
        "endpoint",
        "the pointer names no state",
        _pointer_to_nothing,
        red("online endpoint", "stays in service"),
        _answer,
    ),
    Fault(
        "served-declaration-damaged",
        "endpoint",
        "desired.json holds something else",
        _declaration_damaged,
        red("online endpoint", "desired.json"),
        _answer,
    ),
    Fault("wrong-key", "caller", "a caller shows another key", _nothing_more, _refused(b"{}", "another", 401, "key")),
    Fault("no-json", "caller", "a caller sends what is not JSON", _nothing_more, _refused(b"{", None, 400, "JSON")),
    Fault(
        "no-question",
        "caller",
        "a caller leaves a field out",
        _nothing_more,
        _refused(b'{"region": "x"}', None, 400, "customer_id"),
    ),
)
