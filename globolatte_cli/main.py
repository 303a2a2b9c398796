"""The command group. Each command's module is imported only when that command runs."""

import datetime as dt
import sys
from pathlib import Path

import click

from globolatte_cli.azureml_commands import azureml
from globolatte_cli.endpoint_commands import endpoints
from globolatte_cli.file_commands import ledger, quarantine, retract
from globolatte_cli.model_commands import models


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="globolatte")
def cli() -> None:
    """Sales files in, recommendations out.

    Settings come from environment variables GLOBOLATTE_*; `globolatte doctor` lists them.
    """


@cli.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), help="Folder to write a new dataset into.")
@click.option("--orders", type=int, default=None, help="Number of orders; default: 10000, continued: at the same pace.")
@click.option("--customers", default=1_000, show_default=True, help="Number of customers.")
@click.option("--products", default=6, show_default=True, help="Number of products in the catalogue.")
@click.option("--seed", default=7, show_default=True, help="Seed of the random numbers.")
@click.option(
    "--start", type=click.DateTime(["%Y-%m-%d"]), default="2022-01-01", show_default=True, help="First business date."
)
@click.option(
    "--end", type=click.DateTime(["%Y-%m-%d"]), default="2023-12-31", show_default=True, help="Last business date."
)
@click.option(
    "--continue",
    "continued",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Folder of a dataset (or GLOBOLATTE_HOME after `demo`) to add further days to, instead of --out.",
)
@click.option(
    "--scenario",
    type=click.Choice(["none", "product_launch", "taste_shift", "weather_shift", "broken_upstream"]),
    default="none",
    show_default=True,
    help="What happens in the further days.",
)
@click.option("--days", default=28, show_default=True, help="Number of further days.")
def simulate(
    out: Path | None,
    orders: int | None,
    customers: int,
    products: int,
    seed: int,
    start: dt.datetime,
    end: dt.datetime,
    continued: Path | None,
    scenario: str,
    days: int,
) -> None:
    """Write a coffee chain's sales files, and beside them the truth about its customers.

    OUT/landing/ gets sales and reference files, OUT/truth/ the true probabilities behind each order.
    """
    from globolatte_cli.simulate import continue_into, simulate_into

    if (out is None) == (continued is None):
        raise click.UsageError("give either --out for a new dataset or --continue for further days of one")
    if continued is not None:
        continue_into(continued, scenario, days, orders, seed)
    elif out is not None:
        simulate_into(out, 10_000 if orders is None else orders, customers, products, seed, start.date(), end.date())


@cli.command()
def run() -> None:
    """Process everything in the landing zone, once: load, build features, train if needed, recommend."""
    from globolatte_cli.run_pass import run_pass

    run_pass()


