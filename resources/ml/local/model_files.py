"""Where a model's files are below a folder: MLflow's registry and records of earlier versions name them by a path that was true once.

Such a path is never followed: its folder may have been moved, or be another one's, of which this is a copy.
"""

import json
import logging
import time
from collections.abc import Iterator
from pathlib import Path, PurePath
from typing import NamedTuple

JOBS, MODEL, PARAMETERS = "jobs", "model", "parameters.json"
"""Each training has a folder in `jobs/`, with the model and its parameters in it, or one level further down."""
JOBS_BELOW = (JOBS, f"mlflow/{JOBS}")
SEARCH_SECONDS = 60.0
"""How soon a model that was found nowhere is looked for again if no training was added or removed meanwhile."""

logger = logging.getLogger(__name__)


class Search(NamedTuple):
    """A search for a content that found nothing: when, and what the folders of trainings looked like."""

    at: float
    looks: tuple[int | None, ...]


_in_vain: dict[tuple[Path, str], Search] = {}
"""By root and content. It spares the reading of all trainings at each tick of a supervisor or sensor."""


def model_below(root: Path, recorded: str, content_hash: str) -> Path:
    """The model that was recorded by this path, below `root`: at the end of the path that is there, else by its content.

    If it is nowhere, the place where it should be.
    """
    parts = PurePath(recorded).parts[PurePath(recorded).is_absolute() :]
    at_its_place = (root.joinpath(*parts[first:]) for first in range(len(parts)))
    found = next((place for place in at_its_place if place.is_dir()), None) or _by_content(root, content_hash)
    return found or root / JOBS / PurePath(recorded).name


def _by_content(root: Path, content_hash: str) -> Path | None:
    key, looks = (root, content_hash), tuple(_looks(root / jobs) for jobs in JOBS_BELOW)
    before = _in_vain.pop(key, None)
    if before is not None and before.looks == looks and time.monotonic() - before.at < SEARCH_SECONDS:
        _in_vain[key] = before
        return None
    for parameters in _all_parameters(root):
        model = parameters.with_name(MODEL)
        if model.is_dir() and _content_of(parameters) == content_hash:
            return model
    _in_vain[key] = Search(time.monotonic(), looks)
    return None


def _all_parameters(root: Path) -> Iterator[Path]:
    for jobs in JOBS_BELOW:
        for below in ("*", "*/*"):
            yield from sorted(root.glob(f"{jobs}/{below}/{PARAMETERS}"))


def _looks(folder: Path) -> int | None:
    """What changes when something is added to a folder or removed from it."""
    try:
        return folder.stat().st_mtime_ns
    except OSError:
        return None


def _content_of(parameters: Path) -> str | None:
    """The content hash in a training's parameters. A damaged file is named and passed over: it is another training's, or none's."""
    try:
        document = json.loads(parameters.read_text(encoding="utf-8"))
        return str(document["content_hash"]) if "content_hash" in document else None
    except (OSError, ValueError, TypeError) as error:
        logger.warning(
            "%s cannot be read (%s) and is passed over; restore it, or remove the training's folder", parameters, error
        )
        return None
