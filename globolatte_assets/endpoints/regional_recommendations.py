"""The asset `endpoints/regional_recommendations`: rankings for customers without history, by unit, season and weather."""

from collections.abc import Mapping

import dagster as dg
import pyarrow as pa

from globolatte_assets.automation import RETRY_AFTER_A_FAULT
from globolatte_assets.keys import (
    MONTHLY_WEATHER,
    OWNER_SCIENCE,
    PROMOTION,
    REGIONAL_RECOMMENDATIONS,
    SERVING_STATE,
    WAREHOUSE_POOL,
)
from globolatte_assets.models.champion import champion_of
from globolatte_assets.pictures import png
from globolatte_ml.scoring.regional import regional_map, regional_table
from globolatte_ml.scoring.scorer import Scorer
from resources.clock import Clock
from resources.endpoint.serving_state import ServingStates
from resources.ml.ml_platform import MLPlatform
from resources.warehouse.warehouse import Warehouse

REGIONAL_TABLE = "serving.regional_recommendations"
CHOICES_SHOWN = 3


def choices_in_words(table: pa.Table, names: Mapping[str, str]) -> str:
    """The first three choices by unit and weather in the current season, as Markdown."""
    now = [row for row in table.to_pylist() if row["is_season_now"] and row["rank"] <= CHOICES_SHOWN]
    lines = ["| unit | weather | days seen | first | second | third |", "|---|---|---:|---|---|---|"]
    for unit, weather in sorted({(row["business_unit"], row["weather"]) for row in now}):
        cell = [row for row in now if (row["business_unit"], row["weather"]) == (unit, weather)]
        words = [f"{names.get(row['product_id'], row['product_id'])} {row['probability']:.0%}" for row in cell]
        words += ["–"] * (CHOICES_SHOWN - len(words))
        lines.append(f"| {unit} | {weather} | {cell[0]['weather_days'] or 'never'} | {' | '.join(words)} |")
    return "\n".join(lines)


@dg.asset(
    key=REGIONAL_RECOMMENDATIONS,
    deps=[SERVING_STATE, PROMOTION, MONTHLY_WEATHER],
    pool=WAREHOUSE_POOL,
    owners=[OWNER_SCIENCE],
    kinds={"python", "table"},
    retry_policy=RETRY_AFTER_A_FAULT,
    description="Ranked products for customers without history, by unit, season and weather: the champion's answer to an empty state.",
)
def regional_recommendations(
    warehouse: dg.ResourceParam[Warehouse],
    ml: dg.ResourceParam[MLPlatform],
    states: ServingStates,
    clock: Clock,
) -> dg.MaterializeResult:
    """Score a customer without history, in each unit, season and weather."""
    champion = champion_of(ml)
    scorer = Scorer.from_folders(champion.folder, states.current(), model_version=champion.version)
    table = regional_table(scorer, warehouse.read("marts.mart_monthly_weather"), clock.today())
    rows = warehouse.replace(REGIONAL_TABLE, table)
    names = scorer.bundle.products
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": rows,
            "model_version": champion.version,
            "this_season": dg.MetadataValue.md(choices_in_words(table, names)),
            "by_season": png(regional_map, table, names),
        }
    )
