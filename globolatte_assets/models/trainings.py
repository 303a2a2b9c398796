"""The record of trainings, `ml.trainings`: the snapshot, its last date, and the verdict on the model."""

import datetime as dt
from dataclasses import asdict, dataclass, replace

import pyarrow as pa

from resources.ml.ml_platform import ModelVersion
from resources.warehouse.warehouse import Warehouse

TABLE = "ml.trainings"
SCHEMA = pa.schema(
    [
        ("run_id", pa.string()),
        ("snapshot", pa.string()),
        ("last_business_date", pa.date32()),
        ("started_at", pa.timestamp("us")),
        ("model_version", pa.string()),
        ("promoted", pa.bool_()),
        ("champion_version", pa.string()),
        ("decided_at", pa.timestamp("us")),
        ("causes", pa.string()),
        ("last_event", pa.int64()),
    ]
)


@dataclass(frozen=True)
class Training:
    """One training, by the run that exported its snapshot. Times are UTC without offset.

    Attributes:
        last_business_date: of the snapshot's orders.
        decided_at: when the latest verdict was given; none while there is none.
        champion_version: the champion after that verdict; none if there was none.
        causes: what monitoring found when it began (`globolatte_assets.models.causes`).
        last_event: of the ledger when the snapshot was exported; none for trainings of earlier releases.
    """

    run_id: str
    snapshot: str
    last_business_date: dt.date
    started_at: dt.datetime
    model_version: str | None = None
    promoted: bool | None = None
    champion_version: str | None = None
    decided_at: dt.datetime | None = None
    causes: str | None = None
    last_event: int | None = None

    @property
    def left_no_champion(self) -> bool:
        """Whether its model was refused when there was no other."""
        return self.decided_at is not None and self.champion_version is None

    @property
    def was_refused(self) -> bool:
        """Whether its model was refused."""
        return self.decided_at is not None and not self.promoted


def trainings(warehouse: Warehouse, snapshot: str | None = None) -> list[Training]:
    """All trainings, or those of a snapshot, the earliest first."""
    where = {} if snapshot is None else {"snapshot": snapshot}
    return [Training(**row) for row in warehouse.read(TABLE, SCHEMA.names, where, ["started_at"]).to_pylist()]


def record_training(warehouse: Warehouse, training: Training) -> None:
    """Records a training, or its outcome."""
    warehouse.replace(TABLE, pa.Table.from_pylist([asdict(training)], SCHEMA), {"run_id": training.run_id})


def record_verdict(
    warehouse: Warehouse, challenger: ModelVersion, now: dt.datetime, *, promoted: bool, champion: str | None
) -> None:
    """Records the verdict on a challenger at the latest training of its snapshot; none is there for trainings before the record began."""
    for last in trainings(warehouse, challenger.snapshot)[-1:]:
        decided = replace(last, model_version=challenger.version, promoted=promoted, champion_version=champion)
        record_training(warehouse, replace(decided, decided_at=now))
