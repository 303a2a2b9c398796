"""The asset `endpoints/recommendations`: every customer scored by the champion for today, in each weather."""

import datetime as dt
import tempfile
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

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
CUSTOMERS_A_PIECE = 10_000
ROWS_AT_ONCE = 500_000


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


def scored(scorer: Scorer, date: dt.date, best: int, file: Path, choices: dict[str, Counter[str]]) -> int:
    """Writes every customer's best products to a Parquet file, one piece at a time, and counts `choices`; returns the customers."""
    writer, customers = None, 0
    try:
        for rows in scorer.batch(date, CUSTOMERS_A_PIECE, best):
            writer = writer or pq.ParquetWriter(file, rows.schema)
            writer.write_table(rows)
            customers += pc.count_distinct(rows["customer_id"]).as_py()
            for product, by_unit in first_choices(rows).items():
                choices[product].update(by_unit)
    finally:
        if writer is not None:
            writer.close()
    return customers


def recommendations_asset(best: int) -> dg.AssetsDefinition:
    """The asset; `best`: how many products of each ranking are stored."""

    @dg.asset(
        key=RECOMMENDATIONS,
        deps=[SERVING_STATE, PROMOTION],
        pool=WAREHOUSE_POOL,
        owners=[OWNER_SCIENCE],
        kinds={"python", "table"},
        retry_policy=RETRY_AFTER_A_FAULT,
        description="The best products for every customer in their home unit, for today's calendar: for the unit's most likely "
        "weather of the month and, beside it, for each weather type. Model and state, which each row names, rank all others.",
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
        choices: dict[str, Counter[str]] = defaultdict(Counter)
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "recommendations.parquet"
            customers = scored(scorer, clock.today(), best, file, choices)
            if not customers:
                raise dg.Failure("no customer is known, so there is nobody to recommend to; load sales first")
            pieces = (pa.Table.from_batches([piece]) for piece in pq.ParquetFile(file).iter_batches(ROWS_AT_ONCE))
            with warehouse.keep_open():
                rows = warehouse.replace("serving.recommendations", pieces)
                names = warehouse.read("marts.dim_product", ["product_id", "product_name"]).to_pydict()
        product_names = dict(zip(names["product_id"], names["product_name"], strict=True))
        return dg.MaterializeResult(
            metadata={
                "dagster/row_count": rows,
                "customers": customers,
                "products_stored": min(best, len(scorer.products)),
                "as_of_date": str(clock.today()),
                "model_version": champion.version,
                "state_version": states.current().name,
                "first_choices": dg.MetadataValue.md(favourites_table(choices, product_names)),
            }
        )

    return recommendations
