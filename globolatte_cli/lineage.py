"""`globolatte lineage column`: what a column is made from, and what is made from it."""

import click

from globolatte_cli.errors import UserError
from globolatte_cli.output import JSON, plain_console, print_json
from globolatte_cli.trace import as_tree
from globolatte_lineage.columns import ColumnLineage, UnknownColumnError
from resources.environment import DBT_PROJECT_FOLDER


@click.group()
def lineage() -> None:
    """Show which columns a column is made from, or what is made from it."""


@lineage.command()
@click.argument("name")
@click.option(
    "--upstream/--downstream", default=True, show_default=True, help="What it is made from, or what is made from it."
)
@JSON
def column(name: str, *, upstream: bool, as_json: bool) -> None:
    """Show the lineage of a column, from the raw tables to the inputs of the model.

    NAME is schema.table.column, such as features.feat_customer_state.last_order_date.
    """
    try:
        columns = ColumnLineage.of_project(DBT_PROJECT_FOLDER / "target")
        found = columns.upstream(name) if upstream else columns.downstream(name)
    except (UnknownColumnError, FileNotFoundError) as error:
        raise UserError(str(error)) from error
    if as_json:
        print_json(found.as_document())
    else:
        plain_console(highlight=False).print(as_tree(found))
