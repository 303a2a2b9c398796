"""The asset `monitoring/prediction_log`: the online endpoint's answers, loaded from its files exactly once."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg

from globolatte_assets.keys import OWNER_SCIENCE, PREDICTION_LOG, RECOMMENDER, WAREHOUSE_POOL
from globolatte_assets.monitoring.log_lines import parse_log
from resources.clock import Clock
from resources.endpoint.prediction_files import PredictionFiles
from resources.warehouse.predictions import LOG, ingest
from resources.warehouse.tables import row_count
from resources.warehouse.warehouse import Warehouse


@dataclass
class Ingestion:
    """What an ingestion did."""

    files: int = 0
    known_files: int = 0
    rows: int = 0
    rejected: int = 0
    by_deployment: Counter[str] = field(default_factory=Counter)

    def as_metadata(self) -> Mapping[str, dg.MetadataValue]:
        """For the materialization."""
        lines = "\n".join(f"| {name} | {rows} |" for name, rows in sorted(self.by_deployment.items()))
        return {
            "files": dg.MetadataValue.int(self.files),
            "files_ingested_before": dg.MetadataValue.int(self.known_files),
            "rows": dg.MetadataValue.int(self.rows),
            "rejected_lines": dg.MetadataValue.int(self.rejected),
            "by_deployment": dg.MetadataValue.md(f"| deployment | answers |\n|---|---:|\n{lines}"),
        }


def ingest_file(
    warehouse: Warehouse, files: PredictionFiles, path: Path, run_id: str, clock: Clock, done: Ingestion
) -> None:
    """Loads a file into the warehouse, then removes it. After a kill in between, the next run only removes it."""
    log = parse_log(path)
    if ingest(warehouse, log, run_id, clock.timestamp()):
        done.files += 1
        done.rows += log.rows.num_rows
        done.rejected += log.rejects.num_rows
        done.by_deployment.update(log.rows["deployment"].to_pylist())
    else:
        done.known_files += 1
    files.taken(path)


@dg.asset(
    key=PREDICTION_LOG,
    deps=[RECOMMENDER],
    pool=WAREHOUSE_POOL,
    owners=[OWNER_SCIENCE],
    kinds={"python", "table"},
    description="Every answer of the online endpoint: when, by which deployment, model and state, to which question, with which "
    "probabilities. Lines that are no answer are stored in monitoring.prediction_log_rejects.",
)
def prediction_log(
    context: dg.AssetExecutionContext,
    warehouse: dg.ResourceParam[Warehouse],
    predictions: PredictionFiles,
    clock: Clock,
) -> dg.MaterializeResult:
    """Ingest every finished file."""
    done = Ingestion()
    for path in predictions.finished():
        ingest_file(warehouse, predictions, path, context.run.run_id, clock, done)
    total = dg.MetadataValue.int(row_count(warehouse, LOG))
    return dg.MaterializeResult(metadata={"dagster/row_count": total, **done.as_metadata()})
