from __future__ import annotations

import pytest

from globolatte_ml.training import plots
from globolatte_ml.training.evaluation import evaluate_model
from globolatte_ml.training.training_job import train_and_evaluate

FIGURES = [plots.baseline_chart, plots.reliability_diagram, plots.log_loss_by_group]


def width(png):
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    return int.from_bytes(png[16:20], "big")


@pytest.mark.parametrize("draw", FIGURES)
def test_figures_are_png_of_about_700_pixels(draw, model, snapshot):
    assert 650 <= width(draw(evaluate_model(model, snapshot))) <= 800


@pytest.mark.parametrize("draw", FIGURES)
def test_figures_can_be_drawn_without_a_holdout(draw, build, read):
    assert width(draw(train_and_evaluate(read(build.chain(n_orders=1))).evaluation)) > 0


@pytest.mark.parametrize("draw", FIGURES)
def test_figures_can_be_drawn_for_one_product(draw, build, read):
    assert width(draw(train_and_evaluate(read(build.chain(n_orders=60, n_products=1))).evaluation)) > 0
