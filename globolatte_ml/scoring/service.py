"""One deployment of the online endpoint: a model, the states it follows, its prediction log, its clock.

Environment:

- `AZUREML_MODEL_DIR`: the model folder, or a folder that holds it (set by the inference server).
- `GLOBOLATTE_STATE_POINTER`: the file that names the current customer state, beside `states/`.
- `GLOBOLATTE_DEPLOYMENT`: what this deployment is called.
- `GLOBOLATTE_MODEL_VERSION`: what to call the model; default: 12 digits of its content hash.
- `GLOBOLATTE_PREDICTION_LOG`: folder of the prediction log; without it no log is written.
- `GLOBOLATTE_PREDICTION_LOG_SECONDS`: after how long a log file is finished.
- `GLOBOLATTE_PROBE_ID`: how the id of a request begins by which who runs the endpoint checks it; without it there are no probes.
- `GLOBOLATTE_NOW`: fixes the clock.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from globolatte_ml.data.columns import InvalidDataError
from globolatte_ml.data.ranking import stored_of
from globolatte_ml.model.model import PreferenceModel
from globolatte_ml.scoring.prediction_log import ROTATE_SECONDS, AnsweredCall, PredictionLog
from globolatte_ml.scoring.recommendations import Recommendation
from globolatte_ml.scoring.score_body import parse_body
from globolatte_ml.scoring.scorer import resolve_model_folder
from globolatte_ml.scoring.served_state import StateFollower

PROBE_VARIABLE = "GLOBOLATTE_PROBE_ID"
UNLOGGED = "unlogged-"
"""What follows in a probe's id where its answer is to leave nothing anywhere."""
SHOWN = ("rank", "product_id", "product_name", "probability")
"""What an answer says of each product."""


@dataclass(frozen=True)
class Service:
    """One deployment: model and states, log, clock."""

    deployment: str
    content_hash: str
    states: StateFollower
    log: PredictionLog | None
    fixed_now: dt.datetime | None
    probe_id: str = ""
    """How the id of a request begins by which who runs the endpoint checks it; callers do not know it. Empty: there are no probes."""
    listeners: tuple[Callable[[AnsweredCall], None], ...] = ()
    """Called for every request before its answer is sent, so they must be quick: the caller waits for them."""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Service:
        """Raises `InvalidDataError` or `OSError` naming what is missing."""
        model = PreferenceModel.load(model_folder(Path(environment.get("AZUREML_MODEL_DIR", "."))))
        pointer = environment.get("GLOBOLATTE_STATE_POINTER")
        if not pointer:
            raise InvalidDataError("GLOBOLATTE_STATE_POINTER is not set; name the file that names the current state")
        deployment = environment.get("GLOBOLATTE_DEPLOYMENT", "default")
        seconds = float(environment.get("GLOBOLATTE_PREDICTION_LOG_SECONDS") or ROTATE_SECONDS)
        log, now = environment.get("GLOBOLATTE_PREDICTION_LOG"), environment.get("GLOBOLATTE_NOW")
        return cls(
            deployment=deployment,
            content_hash=model.content_hash(),
            states=StateFollower(model, environment.get("GLOBOLATTE_MODEL_VERSION") or None, Path(pointer)),
            log=PredictionLog(Path(log), deployment, seconds) if log else None,
            fixed_now=dt.datetime.fromisoformat(now) if now else None,
            probe_id=environment.get(PROBE_VARIABLE, ""),
        )

    def now(self) -> dt.datetime:
        """The current time, aware."""
        return self.fixed_now or dt.datetime.now(dt.UTC)

    def answer(self, body: bytes, request_id: str, *, mirrored: bool) -> dict[str, Any]:
        """The answer's document. Raises `BodyError`. A probe's is no prediction: it is marked in the log, or not there at all."""
        scorer, now = self.states.current, self.now()
        requests = parse_body(body, scorer.words, now)
        n_products = len(scorer.products)
        logged = stored_of(n_products)  # the log has more than was asked for
        answers = scorer.recommend(
            [replace(request, top=max(request.top or n_products, logged)) for request in requests]
        )
        is_probe = bool(self.probe_id) and request_id.startswith(self.probe_id)
        entry = AnsweredCall(now.astimezone(dt.UTC), request_id, mirrored, answers, is_probe)
        if self.log is not None and not (is_probe and request_id.startswith(self.probe_id + UNLOGGED)):
            self.log.offer(entry)
        for listener in () if entry.probe else self.listeners:
            listener(entry)
        return {
            "deployment": self.deployment,
            "model_version": scorer.model_version,
            "state_version": scorer.state_version,
            "recommendations": [
                document(answer, request.top) for answer, request in zip(answers, requests, strict=True)
            ],
        }

    def status(self) -> dict[str, Any]:
        """What this deployment serves, and how its log does."""
        scorer = self.states.current
        return {
            "deployment": self.deployment,
            "model_version": scorer.model_version,
            "content_hash": self.content_hash,
            "state_version": scorer.state_version,
            "state_error": self.states.error,
            "prediction_log": self.log.status() if self.log is not None else None,
            "levels": {field: scorer.words.spelled(field) for field in ("region", "weather")},
        }


def document(answer: Recommendation, top: int | None) -> dict[str, Any]:
    """One answer as JSON values, its best `top` products."""
    return {
        **answer.question,
        "products": [{name: getattr(item, name) for name in SHOWN} for item in answer.ranked[:top]],
    }


def model_folder(root: Path) -> Path:
    """The preference model's own folder: `root` itself, or in a folder below it, as a platform mounts it."""
    for folder in [root, *sorted(root.glob("*/"))]:
        with suppress(InvalidDataError):
            return resolve_model_folder(folder)
    raise InvalidDataError(f"{root}: holds no preference model; point AZUREML_MODEL_DIR at a trained model's folder")