@cli.command()
@click.option("--customer", required=True, help="Customer id, such as C0001.")
@click.option("--region", required=True, help="Country, unit, folder or id of the business unit, such as Canada.")
@click.option("--weather", required=True, help="Sunny, Rainy, Snowy or Cloudy.")
@click.option(
    "--date", type=click.DateTime(["%Y-%m-%d"]), default=None, help="Business date; default: today in the region."
)
@click.option(
    "--daypart",
    type=click.Choice(["morning", "midday", "afternoon", "evening"]),
    default=None,
    help="Default: as the customer's orders are spread over the day.",
)
@click.option("--top", type=click.IntRange(min=1), default=None, help="How many products; default: all.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
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
    from globolatte_cli.recommend import recommend_to

    recommend_to(customer, region, weather, date.date() if date else None, daypart, top, as_json=as_json)


@cli.command()
@click.option(
    "--product", default="", help="Product to offer, by id or name; default: what is worth most to push in each unit."
)
@click.option("--budget", type=click.FloatRange(min=0), required=True, help="What all contacts may cost together.")
@click.option(
    "--cost", type=click.FloatRange(min=0, min_open=True), default=0.25, show_default=True, help="Of one contact."
)
@click.option(
    "--unit", "units", multiple=True, help="Business unit to address; may be given several times. Default: all."
)
@click.option(
    "--days", type=click.IntRange(min=1), default=14, show_default=True, help="For how many days purchases count."
)
@click.option(
    "--control", type=click.FloatRange(0, 0.9), default=0.2, show_default=True, help="Share that is held back."
)
@click.option("--name", default="", help="Name of the campaign; default: the product's.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def campaign(
    product: str,
    budget: float,
    cost: float,
    units: tuple[str, ...],
    days: int,
    control: float,
    name: str,
    *,
    as_json: bool,
) -> None:
    """Choose who to offer what within a budget, log the contacts, and hold a control group back."""
    from globolatte_cli.campaign import make_campaign

    campaign = {"product": product, "budget": budget, "cost_per_contact": cost, "units": list(units), "days": days}
    make_campaign({**campaign, "control_share": control, "name": name}, as_json=as_json)


@cli.command()
@click.option("--customer", required=True, help="Customer id, such as C0001.")
@click.option("--region", required=True, help="Country, unit, folder or id of the business unit, such as Canada.")
@click.option("--weather", required=True, help="Sunny, Rainy, Snowy or Cloudy.")
@click.option(
    "--date", type=click.DateTime(["%Y-%m-%d"]), default=None, help="Business date; default: today in the region."
)
@click.option("--daypart", type=click.Choice(["morning", "midday", "afternoon", "evening"]), default=None)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def explain(
    customer: str, region: str, weather: str, date: dt.datetime | None, daypart: str | None, *, as_json: bool
) -> None:
    """Say why a customer's first recommendation is first, and what would turn it."""
    from globolatte_cli.explain import explain_to

    explain_to(customer, region, weather, date.date() if date else None, daypart, as_json=as_json)


@cli.command()
def demo() -> None:
    """Simulate two years, run everything, and show what came of it."""
    from globolatte_cli.demo import run_demo

    run_demo()


@cli.command()
@click.option("--port", default=3000, show_default=True, help="Port of the web page.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
def dev(port: int, host: str) -> None:
    """Start the Dagster UI with sensors and automation on."""
    from globolatte_cli.dev import start_dagster

    start_dagster(host, port)


@cli.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(*, as_json: bool) -> None:
    """Print what is configured, reachable and missing, with remedies. No secret is printed."""
    from globolatte_cli.doctor import examine

    sys.exit(examine(as_json=as_json))


@cli.command()
def prepare() -> None:
    """Prepare dbt's manifest, which the definitions are loaded from. Part of `make setup`."""
    from globolatte_cli.prepare import prepare_manifest

    prepare_manifest()


@cli.command()
@click.argument(
    "what",
    type=click.Choice(
        [
            "definitions",
            "ingest",
            "ticks",
            "dbt",
            "run",
            "serving",
            "drift",
            "prediction",
            "training",
            "demo",
            "model",
            "all",
        ]
    ),
    default="all",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.option("--orders", default=10_000_000, help="Of `dbt`: how many orders it builds.", show_default=True)
@click.option("--seed", "seeds", type=int, multiple=True, help="Of `model`: a simulated chain; default: 11 to 15.")
@click.option("--size", "sizes", multiple=True, help="Of `model`: orders x customers; default: 10000x1000.")
@click.option(
    "--chain",
    "chains",
    type=click.Choice(["published", "half strength", "strongest effect", "habit data"]),
    multiple=True,
    help="Of `model`: which chains; default: all.",
)
def bench(
    what: str, orders: int, seeds: tuple[int, ...], sizes: tuple[str, ...], chains: tuple[str, ...], *, as_json: bool
) -> None:
    """Measure us and the reference side by side, in one run, and print the ratios.

    `model` is no part of `all`: it fits everything on many chains and takes minutes.
    """
    if what == "model":
        from globolatte_cli.bench_model import bench_model, parsed_sizes

        sys.exit(bench_model(seeds, parsed_sizes(sizes), chains, as_json=as_json))
    from globolatte_cli.bench import run_benchmarks

    sys.exit(run_benchmarks(what, as_json=as_json, orders=orders))


for command in (quarantine, retract, ledger, models, azureml, endpoints):
    cli.add_command(command)


def main() -> None:
    """The console script's entry: known errors become one clear line."""
    sys.exit(_exit_code())


def _exit_code() -> int:
    from globolatte_cli.errors import KNOWN_ERRORS, message_of

    try:
        cli(standalone_mode=False)
    except click.exceptions.Exit as leave:
        return leave.exit_code
    except SystemExit as leave:
        return leave.code if isinstance(leave.code, int) else int(leave.code is not None)
    except click.Abort:
        click.secho("Aborted.", fg="red", err=True)
        return 130
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except KNOWN_ERRORS as error:
        click.secho(f"Error: {message_of(error)}", fg="red", err=True)
        return 1
    return 0


if __name__ == "__main__":
    main()
