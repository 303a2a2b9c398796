"""A prediction made again from the state and the model that it names, and compared with what is on record of it."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from globolatte_lineage.graph import Kind, Trace
from globolatte_lineage.records import Places
from resources.ml.local.model_files import JOBS, MODEL, model_below

if TYPE_CHECKING:
    from globolatte_ml.scoring.scorer import Scorer

RELATIVE_ERROR = 1e-9
"""Nine significant digits: beyond that processors differ."""


class CannotReplayError(LookupError):
    """The state or the model of a prediction is not there any more, or not what it was; the message names which, and the remedy."""


class NoMoreKeptError(CannotReplayError):
    """What a prediction was made of is not kept any more, or was never recorded: nothing is wrong, and nothing can be said."""


@dataclass(frozen=True)
class Replayed:
    """What came of it. `products`: how many probabilities were compared; `differ`: then and now, of those that differ in nine digits.
    `state_hash` and `model_hash`: of the content that is there now, equal to the names in the record.
    """

    prediction_id: str
    state_hash: str
    model_hash: str
    products: int
    differ: Mapping[str, tuple[float, float]]

    @property
    def is_same(self) -> bool:
        """Whether everything on record came again."""
        return not self.differ


class Replayer:
    """Makes predictions again, each of which `trace_prediction` found. Each pair of state and model is read, and hashed, once."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._scorers: dict[tuple[Path, Path, str], Scorer] = {}

    def replay(self, trace: Trace) -> Replayed:
        """Makes the root of a trace again. Raises `CannotReplayError`."""
        from globolatte_ml.scoring.recommendations import Request

        asked = trace.node(trace.root).facts
        state_folder = _state_folder(self._places, asked["state_version"])
        model_folder, model_hash = _model_folder(trace, self._places)
        wanted = state_folder, model_folder, model_hash
        scorer = self._scorers.get(wanted)
        if scorer is None:
            scorer = self._scorers[wanted] = _scorer(*wanted, asked["model_version"])
        request = Request(
            asked["customer_id"], asked["business_unit"], asked["weather"], asked["date"], asked.get("daypart")
        )
        [answer] = scorer.recommend([request])
        if answer.prediction_id != asked["prediction_id"]:
            raise CannotReplayError(
                f"the same question has the id {answer.prediction_id} now, not {asked['prediction_id']}"
            )
        again = {one.product_id: one.probability for one in answer.ranked}
        differ = {
            product: (was, again.get(product, math.nan))
            for product, was in asked["probabilities"].items()
            if not math.isclose(was, again.get(product, math.nan), rel_tol=RELATIVE_ERROR)
        }
        return Replayed(asked["prediction_id"], state_folder.name, model_hash, len(asked["probabilities"]), differ)


def _scorer(state_folder: Path, model_folder: Path, model_hash: str, model_version: str) -> "Scorer":
    """State and model of a prediction, if they still have the content by which they are named. Raises `CannotReplayError`."""
    from globolatte_ml.data.columns import InvalidDataError
    from globolatte_ml.model.model import PreferenceModel
    from globolatte_ml.scoring.scorer import Scorer, resolve_model_folder
    from globolatte_ml.scoring.state_bundle import read_state_bundle
    from resources.content_store import content_hash

    found = content_hash(state_folder)
    if found != state_folder.name:
        raise CannotReplayError(
            f"{state_folder} does not hold state {state_folder.name} any more: its content is {found}"
        )
    try:
        model = PreferenceModel.load(resolve_model_folder(model_folder))
    except (InvalidDataError, OSError) as error:
        raise CannotReplayError(f"{model_folder}: the model cannot be read: {error}") from error
    if model.content_hash() != model_hash:
        raise CannotReplayError(
            f"{model_folder} does not hold the model {model_hash[:12]} any more: its content is {model.content_hash()[:12]}"
        )
    return Scorer(model, read_state_bundle(state_folder), model_version)


def _state_folder(places: Places, version: str) -> Path:
    folder = places.states / version if places.states is not None else None
    if folder is None or not folder.is_dir():
        raise NoMoreKeptError(
            f"state {version} is not kept any more: only the latest states are (GLOBOLATTE_STATES_KEPT)"
        )
    return folder


def _model_folder(trace: Trace, places: Places) -> tuple[Path, str]:
    """The folder of the model and the hash of its content, by the decision on it and its job."""
    [model] = trace.of_kind(Kind.MODEL)
    wanted = model.facts.get("content_hash")
    job = next((node.facts.get("job_id") for node in trace.of_kind(Kind.JOB)), None)
    folder = (
        model_below(places.jobs.parent, f"{JOBS}/{job}/{MODEL}", wanted)
        if places.jobs is not None and job and wanted
        else None
    )
    if wanted is None:
        raise NoMoreKeptError(
            f"the content of model version {model.facts['version']} is not on record: an earlier release decided on it"
        )
    if folder is None or not folder.is_dir():
        raise CannotReplayError(
            f"the files of model version {model.facts['version']} are not in this home; restore {folder or 'them'} from a backup"
        )
    return folder, wanted
