"""The asset `monitoring/prediction_log`: the online endpoint's answers, loaded from its files exactly once."""

import datetime as dt
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg

from globolatte_assets.keys import OWNER_SCIENCE, PREDICTION_LOG, RECOMMENDER, WAREHOUSE_POOL
from globolatte_assets.monitoring.log_lines import parse_log
from resources.clock import Clock
from resources.endpoint.prediction_files import PredictionFiles
from resources.warehouse.predictions import LOG, forget_answers, ingest, kept_since, lost_since
from resources.warehouse.tables import row_count
from resources.warehouse.warehouse import Warehouse


@dataclass
class Ingestion:
    """What an ingestion did."""

    files: int = 0
    known_files: int = 0
    rows: int = 0
    rejected: int = 0
    lost: int = 0
    forgotten: int = 0
    unreadable: list[str] = field(default_factory=list)
    by_deployment: Counter[str] = field(default_factory=Counter)

    def as_metadata(self) -> Mapping[str, dg.MetadataValue]:
        """For the materialization."""
        lines = "\n".join(f"| {name} | {rows} |" for name, rows in sorted(self.by_deployment.items()))
        return {
            "files": dg.MetadataValue.int(self.files),
            "files_ingested_before": dg.MetadataValue.int(self.known_files),
            "rows": dg.MetadataValue.int(self.rows),
            "rejected_lines": dg.MetadataValue.int(self.rejected),
            "lost_answers": dg.MetadataValue.int(self.lost),
            "forgotten_answers": dg.MetadataValue.int(self.forgotten),
            "by_deployment": dg.MetadataValue.md(f"| deployment | answers |\n|---|---:|\n{lines}"),
        }


EVERY_ANSWER_IS_LOGGED = "every_answer_is_logged"
LOSS_DAYS = 7
"""For how many days after its load a loss is shown by the check."""


def ingest_file(
    warehouse: Warehouse, files: PredictionFiles, path: Path, run_id: str, clock: Clock, done: Ingestion
) -> None:
    """Loads a file into the warehouse, then removes it. After a kill in between, the next run only removes it."""
    log = parse_log(path)
    if not log.lines:  # nothing but probes, or nothing at all: that is no news for the warehouse
        files.taken(path)
        return
    if ingest(warehouse, log, run_id, clock.timestamp()):
        done.files += 1
        done.rows += log.rows.num_rows
        done.rejected += log.rejects.num_rows
        done.lost += log.lost
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
    check_specs=[
        dg.AssetCheckSpec(
            EVERY_ANSWER_IS_LOGGED,
            asset=PREDICTION_LOG,
            description=f"No log file that was loaded in the last {LOSS_DAYS} days tells of answers that could not be logged (a full or "
            "read-only disk).",
        )
    ],
    description="Every answer of the online endpoint: when, by which deployment, model and state, to which question, with which "
    "probabilities. Lines that are no answer are stored in monitoring.prediction_log_rejects.",
)
def prediction_log(
    context: dg.AssetExecutionContext,
    warehouse: dg.ResourceParam[Warehouse],
    predictions: PredictionFiles,
    clock: Clock,
) -> Iterator[dg.MaterializeResult]:
    """Ingest every finished file; one that cannot be read stays, is named at the end, and stops no other."""
    done = Ingestion()
    for path in predictions.finished():
        try:
            ingest_file(warehouse, predictions, path, context.run.run_id, clock, done)
        except OSError as error:
            done.unreadable.append(f"{path}: {error.strerror or error}")
    now = clock.timestamp()
    before = kept_since(warehouse, now, predictions.days) if predictions.days is not None else None
    done.forgotten = forget_answers(warehouse, before) if before is not None else 0
    lost = lost_since(warehouse, now - dt.timedelta(days=LOSS_DAYS))
    total = dg.MetadataValue.int(row_count(warehouse, LOG))
    yield dg.MaterializeResult(
        metadata={"dagster/row_count": total, **done.as_metadata()},
        check_results=[
            dg.AssetCheckResult(
                passed=not lost,
                check_name=EVERY_ANSWER_IS_LOGGED,
                severity=dg.AssetCheckSeverity.WARN,
                description=f"{lost} answers are in no log, by the files loaded in the last {LOSS_DAYS} days; "
                "monitoring.prediction_log_rejects says when and why"
                if lost
                else f"no answer is missing from the files of the last {LOSS_DAYS} days",
            )
        ],
    )
    if done.unreadable:
        raise dg.Failure(
            f"{len(done.unreadable)} log files could not be loaded or removed, and are tried again: {'; '.join(done.unreadable[:5])}; "
            "make them readable, and their folder writable, for this user"
        )
