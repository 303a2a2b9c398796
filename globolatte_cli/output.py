"""Options that several commands share, and output: JSON for programs, tables for people, without what libraries and children print."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Column

JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")
BY = click.option("--by", required=True, help="Who decides.")
WHY = click.option("--why", required=True, help="Why, for the record.")


def print_json(value: object) -> None:
    """Prints for programs; times as ISO text."""
    Console().print_json(data=value, default=str)


def plain_console(**options: Any) -> Console:
    """A console that prints text as it is, in tables too: people's words and names of files may look like rich's markup, and would be
    swallowed, or end the command. What is marked up is printed with `markup=True`, and the rest of it escaped."""
    return Console(markup=False, **options)


def numbers(name: str) -> Column:
    """A table's column that is aligned to the right."""
    return Column(name, justify="right")


@contextmanager
def quiet(log_file: Path) -> Iterator[Console]:
    """Redirects standard output and error of this process and its children to `log_file`; yields a console on the real output.

    Done on the file descriptors, so that C libraries and subprocesses are covered too.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    with log_file.open("a") as log, os.fdopen(os.dup(1), "w") as terminal, os.fdopen(os.dup(2), "w") as error:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        try:
            yield plain_console(file=terminal)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            terminal.flush()
            os.dup2(terminal.fileno(), 1)
            os.dup2(error.fileno(), 2)
