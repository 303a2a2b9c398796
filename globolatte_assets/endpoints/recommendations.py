"""The asset `endpoints/recommendations`: every customer scored by the champion for today, in each weather."""

from collections import Counter, defaultdict
from collections.abc import Mapping

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc

from globolatte_assets.automation import RETRY_AFTER_A_FAULT
from globolatte_assets.keys import OWNER_SCIENCE, PROMOTION, RECOMMENDATIONS, SERVING_STATE, WAREHOUSE_POOL
from globolatte_assets.models.champion import champion_of
from globolatte_ml.scoring.scorer import Scorer
from resources.clock import Clock
from resources.endpoint.serving_state import ServingStates
from resources.ml.ml_platform import MLPlatform
from resources.warehouse.warehouse import Warehouse

PRODUCTS_SHOWN = 8
BAR_LENGTH = 12


def first_choices(rows: pa.Table) -> dict[str, Counter[str]]:
    """For each product, how many customers of each unit have it at rank 1 in the expected weather."""

    first = rows.filter(pc.and_(rows["is_expected_weather"], pc.equal(rows["rank"], 1)))
    counted = first.group_by(["product_id", "business_unit"]).aggregate([("customer_id", "count")])
    choices: dict[str, Counter[str]] = defaultdict(Counter)
    for row in counted.to_pylist():
        choices[row["product_id"]][row["business_unit"]] += row["customer_id_count"]
    return choices


def favourites_table(choices: Mapping[str, Counter[str]], product_names: Mapping[str, str]) -> str:
    """The products that most customers will want first, by unit, as Markdown with a bar for the whole chain."""
    units = sorted({unit for by_unit in choices.values() for unit in by_unit})
    ranked = sorted(choices.items(), key=lambda item: (-item[1].total(), item[0]))[:PRODUCTS_SHOWN]
    most = max((by_unit.total() for _, by_unit in ranked), default=1)
    lines = [f"| first choice | {' | '.join(units)} | customers | |", f"|---|{'---:|' * len(units)}---:|---|"]
    for product, by_unit in ranked:
        counts = " | ".join(f"{by_unit[unit]:,}" for unit in units)
        bar = "█" * max(1, round(BAR_LENGTH * by_unit.total() / most))
        lines.append(f"| {product_names.get(product, product)} | {counts} | {by_unit.total():,} | {bar} |")
    return "\n".join(lines)


@dg.asset(
    key=RECOMMENDATIONS,
    deps=[SERVING_STATE, PROMOTION],
    pool=WAREHOUSE_POOL,
    owners=[OWNER_SCIENCE],
    kinds={"python", "table"},
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
    """Score every customer with the champion."""
    champion = champion_of(ml)
    scorer = Scorer.from_folders(champion.folder, states.current(), model_version=champion.version)
    rows = pa.concat_tables(scorer.batch(clock.today()))
    with warehouse.keep_open():
        warehouse.replace("serving.recommendations", rows)
        names = warehouse.read("marts.dim_product", ["product_id", "product_name"]).to_pydict()
    product_names = dict(zip(names["product_id"], names["product_name"], strict=True))
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": rows.num_rows,
            "customers": pa.compute.count_distinct(rows["customer_id"]).as_py(),
            "as_of_date": str(clock.today()),
            "model_version": champion.version,
            "state_version": states.current().name,
            "first_choices": dg.MetadataValue.md(favourites_table(first_choices(rows), product_names)),
        }
    )
