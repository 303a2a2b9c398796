"""`globolatte recommend`: one customer's ranking, from the online endpoint if it is up, else scored in process."""

import datetime as dt
import json
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

from globolatte_cli.errors import UserError
from globolatte_cli.instance import prepare_home
from resources.settings.choices import MLKind
from resources.settings.settings import Settings

if TYPE_CHECKING:
    from globolatte_ml.scoring.scorer import Recommendation, Scorer


def champion_scorer(settings: Settings) -> "Scorer":
    """The champion with the current customer states. Raises `UserError` when one of them is missing."""
    from globolatte_ml.data.columns import InvalidDataError
    from globolatte_ml.scoring.scorer import Scorer
    from resources.endpoint.serving_state import ServingStates
    from resources.environment import ml_of
    from resources.ml.ml_platform import CHAMPION

    prepare_home(settings)
    champion = ml_of(settings).model(CHAMPION)
    if champion is None:
        raise UserError("there is no champion yet; run `globolatte run` (or `globolatte demo`) first")
    try:
        state = ServingStates(folder=str(settings.endpoints_folder)).current()
        return Scorer.from_folders(champion.folder, state, model_version=champion.version)
    except FileNotFoundError as missing:
        raise UserError(str(missing)) from missing
    except InvalidDataError as damaged:
        raise UserError(f"the champion cannot be read: {damaged}") from damaged


def answer(
    settings: Settings,
    customer: str,
    region: str,
    weather: str,
    date: dt.date | None,
    daypart: str | None,
    top: int | None,
) -> "Recommendation":
    """One customer's ranking, scored in process. Raises `UserError` for a region or weather that does not exist."""
    from globolatte_ml.scoring.scorer import Request
    from resources.environment import clock_of

    scorer = champion_scorer(settings)
    try:
        day = date or clock_of(settings).today(scorer.time_zone(region))
        return scorer.recommend([Request(customer, region, weather, day, daypart, top)])[0]
    except ValueError as error:
        raise UserError(str(error)) from error


def from_endpoint(settings: Settings, question: dict[str, Any]) -> dict[str, Any] | None:
    """The endpoint's answer, or none if it is not up. Raises `UserError` with its message if it refuses the question."""
    from globolatte_cli.endpoints import client_of
    from resources.endpoint.endpoint import EndpointError

    if settings.ml is not MLKind.LOCAL:
        return None
    client = client_of(settings)
    if not client.is_up():
        return None
    try:
        document = client.score([question])
    except EndpointError as error:
        if not client.is_up():  # it went down just now
            return None
        raise UserError(str(error).removeprefix("requests[0].")) from error
    served_by = f"endpoint {client.observed().url}/score, deployment {document['deployment']}"
    versions = {name: document[name] for name in ("model_version", "state_version")}
    return {**document["recommendations"][0], **versions, "served_by": served_by}


def recommend_to(
    customer: str,
    region: str,
    weather: str,
    date: dt.date | None,
    daypart: str | None,
    top: int | None,
    *,
    as_json: bool,
) -> None:
    """Prints the ranking."""
    settings, console = Settings(), Console()
    request = {"customer_id": customer, "region": region, "weather": weather, "daypart": daypart, "top": top}
    question = {
        name: value for name, value in {**request, "date": date and date.isoformat()}.items() if value is not None
    }
    found = from_endpoint(settings, question)
    if found is None:
        local = answer(settings, customer, region, weather, date, daypart, top)
        found = {**as_document(local), "served_by": "this process"}
    if as_json:
        console.print_json(json.dumps(found))
        return
    console.print(f"{found['customer_id']} in {found['business_unit']}, {found['weather']}, {found['date']}")
    console.print(table_of(found))
    console.print(
        f"[dim]prediction {found['prediction_id']}, model version {found['model_version']}, by {found['served_by']}[/]"
    )
    if not found["known_customer"]:
        console.print(f"{customer} is not a known customer: this is the answer for the region and the season.")


def as_document(recommendation: "Recommendation") -> dict[str, Any]:
    """The recommendation as JSON values."""
    from globolatte_ml.scoring.service import document

    versions = {"model_version": recommendation.model_version, "state_version": recommendation.state_version}
    return {**document(recommendation, None), **versions}


def table_of(found: dict[str, Any]) -> Table:
    """The recommendation as a table for the terminal."""
    table = Table()
    table.add_column("#", justify="right")
    table.add_column("product")
    table.add_column("probability", justify="right")
    for item in found["products"]:
        table.add_row(str(item["rank"]), item["product_name"], f"{item['probability']:.1%}")
    return table
