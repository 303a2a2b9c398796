"""Where a model's files are below a folder: MLflow's registry and records of earlier versions name them by a path that was true once.

Such a path is never followed: its folder may have been moved, or be another one's, of which this is a copy.
"""

import json
from pathlib import Path, PurePath

JOBS, MODEL, PARAMETERS = "jobs", "model", "parameters.json"
"""Each training has a folder in `jobs/`, with the model and its parameters in it, or one level further down."""


def model_below(root: Path, recorded: str, content_hash: str) -> Path:
    """The model that was recorded by this path, below `root`: at the end of the path that is there, else by its content.

    If it is nowhere, the place where it should be.
    """
    parts = PurePath(recorded).parts[PurePath(recorded).is_absolute() :]
    at_its_place = (root.joinpath(*parts[first:]) for first in range(len(parts)))
    found = next((place for place in at_its_place if place.is_dir()), None) or _by_content(root, content_hash)
    return found or root / JOBS / PurePath(recorded).name


def _by_content(root: Path, content_hash: str) -> Path | None:
    places = (f"{above}{JOBS}/{below}{PARAMETERS}" for above in ("", "mlflow/") for below in ("*/", "*/*/"))
    for parameters in (file for place in places for file in sorted(root.glob(place))):
        model = parameters.with_name(MODEL)
        if model.is_dir() and json.loads(parameters.read_text(encoding="utf-8")).get("content_hash") == content_hash:
            return model
    return None
