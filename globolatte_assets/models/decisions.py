"""The record of decisions on models, `ml.decisions`: each verdict with the sentence of every gate, as it was given."""

import datetime as dt
import json
from dataclasses import dataclass

import pyarrow as pa

from resources.ml.ml_platform import ModelVersion
from resources.warehouse.warehouse import Warehouse

TABLE = "ml.decisions"
SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("run_id", "model_version", "content_hash", "snapshot", "job_id")),
        ("promoted", pa.bool_()),
        ("champion_version", pa.string()),
        ("reasons", pa.string()),
        ("decided_at", pa.timestamp("us")),
    ]
)


@dataclass(frozen=True)
class Decision:
    """What the run `run_id` decided on a model, at `decided_at` (UTC without offset). `champion_version`: the champion after it, if any."""

    run_id: str
    model: ModelVersion
    promoted: bool
    champion_version: str | None
    reasons: tuple[str, ...]
    decided_at: dt.datetime


def record_decision(warehouse: Warehouse, decision: Decision) -> None:
    """Adds a decision. The same one by the same run is recorded once: a step that was cut off is repeated."""
    model = decision.model
    row = {
        "run_id": decision.run_id,
        **{name: getattr(model, name) for name in ("content_hash", "snapshot", "job_id")},
        "model_version": model.version,
        "promoted": decision.promoted,
        "champion_version": decision.champion_version,
        "reasons": json.dumps(decision.reasons),
        "decided_at": decision.decided_at,
    }
    where = {"run_id": decision.run_id, "model_version": model.version}
    warehouse.replace(TABLE, pa.Table.from_pylist([row], SCHEMA), where)
