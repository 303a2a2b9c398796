"""Questions to the copy's endpoint, and what a fault loses of the answers: those given are counted, and looked for in the log."""

import http.client
import json
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from globolatte_assets.endpoints.recommender import smoke_question
from globolatte_cli.drill.stage import Loss, Stage
from globolatte_ml.scoring.prediction_log import FINISHED, LOST, UNFINISHED
from resources.endpoint.endpoint import EndpointError
from resources.endpoint.local.files import endpoint_key
from resources.environment import states_of

SECONDS = 40.0
LOG_SECONDS = 15.0
QUESTIONS = 3


@cache
def _question_of(state: Path) -> dict[str, Any]:
    return smoke_question(state)


def question_for(stage: Stage) -> dict[str, Any]:
    """One that is answered while nothing is wrong."""
    return dict(_question_of(states_of(stage.settings).current()))


def send(
    stage: Stage, body: bytes | None = None, /, *, key: str | None = None, scheme: str = "Bearer", **headers: str
) -> tuple[int, str]:
    """Sends a request as a caller does, good in all that is not named; status and text of the answer. Answers that are given are noted."""
    request_id = f"drill-{uuid.uuid4().hex}"
    key = key if key is not None else endpoint_key(stage.endpoint.files)
    sent = {"authorization": f"{scheme} {key}", "content-type": "application/json", "x-request-id": request_id}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    content = body if body is not None else json.dumps({"requests": [question_for(stage)]}).encode()
    connection = http.client.HTTPConnection(urlsplit(str(stage.endpoint.observed().url)).netloc, timeout=SECONDS)
    try:
        connection.request("POST", "/score", content, sent)
        response = connection.getresponse()
        status, text = response.status, response.read().decode()
    finally:
        connection.close()
    if status == http.client.OK:
        stage.given.append(request_id)
    return status, text


def ask(stage: Stage) -> None:
    """One good question. Raises `EndpointError` if it is not answered."""
    request_id = f"drill-{uuid.uuid4().hex}"
    stage.endpoint.score([question_for(stage)], request_id=request_id)
    stage.given.append(request_id)


def ask_until_answered(stage: Stage) -> None:
    """Asks again until there is an answer. Raises `EndpointError` if there is none in time."""
    until = time.monotonic() + SECONDS
    while True:
        try:
            ask(stage)
        except EndpointError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
        else:
            return


def answered(stage: Stage) -> Callable[[], Loss]:
    """Every answer that was given is in the log, or the log says that it lost it; and there are answers before and after."""
    for _ in range(QUESTIONS):
        ask(stage)
    missing_before = unlogged(stage)
    said_before = said_lost(stage)

    def loss() -> Loss:
        for _ in range(QUESTIONS):
            ask_until_answered(stage)
        gone = unlogged(stage) - missing_before
        said = said_lost(stage) - said_before
        if not gone:
            return Loss(f"nothing: it answers again, and all {len(stage.given)} answers so far are in the log")
        return Loss(f"{len(gone)} answers are not in the log, which names {said} as lost", max(0, len(gone) - said))

    return loss


def unlogged(stage: Stage, patience: float = LOG_SECONDS) -> set[str]:
    """Which answers are not in the log, after the time that it may take them to get there."""
    until = time.monotonic() + patience
    while True:
        logged = {line.get("request_id") for line in _lines(stage)}
        missing = set(stage.given) - logged
        if not missing or time.monotonic() > until:
            return missing
        time.sleep(0.2)


def said_lost(stage: Stage) -> int:
    """How many answers the log names as lost."""
    return sum(int(line.get(LOST) or 0) for line in _lines(stage))


def _lines(stage: Stage) -> Iterator[Mapping[str, Any]]:
    folder = stage.endpoint.files.prediction_log
    for path in [*folder.glob(f"*{UNFINISHED}"), *folder.glob(f"*{FINISHED}")]:
        try:
            content = path.read_bytes()
        except FileNotFoundError:  # it got its final name just now, and is found under that
            content = next((one.read_bytes() for one in folder.glob(f"{path.stem}*")), b"")
        for line in content.splitlines():
            try:
                yield json.loads(line)
            except ValueError:  # a killed writer's last line
                continue
