"""What of a snapshot is new to the champion."""

import datetime as dt
from pathlib import Path

import pytest

from globolatte_assets.models.champion import Champion
from globolatte_assets.models.training_snapshot import first_fresh_date
from resources.ml.ml_platform import ModelVersion, Snapshot

UNTIL = dt.date(2023, 12, 31)


def champion(fresh_from: dt.date | None = None) -> Champion:
    return Champion(ModelVersion("1", "hash", "snap", "job", Path()), Snapshot("snap", Path()), UNTIL, fresh_from)


@pytest.mark.parametrize(
    ("of_champion", "last", "expected"),
    [
        (None, UNTIL, None),
        (champion(), dt.date(2024, 1, 30), dt.date(2024, 1, 1)),
        (champion(), UNTIL, None),
        (champion(dt.date(2023, 12, 1)), UNTIL, dt.date(2023, 12, 1)),
        (champion(dt.date(2023, 12, 1)), dt.date(2024, 1, 1), dt.date(2024, 1, 1)),
    ],
    ids=[
        "a first model",
        "new sales",
        "the same sales give the same snapshot",
        "the same sales after a retraining too",
        "new sales after a retraining",
    ],
)
def test_what_is_new(of_champion: Champion | None, last: dt.date, expected: dt.date | None) -> None:
    assert first_fresh_date(of_champion, last) == expected
