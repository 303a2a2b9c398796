"""Whether a training for a cause had an effect: one case per rule."""

import datetime as dt
import json
from dataclasses import asdict

import pytest

from globolatte_assets.models.causes import (
    DRIFT,
    PERFORMANCE,
    Cause,
    Finding,
    as_text,
    causes_of,
    present_causes,
    tried_without_effect,
)
from globolatte_assets.models.trainings import Training

TRAINED_UNTIL = dt.date(2024, 3, 1)
AT = dt.datetime(2024, 3, 2)  # noqa: DTZ001 - as the warehouse holds it


def drift(value: float, column: str = "weather", scope: str = "chain") -> Cause:
    return Cause(DRIFT, scope, column, value, margin=0.1)


def loss(value: float) -> Cause:
    return Cause(PERFORMANCE, "chain", "", value, margin=0.1)


def window(day: int, *causes: Cause, kind: str = DRIFT, scope: str = "chain", broken: bool = False) -> Finding:
    """A window that ends so many days after the training's last sales."""
    return Finding(kind, scope, TRAINED_UNTIL + dt.timedelta(days=day), broken, causes)


def training(*causes: Cause, promoted: bool | None = False) -> Training:
    decided = None if promoted is None else AT
    text = json.dumps([asdict(cause) for cause in causes])
    return Training("run", "snapshot", TRAINED_UNTIL, AT, "2", promoted, "1", decided, text)


THERE = [window(0, drift(0.4)), window(21, drift(0.4))]


@pytest.mark.parametrize(
    ("findings", "trained", "expected"),
    [
        pytest.param(THERE, [], False, id="never trained"),
        pytest.param(THERE, [training(drift(0.4))], True, id="refused, and still there"),
        pytest.param(THERE[:1], [training(drift(0.4))], True, id="refused, and no window since"),
        pytest.param(THERE[1:], [training(drift(0.4), promoted=True)], True, id="promoted, and still there"),
        pytest.param(THERE, [training(drift(0.4), promoted=None)], False, id="cut off before its verdict"),
        pytest.param(THERE, [training(drift(0.4, "daypart"))], False, id="trained for another column"),
        pytest.param(THERE, [training(loss(1.5))], False, id="trained for the band"),
        pytest.param([window(21, drift(0.6))], [training(drift(0.4))], False, id="grown"),
        pytest.param([window(21, drift(0.45))], [training(drift(0.4))], True, id="about as strong"),
        pytest.param([window(21, drift(0.25))], [training(drift(0.4), promoted=True)], False, id="it helped somewhat"),
        pytest.param(
            [window(21), window(42, drift(0.4))], [training(drift(0.4))], False, id="gone in between, and back"
        ),
        pytest.param(
            [window(21, broken=True), window(42, drift(0.4))], [training(drift(0.4))], True, id="broken in between"
        ),
        pytest.param(
            [window(21, drift(0.4), drift(0.5, "main_product_id"))], [training(drift(0.4))], False, id="one more column"
        ),
        pytest.param(
            [window(21, drift(0.6))], [training(drift(0.4)), training(drift(0.6))], True, id="grown, and tried again"
        ),
    ],
)
def test_a_cause_was_tried_without_effect(findings: list[Finding], trained: list[Training], expected: bool) -> None:
    assert ((DRIFT, "chain") in tried_without_effect(findings, trained)) is expected


def test_a_log_loss_that_rose_further_is_a_new_cause() -> None:
    """As after a product launch that comes while the champion is below its band already."""
    trained = [training(loss(1.5))]
    for value, expected in ((1.55, True), (2.2, False)):
        findings = [window(21, loss(value), kind=PERFORMANCE)]
        assert ((PERFORMANCE, "chain") in tried_without_effect(findings, trained)) is expected


def test_the_sentence_names_cause_training_outcome_and_remedy() -> None:
    said = tried_without_effect(THERE, [training(drift(0.4))])[DRIFT, "chain"]
    assert said == (
        "weather of chain: the training on sales until 2024-03-01 for the same cause had no effect (its model was refused); it is not "
        "repeated before the cause changes; if the change is meant, `globolatte monitoring accept` says so."
    )


def test_a_training_records_what_is_there_in_the_latest_windows() -> None:
    findings = [
        window(-21, drift(0.9, "daypart")), window(0, drift(0.4)), window(0, loss(1.5), kind=PERFORMANCE),
        window(0, drift(0.3, scope="BU_CA"), scope="BU_CA"),
    ]  # fmt: skip
    begun = Training("run", "snapshot", TRAINED_UNTIL, AT, causes=as_text(findings))
    assert causes_of(begun) == [drift(0.4), loss(1.5), drift(0.3, scope="BU_CA")]
    assert present_causes([]) == {}


def test_a_training_of_an_earlier_release_has_tried_nothing_that_is_known() -> None:
    earlier = Training("run", "snapshot", TRAINED_UNTIL, AT, "2", False, "1", AT)
    assert causes_of(earlier) == []
    assert tried_without_effect(THERE, [earlier]) == {}
