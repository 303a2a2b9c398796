"""The asset `endpoints/recommendations`: every customer scored by the champion for today, in each weather."""

import dagster as dg

from globolatte_assets.automation import RETRY_AFTER_A_FAULT
from globolatte_assets.keys import OWNER_SCIENCE, PROMOTION, RECOMMENDATIONS, SERVING_STATE, WAREHOUSE_POOL
from resources.clock import Clock
from resources.ml import CHAMPION, MLPlatform, ModelVersion
from resources.serving_state import ServingStates
from resources.warehouse import Warehouse


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


def recommendations_asset(condition: dg.AutomationCondition) -> dg.AssetsDefinition:
    """Builds the asset."""

    @dg.asset(
        key=RECOMMENDATIONS,
        deps=[SERVING_STATE, PROMOTION],
        pool=WAREHOUSE_POOL,
        group_name="endpoints",
        owners=[OWNER_SCIENCE],
        kinds={"python", "table"},
        automation_condition=condition,
        retry_policy=RETRY_AFTER_A_FAULT,
        description="Ranked products for every customer in their home unit, for today's calendar: for the unit's most likely "
        "weather of the month and, beside it, for each weather type.",
    )
    def recommendations(
        warehouse: dg.ResourceParam[Warehouse],
        ml: dg.ResourceParam[MLPlatform],
        states: ServingStates,
        clock: Clock,
    ) -> dg.MaterializeResult:
        import pyarrow as pa

        from globolatte_ml.scoring import Scorer

        champion = champion_of(ml)
        scorer = Scorer.from_folders(champion.folder, states.current(), model_version=champion.version)
        rows = pa.concat_tables(scorer.batch(clock.today()))
        warehouse.replace("serving.recommendations", rows)
        expected = rows.filter(rows["is_expected_weather"])
        first = expected.filter(pa.compute.equal(expected["rank"], 1))
        favourites = first.group_by(["business_unit", "product_id"]).aggregate([("customer_id", "count")])
        table = "\n".join(
            f"| {row['business_unit']} | {row['product_id']} | {row['customer_id_count']} |"
            for row in favourites.sort_by(
                [("business_unit", "ascending"), ("customer_id_count", "descending")]
            ).to_pylist()
        )
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": rows.num_rows,
                "customers": pa.compute.count_distinct(rows["customer_id"]).as_py(),
                "as_of_date": str(clock.today()),
                "model_version": champion.version,
                "state_version": states.current().name,
                "first_choices": dg.MetadataValue.md(f"| unit | first choice | customers |\n|---|---|---|\n{table}"),
            }
        )

    return recommendations
