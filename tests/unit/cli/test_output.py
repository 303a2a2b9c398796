"""What people read on a terminal: words and names as they are, whatever they look like."""

import ast
import datetime as dt
from pathlib import Path

import pytest

from globolatte_assets.monitoring.accepted_changes import Acceptance
from globolatte_cli import monitoring
from globolatte_cli.output import plain_console

CLI = Path(monitoring.__file__).parent
MARKED_UP = {"bench", "demo", "onboard", "simulate"}
"""These mark up what they print, and escape the rest; `output` makes the plain one."""
WORDS = "see [/ops/42] of [BU_MX]"
AT = dt.datetime(2024, 3, 2)  # noqa: DTZ001 - as the warehouse holds it


def test_people_s_words_in_the_list_of_acceptances_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    made = Acceptance("3f9a1c22", "weather", None, AT.date(), WORDS, "[b]Ana", AT)
    plain_console(width=200).print(monitoring.listed([made]))
    shown = capsys.readouterr().out
    assert WORDS in shown
    assert "[b]Ana" in shown


def test_commands_print_on_a_plain_console() -> None:
    own = {
        path.stem
        for path in CLI.glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Console"
    }
    assert own == {*MARKED_UP, "output"}
