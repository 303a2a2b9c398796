"""Champion and challenger for assets, or a failure that names the remedy; and the snapshot that the champion was trained on."""

import datetime as dt
import json
from dataclasses import dataclass

import dagster as dg

from globolatte_ml.data.snapshot import fresh_from
from resources.content_store import MANIFEST_FILE
from resources.ml.ml_platform import CHALLENGER, CHAMPION, MLPlatform, ModelVersion, Snapshot


@dataclass(frozen=True)
class Champion:
    """The champion and what it learned from."""

    version: ModelVersion
    snapshot: Snapshot
    learned_until: dt.date
    """The last business date of its snapshot."""
    fresh_from: dt.date | None
    """The first date of its snapshot that was new to the champion before it; none if it was the first."""


def champion_of(ml: MLPlatform) -> ModelVersion:
    """The champion. Raises `dagster.Failure` if no model has been promoted yet."""
    champion = ml.model(CHAMPION)
    if champion is None:
        raise dg.Failure(
            description=f"there is no champion yet ({ml.describe()}); materialize the job train_model, and see the reasons "
            "in models/promotion if it was refused",
            allow_retries=False,
        )
    return champion


def challenger_of(ml: MLPlatform) -> ModelVersion:
    """The challenger. Raises `dagster.Failure` if nothing was trained yet."""
    challenger = ml.model(CHALLENGER)
    if challenger is None:
        raise dg.Failure(
            description=f"no model has been trained yet ({ml.describe()}); materialize models/preference_model",
            allow_retries=False,
        )
    return challenger


def champion_with_snapshot(ml: MLPlatform) -> Champion | None:
    """The champion; none if no model was promoted yet, or if its snapshot is gone or cannot be read, without which nothing can be
    compared with it.
    """
    version = ml.model(CHAMPION)
    if version is None:
        return None
    try:
        snapshot = ml.snapshot(version.snapshot)
        manifest = json.loads((snapshot.folder / MANIFEST_FILE).read_text(encoding="utf-8"))
        fresh = fresh_from(snapshot.folder)
        learned_until = dt.date.fromisoformat(manifest["last_business_date"])
    except (FileNotFoundError, KeyError, ValueError):  # gone, damaged, or of a release that wrote it in another form
        return None
    return Champion(version, snapshot, learned_until, dt.date.fromisoformat(str(fresh)) if fresh is not None else None)
