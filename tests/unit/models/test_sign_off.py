"""Manual approval of a model: stored in sequence, bound to the content it was given for, and never a way around a gate."""

import json
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner

from globolatte_assets.models.promotion import waits_for_sign_off
from globolatte_assets.models.sign_off import SignOff, record_sign_off, signed, stored_sign_off
from globolatte_cli.main import cli
from globolatte_ml.model.metrics import Metrics
from globolatte_ml.training.evaluation import POPULARITY, Evaluation
from globolatte_ml.training.promotion import Verdict
from globolatte_ml.training.proofs import Proofs
from resources.clock import Clock
from resources.ml.ml_platform import CHALLENGER, ModelVersion
from tests.builders import NOW, warehouse_in

VERSION = ModelVersion("3", "abc", "snapshot", "job", Path())
PASSED, FAILED = Verdict(True, ("Passed: a gate.",)), Verdict(False, ("Failed: a gate.",))
YES, NO = SignOff(True, "Ana", "looks right"), SignOff(False, "Ben", "wrong week")


@pytest.mark.parametrize(
    ("verdict", "sign_off", "wanted", "promoted", "says"),
    [
        (PASSED, None, False, True, "a gate"),
        (PASSED, None, True, False, "nobody has given it yet (`globolatte models approve 3"),
        (PASSED, YES, True, True, "Passed: sign-off: Ana approved it: looks right"),
        (PASSED, YES, False, True, "Ana approved"),
        (PASSED, NO, False, False, "Failed: sign-off: Ben rejected it: wrong week"),
        (FAILED, YES, True, False, "Ana approved"),
    ],
)
def test_the_effect_of_a_decision_on_the_verdict(verdict, sign_off, wanted, promoted, says) -> None:
    after = signed(verdict, sign_off, VERSION, wanted=wanted)
    assert after.promoted is promoted
    assert says in "\n".join(after.reasons)
    assert after.reasons[0] == verdict.reasons[0]


def test_the_latest_decision_on_the_same_content_counts(tmp_path: Path) -> None:
    warehouse = warehouse_in(tmp_path)
    assert stored_sign_off(warehouse, VERSION) is None
    record_sign_off(warehouse, VERSION, NO, Clock(fixed_at=NOW.isoformat()))
    record_sign_off(warehouse, VERSION, YES, Clock(fixed_at=NOW.replace(year=NOW.year + 1).isoformat()))
    assert stored_sign_off(warehouse, VERSION) == YES
    assert warehouse.read("ml.sign_offs").num_rows == 2
    assert stored_sign_off(warehouse, ModelVersion("3", "other", "snapshot", "job", Path())) is None


def test_a_version_that_nobody_knows_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOBOLATTE_HOME", str(tmp_path))
    result = CliRunner().invoke(cli, ["models", "approve", "9", "--by", "Ana", "--why", "why not"])
    assert "neither challenger nor champion (these are: none yet)" in str(result.exception)


class Registry:
    """A registry with a challenger and no champion."""

    def model(self, alias: str) -> ModelVersion | None:
        return VERSION if alias == CHALLENGER else None


@pytest.mark.parametrize("passes", [True, False])
def test_a_model_that_passed_every_gate_waits_for_approval_until_somebody_decides(
    tmp_path: Path, *, passes: bool
) -> None:
    warehouse = warehouse_in(tmp_path)
    assert waits_for_sign_off(warehouse, Registry()) is None, "it was not evaluated"
    metrics = {POPULARITY: Metrics(1.7, 0.3, 0.6, 0.01)}
    evaluation = Evaluation(
        model_version="3",
        holdout_id="h",
        training_orders=7000,
        holdout_orders=1000,
        holdout_from="2023-10-01",
        holdout_to="2023-12-31",
        n_products=6,
        model=Metrics(1.2 if passes else 1.8, 0.5, 0.8, 0.01),
        baselines=metrics,
        gain_over_popularity=None,
        by_business_unit={},
        by_season={},
        by_history={},
        reliability=(),
        proofs=Proofs(8000, True, 300, 0, 400.0, 900_000),
    )
    row = {"model_version": "3", "snapshot": "snapshot", "holdout_orders": 1000, "evaluated_at": NOW}
    text = json.dumps(evaluation.as_dict())
    warehouse.replace("ml.evaluations", pa.Table.from_pylist([{**row, "evaluation": text}]), {"model_version": "3"})
    line = waits_for_sign_off(warehouse, Registry())
    assert (line is not None) is passes
    if line is not None:
        assert "globolatte models approve 3 --by NAME --why REASON" in line
    record_sign_off(warehouse, VERSION, NO, Clock(fixed_at=NOW.isoformat()))
    assert waits_for_sign_off(warehouse, Registry()) is None
