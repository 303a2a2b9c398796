"""The command group. A command's module is imported only when that command is called, so that `globolatte --help` is instant."""

import sys
from importlib import import_module

import click

COMMANDS = {
    "as-of": ("as_of", "Show what was known, decided and served at a moment of the past."),
    "audit": ("audit", "Add to the audit log, hold it against the tables, prove that an entry is in it."),
    "azureml": ("azureml", "The Azure ML workspace: definitions for `az ml`, models shared between workspaces."),
    "bench": ("bench", "Measure us and the reference side by side, in one run, and print the ratios."),
    "campaign": (
        "campaign",
        "Choose who to offer what within a budget, log the contacts, and hold a control group back.",
    ),
    "demo": ("demo", "Simulate two years, run everything, and show what came of it."),
    "dev": ("dev", "Start the Dagster UI with sensors and automation on."),
    "doctor": ("doctor", "Print what is configured, reachable and missing, with remedies."),
    "drill": ("drill.command", "Play faults on a copy of the home, and show what says so of each."),
    "endpoints": ("endpoints", "The online endpoint: POST /score on 127.0.0.1, kept running by a supervisor."),
    "explain": ("recommend", "Say why a customer's first recommendation is first, and what would turn it."),
    "ledger": ("files", "The load ledger: every version of every file, and what became of it."),
    "lineage": ("lineage", "Show which columns a column is made from, or what is made from it."),
    "models": ("models", "Models: approve or reject what training made."),
    "monitoring": ("monitoring", "Monitoring: accept a change as the new normal, undo that, list what was accepted."),
    "onboard": ("onboard", "Look at sample files of a new source, and propose how to declare them."),
    "prepare": ("prepare", "Prepare dbt's manifest, which the definitions are loaded from."),
    "quarantine": (
        "files",
        "Rows that could not be loaded, and files that are held: list, correct and release them.",
    ),
    "recall": ("recall", "Show what a wrong file reached, what is at stake, and what mends it."),
    "recommend": ("recommend", "Rank the products that a customer will want next."),
    "retract": ("files", "Take a file's rows out of the tables; the ledger says so."),
    "run": (
        "run_pass",
        "Process everything in the landing zone, once: load, build features, train if needed, recommend.",
    ),
    "scorecard": (
        "scorecard",
        "Show what a business unit delivered, how late, and what could not be taken up; or write it as a page to send to the unit.",
    ),
    "simulate": ("simulate", "Write a coffee chain's sales files, and beside them the truth about its customers."),
    "trace": (
        "trace",
        "Show where a prediction comes from, down to the files, or what a file, customer, model or campaign touched.",
    ),
}
"""By command: its module in this package, whose attribute of the same name it is, and the first sentence of its help."""


class LazyGroup(click.Group):
    """Lists commands by their first sentence; imports the one that is called."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The called command itself, instead of its entry in the list."""
        name, listed, rest = super().resolve_command(ctx, args)
        return name, loaded(name) if name and listed else listed, rest


def loaded(name: str) -> click.Command:
    """The command of this name, imported."""
    command: click.Command = getattr(import_module(f"globolatte_cli.{COMMANDS[name][0]}"), name.replace("-", "_"))
    return command


@click.group(
    cls=LazyGroup,
    commands=[click.Command(name, help=sentence) for name, (_, sentence) in COMMANDS.items()],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)
@click.version_option(package_name="globolatte")
def cli() -> None:
    """Sales files in, recommendations out.

    Settings come from environment variables GLOBOLATTE_*; `globolatte doctor` lists them.
    """


def main() -> None:
    """The console script's entry: known errors become one clear line."""
    try:
        cli(standalone_mode=False)
    except click.Abort:
        click.secho("Aborted.", fg="red", err=True)
        sys.exit(130)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except Exception as error:
        from globolatte_cli.errors import KNOWN_ERRORS, message_of  # imports Dagster; `--help` does not need it

        if not isinstance(error, KNOWN_ERRORS):
            raise
        click.secho(f"Error: {message_of(error)}", fg="red", err=True)
        sys.exit(1)


if __name__ == "__main__":
    main()
