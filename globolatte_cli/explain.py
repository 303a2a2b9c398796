"""`globolatte explain`: why a customer's first recommendation is first, by the champion in this process."""

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from globolatte_cli.errors import UserError
from globolatte_cli.recommend import champion_scorer
from resources.settings.settings import Settings

if TYPE_CHECKING:
    from globolatte_ml.explain.single import Explained


def explained(
    settings: Settings, customer: str, region: str, weather: str, date: dt.date | None, daypart: str | None
) -> "Explained":
    """The explanation. Raises `UserError` for a region or weather that does not exist, or without a champion."""
    from globolatte_ml.data.snapshot import read_snapshot
    from globolatte_ml.explain.single import explain_request
    from globolatte_ml.scoring.scorer import Request
    from resources.environment import clock_of, ml_of
    from resources.ml.ml_platform import CHAMPION

    scorer, ml = champion_scorer(settings), ml_of(settings)
    champion = ml.model(CHAMPION)
    if champion is None:
        raise UserError("there is no champion yet; run `globolatte run` first")
    try:
        day = date or clock_of(settings).today(scorer.time_zone(region))
        snapshot = read_snapshot(ml.snapshot(champion.snapshot).folder)
        return explain_request(scorer, Request(customer, region, weather, day, daypart), snapshot)
    except (ValueError, FileNotFoundError) as error:
        raise UserError(str(error)) from error


def as_document(found: "Explained") -> dict[str, Any]:
    """The explanation as JSON values."""
    answer = found.recommendation
    return {
        "prediction_id": answer.prediction_id,
        "customer_id": answer.customer_id,
        "business_unit": answer.business_unit,
        "weather": answer.weather,
        "date": answer.date.isoformat(),
        "model_version": answer.model_version,
        "product": answer.ranked[0].product_name,
        "probability": answer.ranked[0].probability,
        "base": found.base,
        "adds": found.values,
        "would_turn": [{"change": t.text, "product": t.product, "probability": t.probability} for t in found.turned],
    }


def explain_to(
    customer: str, region: str, weather: str, date: dt.date | None, daypart: str | None, *, as_json: bool
) -> None:
    """Prints the explanation."""
    found = as_document(explained(Settings(), customer, region, weather, date, daypart))
    console = Console()
    if as_json:
        console.print_json(json.dumps(found))
        return
    console.print(
        f"{found['customer_id']} in {found['business_unit']}, {found['weather']}, {found['date']}: {found['product']} first, with "
        f"{found['probability']:.1%}; for the average order {found['base']:.1%}",
        highlight=False,
    )
    table = Table()
    table.add_column("what is known")
    table.add_column("adds", justify="right")
    for part, value in sorted(found["adds"].items(), key=lambda item: -abs(item[1])):
        table.add_row(part, f"{100 * value:+.1f}")
    console.print(table)
    for turn in found["would_turn"]:
        console.print(f"{turn['change']}: {turn['product']} first, with {turn['probability']:.0%}", highlight=False)
    console.print(f"[dim]prediction {found['prediction_id']}, model version {found['model_version']}[/]")
