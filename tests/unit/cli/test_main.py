"""The list of commands, and what it costs to show it."""

import subprocess
import sys

import click
import pytest

from globolatte_cli.main import COMMANDS, cli, loaded

HEAVY = ("dagster", "pyarrow", "duckdb", "mlflow", "sklearn", "azure.ai.ml", "snowflake.connector")


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_a_command_is_listed_by_the_first_sentence_of_its_own_help(name: str) -> None:
    command = loaded(name)
    assert command.name == name
    assert cli.commands[name].get_short_help_str(limit=1_000) == command.get_short_help_str(limit=1_000)


def test_a_called_command_is_the_one_that_does_it() -> None:
    found, command, rest = cli.resolve_command(click.Context(cli), ["ledger", "list"])
    assert (found, command, rest) == ("ledger", loaded("ledger"), ["list"])


def test_the_list_of_commands_is_shown_without_the_libraries_that_commands_need() -> None:
    script = (
        "import sys; from globolatte_cli.main import main; sys.argv = ['globolatte', '--help']\n"
        "try: main()\n"
        f"finally: print([name for name in {HEAVY} if name in sys.modules], file=sys.stderr)"
    )
    shown = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert "simulate" in shown.stdout
    assert shown.stderr.strip() == "[]"
