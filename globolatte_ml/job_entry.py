"""The common parts of every `python -m globolatte_ml.…`: exit codes, the thread limit, messages to the caller.

Nothing heavy is imported here: the thread limit must be set before numpy is loaded.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

FAULT_IN_THE_INPUT = 2
THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def parser_of(module: str, description: str, **folders: str) -> argparse.ArgumentParser:
    """The command line of a module of this package, with the folders that it cannot do without, by what each is."""
    parser = argparse.ArgumentParser(prog=f"python -m globolatte_ml.{module}", description=description)
    for name, meaning in folders.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=Path, required=True, help=meaning)
    return parser


def write_json(file: Path, content: Mapping[str, Any]) -> None:
    """Writes a document for people and programs: indented, its names in order."""
    file.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def on_one_thread() -> None:
    """On shared cores, threads that wait for each other cost more than they bring."""
    for variable in THREAD_VARIABLES:
        os.environ[variable] = "1"


def say(sentence: str) -> None:
    """Prints a line for the process that started the job."""
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


def exit_code(work: Callable[[], object]) -> int:
    """0 when the work is done, 2 when its input cannot be used: the message says what to do."""
    from globolatte_ml.data.columns import InvalidDataError

    try:
        work()
    except InvalidDataError as error:
        sys.stderr.write(f"{error}\n")
        return FAULT_IN_THE_INPUT
    return 0
