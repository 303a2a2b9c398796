"""The asset `models/evaluation`: challenger and champion evaluated on the same holdout, the challenger's."""

import json
from dataclasses import asdict, replace
from typing import Any

import dagster as dg
import pyarrow as pa

from globolatte_assets.keys import EVALUATION, OWNER_SCIENCE, PREFERENCE_MODEL, WAREHOUSE_POOL
from globolatte_assets.models.champion import challenger_of
from globolatte_assets.pictures import png
from globolatte_ml.data.columns import InvalidDataError
from globolatte_ml.data.snapshot import SnapshotOrders, read_snapshot
from globolatte_ml.model.model import PreferenceModel
from globolatte_ml.scoring.scorer import resolve_model_folder
from globolatte_ml.training import plots
from globolatte_ml.training.answers import Predictions
from globolatte_ml.training.evaluation import Evaluated, Evaluation, evaluate, gain_over
from globolatte_ml.training.proofs import stored_proofs
from resources.clock import Clock
from resources.ml.ml_platform import CHAMPION, MLPlatform, ModelVersion
from resources.warehouse.tables import arrow_schema, row_count
from resources.warehouse.warehouse import Warehouse


def evaluation_of(warehouse: Warehouse, version: ModelVersion, snapshot: str) -> Evaluation:
    """The stored evaluation of a version on a snapshot's holdout. Raises `dagster.Failure` if there is none."""
    found = stored_evaluation(warehouse, version, snapshot)
    if found is None:
        raise dg.Failure(
            description=f"model version {version.version} has not been evaluated on snapshot {snapshot}; "
            "materialize models/evaluation",
            allow_retries=False,
        )
    return found


def stored_evaluation(warehouse: Warehouse, version: ModelVersion, snapshot: str) -> Evaluation | None:
    """The stored evaluation of a version on a snapshot's holdout, if there is one."""
    where = {"model_version": version.version, "snapshot": snapshot}
    rows = warehouse.read("ml.evaluations", ["evaluation"], where)
    return Evaluation.from_dict(json.loads(rows["evaluation"][0].as_py())) if rows.num_rows else None


def comparison_table(challenger: Evaluation, champion: Evaluation | None) -> str:
    """The models and the baselines as a Markdown table, best first."""
    rows: dict[str, Any] = {**challenger.baselines}
    if champion is not None and champion.model is not None:
        rows["**champion**"] = champion.model
    if challenger.model is not None:
        rows["**challenger**"] = challenger.model
    lines = [
        f"| {name} | {m.log_loss:.4f} | {m.hit_rate_at_1:.1%} | {m.hit_rate_at_3:.1%} | {m.expected_calibration_error:.4f} |"
        for name, m in sorted(rows.items(), key=lambda item: item[1].log_loss)
    ]
    return "\n".join(["| | log loss | hit@1 | hit@3 | ECE |", "|---|---:|---:|---:|---:|", *lines])


def _keep(warehouse: Warehouse, clock: Clock, version: ModelVersion, snapshot: str, evaluation: Evaluation) -> None:
    """One row of `ml.evaluations`."""
    key = {"model_version": version.version, "snapshot": snapshot}
    row = {
        **key,
        "holdout_orders": evaluation.holdout_orders,
        **(asdict(evaluation.model) if evaluation.model is not None else {}),
        "evaluation": json.dumps(evaluation.as_dict(), sort_keys=True),
        "evaluated_at": clock.timestamp(),
    }
    warehouse.replace("ml.evaluations", pa.Table.from_pylist([row], arrow_schema("ml.evaluations")), key)


def evaluate_version(version: ModelVersion, orders: SnapshotOrders) -> Evaluated:
    """Evaluates a registered model on the holdout of a snapshot's orders, and adds the proofs made by its training job."""
    found = evaluate(PreferenceModel.load(resolve_model_folder(version.folder)), orders)
    return replace(found, evaluation=replace(found.evaluation, proofs=stored_proofs(version.folder)))


def _of_champion(context: dg.AssetExecutionContext, champion: ModelVersion, orders: SnapshotOrders) -> Evaluated | None:
    """The champion on the challenger's holdout; none, with a warning, if its stored files cannot be used."""
    try:
        return evaluate_version(champion, orders)
    except (InvalidDataError, OSError) as error:
        context.log.warning(f"the champion, version {champion.version}, cannot be read and is not evaluated: {error}")
        return None


def _keep_holdout_predictions(warehouse: Warehouse, version: ModelVersion, predictions: Predictions) -> int:
    key = {"model_version": version.version}
    stored = {"ml.holdout_rest": predictions.rest, "ml.holdout_predictions": predictions.listed}
    rows = 0
    for table, content in stored.items():
        columns = content.drop_columns(["order_key"])
        rows = warehouse.replace(
            table, columns.append_column("model_version", pa.repeat(version.version, columns.num_rows)), key
        )
    return rows


@dg.asset(
    key=EVALUATION,
    deps=[PREFERENCE_MODEL],
    pool=WAREHOUSE_POOL,
    owners=[OWNER_SCIENCE],
    kinds={"python", "table"},
    description="Challenger, champion and baselines on the same time-ordered holdout: the last eighth of the snapshot's "
    "span, or of what is new to the champion the later half.",
)
def evaluation(
    context: dg.AssetExecutionContext,
    warehouse: dg.ResourceParam[Warehouse],
    ml: dg.ResourceParam[MLPlatform],
    clock: Clock,
) -> dg.MaterializeResult:
    """Evaluate both on the challenger's holdout and store the evaluations."""
    challenger, champion = challenger_of(ml), ml.model(CHAMPION)
    snapshot = ml.snapshot(challenger.snapshot)
    orders = read_snapshot(snapshot.folder)
    evaluated = evaluate_version(challenger, orders)
    of_challenger, of_champion = evaluated.evaluation, None
    if champion is not None and (other := _of_champion(context, champion, orders)) is not None:
        of_champion = other.evaluation
        gain = gain_over(evaluated.answers, other.answers, orders)
        of_challenger = replace(of_challenger, gain_over_champion=gain)
        if champion.version != challenger.version:
            _keep(warehouse, clock, champion, snapshot.name, of_champion)
    _keep(warehouse, clock, challenger, snapshot.name, of_challenger)
    predictions = _keep_holdout_predictions(warehouse, challenger, evaluated.predictions)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": row_count(warehouse, "ml.evaluations"),
            "model_version": challenger.version,
            "holdout": f"{of_challenger.holdout_orders} orders, {of_challenger.holdout_from} to {of_challenger.holdout_to}",
            "holdout_predictions": predictions,
            "comparison": dg.MetadataValue.md(comparison_table(of_challenger, of_champion)),
            "log_loss": png(plots.baseline_chart, of_challenger),
            "reliability": png(plots.reliability_diagram, of_challenger),
            "groups": png(plots.log_loss_by_group, of_challenger),
            "products": png(plots.hit_rate_by_product, of_challenger),
        }
    )
