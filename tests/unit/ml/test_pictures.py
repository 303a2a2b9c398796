"""A picture never stops the work: all are drawn in one guarded place, and one that cannot be drawn is a note."""

import ast
from pathlib import Path

import pytest

from globolatte_assets.pictures import png
from globolatte_ml.figures import picture
from globolatte_ml.segments.clustering import Evidence
from globolatte_ml.segments.plots import evidence_chart

ROOT = Path(__file__).parents[3]
DRAWING = [*ROOT.glob("globolatte_ml/*/plots.py"), ROOT / "globolatte_ml/scoring/regional.py"]


def functions_that_draw() -> set[str]:
    return {
        node.name
        for file in DRAWING
        for node in ast.parse(file.read_text()).body
        if isinstance(node, ast.FunctionDef) and isinstance(node.returns, ast.Name) and node.returns.id == "bytes"
    }


def calls(file: Path) -> set[str]:
    called = (node.func for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call))
    return {
        func.id if isinstance(func, ast.Name) else func.attr
        for func in called
        if isinstance(func, ast.Name | ast.Attribute)
    }


def test_no_picture_is_drawn_outside_of_the_guarded_place() -> None:
    drawing = functions_that_draw()
    assert {"evidence_chart", "regional_map", "reliability_diagram"} <= drawing
    files = [
        file
        for folder in ("globolatte_assets", "globolatte_ml", "globolatte_cli")
        for file in (ROOT / folder).rglob("*.py")
    ]
    assert {file.name: found for file in files if file not in DRAWING and (found := calls(file) & drawing)} == {}


def test_a_picture_that_cannot_be_drawn_is_a_note_that_says_why() -> None:
    def broken(_: int) -> bytes:
        raise ValueError("'yerr' must not contain\nnegative values")

    note = "this picture could not be drawn: ValueError: 'yerr' must not contain negative values)"
    assert picture("stability", broken, 1) == f"(stability: {note}"
    assert png(broken, 1).value == f"(broken: {note}"


def test_a_picture_is_markdown_that_holds_the_image() -> None:
    assert picture("x", lambda: b"\x89PNG") == "![x](data:image/png;base64,iVBORw==)"


@pytest.mark.parametrize("less", [0.0, 1e-17, -1e-17, 0.2])
def test_equal_stabilities_that_differ_in_the_last_digit_are_drawn(less: float) -> None:
    stability = 0.1 + 0.2
    one = Evidence(
        k=2, stability=stability - abs(less), stability_low=stability, silhouette=0.3, gap=0.1, gap_error=0.1
    )
    assert evidence_chart([one, one], 2).startswith(b"\x89PNG")
