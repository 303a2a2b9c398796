"""What commands print: JSON for programs, tables for people, and nothing of what libraries and child processes print meanwhile."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.table import Column

JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def print_json(value: object) -> None:
    """Prints for programs; times as ISO text."""
    Console().print_json(data=value, default=str)


def numbers(name: str) -> Column:
    """A table's column that is aligned to the right."""
    return Column(name, justify="right")


@contextmanager
def quiet(log_file: Path) -> Iterator[Console]:
    """Sends standard output and error of this process and its children to `log_file`; gives a console on the real one.

    Done on the file descriptors, so that C libraries and subprocesses are covered too.
    """
    log_file.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    terminal, error = os.dup(1), os.dup(2)
    log = os.open(log_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    stream = os.fdopen(os.dup(terminal), "w")
    try:
        os.dup2(log, 1)
        os.dup2(log, 2)
        yield Console(file=stream)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        stream.close()
        os.dup2(terminal, 1)
        os.dup2(error, 2)
        for descriptor in (terminal, error, log):
            os.close(descriptor)
