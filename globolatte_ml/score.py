"""The entry script of the online endpoint, the same file on Azure ML and on this machine.

`POST` answers requests, `GET` says what this deployment serves; what is answered is `scoring/service.py`'s. The server runs this file
without making it a module, so that no class can be defined in it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from azureml_inference_server_http.api.aml_request import rawhttp  # type: ignore[import-untyped]
from azureml_inference_server_http.api.aml_response import AMLResponse  # type: ignore[import-untyped]

from globolatte_ml.scoring.prediction_log import AnsweredCall
from globolatte_ml.scoring.score_body import BodyError
from globolatte_ml.scoring.service import Service

MIRRORED_HEADER = "x-globolatte-mirrored"
PROBE_HEADER = "x-globolatte-probe"
JSON = {"Content-Type": "application/json"}

listeners: list[Callable[[AnsweredCall], None]] = []
"""The listeners to which the service reports each call; a platform fills it before `init`."""
_service: list[Service] = []


def init() -> None:
    """Called once by the inference server before the first request."""
    _service[:] = [replace(Service.from_environment(os.environ), listeners=tuple(listeners))]
    _service[0].states.follow()


@rawhttp
def run(request: Any) -> Any:
    """Called by the inference server with each (Flask) request; gives an `AMLResponse`."""
    service = _service[0]
    if request.method == "GET":
        return _response(service.status(), 200)
    if request.method != "POST":
        return _response({"message": f"{request.method} is not supported; POST requests to /score"}, 405)
    try:
        answer = service.answer(
            request.get_data(),
            request.headers.get("x-request-id", ""),
            mirrored=MIRRORED_HEADER in request.headers,
            probe=request.headers.get(PROBE_HEADER, ""),
        )
    except BodyError as error:
        return _response({"message": str(error)}, error.status)
    return _response(answer, 200)


def _response(content: dict[str, Any], status: int) -> Any:
    return AMLResponse(json.dumps(content, separators=(",", ":")), status, JSON)
