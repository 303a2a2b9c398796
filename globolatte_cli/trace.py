"""`globolatte trace`: where a prediction comes from, and what a file, a customer, a model or a campaign touched."""

from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.text import Text
from rich.tree import Tree

from globolatte_cli.errors import UserError
from globolatte_cli.output import JSON, plain_console, print_json
from globolatte_lineage.backward import UnknownPredictionError, trace_prediction
from globolatte_lineage.forward import NothingKnownError, trace_campaign, trace_customer, trace_file, trace_model
from globolatte_lineage.graph import Kind, Node, Trace
from globolatte_lineage.records import places_of
from globolatte_lineage.replay import CannotReplayError, Replayed, Replayer
from resources.environment import warehouse_of
from resources.settings.settings import Settings

MOST_SHOWN = 8
"""Nodes of one kind below the same node that the tree names; the rest is counted."""


@click.command()
@click.argument("prediction", required=False)
@click.option(
    "--file",
    "path",
    help="What a file of the landing zone touched, by its path, such as sales/usa/2024/01/31/sales.csv.",
)
@click.option(
    "--customer", help="A customer's order lines with their files, and the campaigns that chose this customer."
)
@click.option("--model-version", help="Where a model version comes from, and what it answered.")
@click.option("--campaign", help="How many a campaign chose, by which model and state.")
@click.option(
    "--replay", "again", is_flag=True, help="Make the prediction again from its state and model, and compare."
)
@click.option(
    "--html",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write it as a page of its own, with the graph drawn.",
)
@JSON
def trace(
    prediction: str | None,
    path: str | None,
    customer: str | None,
    model_version: str | None,
    campaign: str | None,
    html: Path | None,
    *,
    again: bool,
    as_json: bool,
) -> None:
    """Show where a prediction comes from, down to the files, or what a file, customer, model or campaign touched.

    PREDICTION is an id that an answer, a recommendation or an audience carries, such as pr_56263e93b9d9b9425742.
    """
    asked = {
        "PREDICTION": prediction,
        "--file": path,
        "--customer": customer,
        "--model-version": model_version,
        "--campaign": campaign,
    }
    given = [name for name, value in asked.items() if value is not None]
    if len(given) != 1:
        raise click.UsageError(f"give one of {', '.join(asked)}" + (f", not {' and '.join(given)}" if given else ""))
    if again and prediction is None:
        raise click.UsageError("--replay is for a PREDICTION")
    settings = Settings()
    places = places_of(settings)
    try:
        with warehouse_of(settings).transaction() as transaction:
            if prediction is not None:
                found = trace_prediction(transaction, places, prediction)
            elif path is not None:
                found = trace_file(transaction, places, path)
            elif customer is not None:
                found = trace_customer(transaction, customer)
            elif model_version is not None:
                found = trace_model(transaction, places, model_version)
            else:
                found = trace_campaign(transaction, places, str(campaign))
        replayed = Replayer(places).replay(found) if again else None
    except (UnknownPredictionError, NothingKnownError, CannotReplayError) as error:
        raise UserError(str(error)) from error
    if html is not None:
        from globolatte_lineage.page import as_html

        html.write_text(as_html(found), encoding="utf-8")
    if as_json:
        print_json(found.as_document() | ({"replay": _as_document(replayed)} if replayed else {}))
    else:
        _print(found, replayed, html)
    if replayed is not None and not replayed.is_same:
        raise SystemExit(1)


def _as_document(replayed: Replayed) -> dict[str, Any]:
    differ = {product: {"then": was, "now": now} for product, (was, now) in replayed.differ.items()}
    return {"state": replayed.state_hash, "model": replayed.model_hash, "products": replayed.products, "differ": differ}


def as_tree(found: Trace) -> Tree:
    """The graph as a tree; of many alike below one node the first few, and how many more there are."""
    rows = list(found.walk())
    root = Tree(_label(rows[0][2], "", is_root=True))
    open_nodes: dict[int, Tree] = {0: root}
    shown: dict[tuple[int, Kind], int] = {}
    hidden: dict[tuple[int, Kind], Tree] = {}
    skipped: int | None = None
    for depth, relation, node in rows[1:]:
        if skipped is not None and depth > skipped:
            continue
        skipped = None
        place = id(open_nodes[depth - 1]), node.kind
        shown[place] = shown.get(place, 0) + 1
        if shown[place] > MOST_SHOWN:
            skipped = depth
            if place not in hidden:
                hidden[place] = open_nodes[depth - 1].add(Text())
            hidden[place].label = Text(
                f"… and {shown[place] - MOST_SHOWN:,} more: {node.kind}s (all of them with --json)", "dim"
            )
            continue
        open_nodes[depth] = open_nodes[depth - 1].add(_label(node, relation))
        for reason in node.facts.get("reasons", ()):
            open_nodes[depth].add(Text(reason, "dim"))
    return root


def _label(node: Node, relation: str, *, is_root: bool = False) -> Text:
    rows = node.facts.get("rows")
    lines = f", row {', '.join(str(row) for row in rows)}" if rows else ""
    arrow = "" if is_root else "→ "
    style = "bold" if node.kind in (Kind.PREDICTION, Kind.MODEL, Kind.STATE) else ""
    return Text.assemble((f"{relation} " if relation else arrow, "dim"), (node.title, style), (lines, ""))


def print_trace(found: Trace, console: Console) -> None:
    """The graph as a tree, and its notes."""
    console.print(as_tree(found))
    for note in found.notes:
        console.print(Text.assemble(("note: ", "yellow"), note))


def _print(found: Trace, replayed: Replayed | None, html: Path | None) -> None:
    console = plain_console(highlight=False)
    print_trace(found, console)
    if replayed is not None and replayed.is_same:
        console.print(
            f"Made again from state {replayed.state_hash} and model {replayed.model_hash[:12]}: "
            f"all {replayed.products} probabilities are equal.",
            style="green",
        )
    elif replayed is not None:
        console.print("Made again, and not equal:", style="red")
        for product, (was, now) in replayed.differ.items():
            console.print(f"  {product}: {was!r} then, {now!r} now")
    if html is not None:
        console.print(f"Page: {html}", soft_wrap=True)
