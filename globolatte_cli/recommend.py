"""`globolatte recommend` and `globolatte explain`: one customer's ranking, and why its first product is first.

The ranking comes from the online endpoint if it is up, else from this process; the explanation always comes from this process.
"""

import datetime as dt
from collections.abc import Callable
from typing import Any, TypeVar

import click
from rich.table import Table

from globolatte_cli.endpoints import local_endpoint
from globolatte_cli.errors import UserError
from globolatte_cli.output import JSON, numbers, plain_console, print_json
from globolatte_ml.data.columns import InvalidDataError
from globolatte_ml.data.snapshot import read_snapshot
from globolatte_ml.explain.single import Explained, explain_request
from globolatte_ml.scoring.recommendations import Request
from globolatte_ml.scoring.scorer import Scorer
from globolatte_ml.scoring.service import document
from resources.endpoint.endpoint import EndpointError
from resources.endpoint.serving_state import ServingStates
from resources.environment import clock_of, export, ml_of
from resources.ml.ml_platform import CHAMPION, ModelVersion
from resources.settings.choices import MLKind
from resources.settings.settings import Settings

Command = TypeVar("Command", bound=Callable[..., Any])

DAYPARTS = click.Choice(["morning", "midday", "afternoon", "evening"])
VISIT = (
    click.option("--customer", required=True, help="Customer id, such as C0001."),
    click.option("--region", required=True, help="Country, unit, folder or id of the business unit, such as Canada."),
    click.option("--weather", required=True, help="Sunny, Rainy, Snowy, Cloudy, or Unknown."),
    click.option("--date", type=click.DateTime(["%Y-%m-%d"]), help="Business date; default: today in the region."),
    click.option("--daypart", type=DAYPARTS, help="Default: as the customer's orders are spread over the day."),
)


def visit_options(command: Command) -> Command:
    """Gives a command the options that say who comes in, where and when."""
    for option in reversed(VISIT):
        command = option(command)
    return command


@click.command()
@visit_options
@click.option("--top", type=click.IntRange(min=1), default=None, help="How many products; default: all.")
@JSON
def recommend(
    customer: str,
    region: str,
    weather: str,
    date: dt.datetime | None,
    daypart: str | None,
    top: int | None,
    *,
    as_json: bool,
) -> None:
    """Rank the products that a customer will want next."""
    settings = Settings()
    day = date and date.date()
    question: dict[str, Any] = {"customer_id": customer, "region": region, "weather": weather, "daypart": daypart}
    question |= {"top": top, "date": day and day.isoformat()}
    found = from_endpoint(settings, {name: value for name, value in question.items() if value is not None})
    if found is None:
        scorer = champion_scorer(settings)
        try:
            request = Request(customer, region, weather, day or _today(settings, scorer, region), daypart, top)
            answer = scorer.recommend([request])[0]
        except ValueError as error:
            raise UserError(str(error)) from error
        versions = {"model_version": answer.model_version, "state_version": answer.state_version}
        found = {**document(answer, None), **versions, "served_by": "this process"}
    if as_json:
        print_json(found)
        return
    console = plain_console()
    console.print(f"{found['customer_id']} in {found['business_unit']}, {found['weather']}, {found['date']}")
    table = Table(numbers("#"), "product", numbers("probability"))
    for item in found["products"]:
        table.add_row(str(item["rank"]), item["product_name"], f"{item['probability']:.1%}")
    console.print(table)
    console.print(
        f"prediction {found['prediction_id']}, model version {found['model_version']}, by {found['served_by']}",
        style="dim",
    )
    if not found["known_customer"]:
        console.print(f"{customer} is not a known customer: this is the answer for the region and the season.")


@click.command()
@visit_options
@JSON
def explain(
    customer: str, region: str, weather: str, date: dt.datetime | None, daypart: str | None, *, as_json: bool
) -> None:
    """Say why a customer's first recommendation is first, and what would turn it."""
    settings, console = Settings(), plain_console()
    scorer = champion_scorer(settings)
    try:
        day = date.date() if date else _today(settings, scorer, region)
        snapshot = read_snapshot(ml_of(settings).snapshot(champion_of(settings).snapshot).folder)
        found = as_document(explain_request(scorer, Request(customer, region, weather, day, daypart), snapshot))
    except (ValueError, FileNotFoundError) as error:
        raise UserError(str(error)) from error
    if as_json:
        print_json(found)
        return
    console.print(
        f"{found['customer_id']} in {found['business_unit']}, {found['weather']}, {found['date']}: {found['product']} first, with "
        f"{found['probability']:.1%}; for the average order {found['base']:.1%}",
        highlight=False,
    )
    table = Table("what is known", numbers("adds"))
    for part, value in sorted(found["adds"].items(), key=lambda item: -abs(item[1])):
        table.add_row(part, f"{100 * value:+.1f}")
    console.print(table)
    for turn in found["would_turn"]:
        console.print(f"{turn['change']}: {turn['product']} first, with {turn['probability']:.0%}", highlight=False)
    console.print(f"prediction {found['prediction_id']}, model version {found['model_version']}", style="dim")


def champion_of(settings: Settings) -> ModelVersion:
    """The champion. Raises `UserError` if there is none."""
    champion = ml_of(settings).model(CHAMPION)
    if champion is None:
        raise UserError("there is no champion yet; run `globolatte run` (or `globolatte demo`) first")
    return champion


def champion_scorer(settings: Settings) -> Scorer:
    """The champion with the current customer states. Raises `UserError` when one of them is missing."""
    export(settings)  # what is asked is only read: the home need not be writable
    champion = champion_of(settings)
    try:
        state = ServingStates(folder=str(settings.endpoints_folder)).current()
        return Scorer.from_folders(champion.folder, state, model_version=champion.version)
    except FileNotFoundError as missing:
        raise UserError(str(missing)) from missing
    except InvalidDataError as damaged:
        raise UserError(f"the champion cannot be read: {damaged}. `globolatte run` does it") from damaged


def _today(settings: Settings, scorer: Scorer, region: str) -> dt.date:
    """The business date in the region. Raises `ValueError` for a region that does not exist."""
    return clock_of(settings).today(scorer.time_zone(region))


def from_endpoint(settings: Settings, question: dict[str, Any]) -> dict[str, Any] | None:
    """The endpoint's answer, or none if it is not up. Raises `UserError` with its message if it refuses the question."""
    if settings.ml is not MLKind.LOCAL:
        return None
    endpoint = local_endpoint(settings)
    if not endpoint.is_up():
        return None
    try:
        answer = endpoint.score([question])
    except EndpointError as error:
        if not endpoint.is_up():  # it stopped just now
            return None
        raise UserError(str(error).removeprefix("requests[0].")) from error
    served_by = f"endpoint {endpoint.observed().url}/score, deployment {answer['deployment']}"
    versions = {name: answer[name] for name in ("model_version", "state_version")}
    return {**answer["recommendations"][0], **versions, "served_by": served_by}


def as_document(found: Explained) -> dict[str, Any]:
    """An explanation as JSON values."""
    answer, first = found.recommendation, found.recommendation.ranked[0]
    explained = document(answer, 0)
    names = ("prediction_id", "customer_id", "business_unit", "weather", "date")
    return {
        **{name: explained[name] for name in names},
        "model_version": answer.model_version,
        "product": first.product_name,
        "probability": first.probability,
        "base": found.base,
        "adds": found.values,
        "would_turn": [{"change": t.text, "product": t.product, "probability": t.probability} for t in found.turned],
    }
