"""What fails in a pass stops itself, not the others; what waits for a person is said at the end of every pass."""

import datetime as dt
import io
from collections.abc import Collection, Mapping
from typing import Any

import dagster as dg
import pytest
from rich.console import Console

from globolatte_assets.jobs import (
    CHECK_RAW_DATA,
    INGEST_SALES,
    LOAD_REFERENCE_DATA,
    RECORD_MISPLACED_FILES,
    TRAIN_MODEL,
)
from globolatte_assets.models.retraining import TrainingSituation
from globolatte_cli import run_pass
from globolatte_cli.errors import UserError
from globolatte_cli.run_pass import Pass, PassReport, _nothing_to_start_with, conclude
from globolatte_ingest.waiting import Waiting
from tests.builders import Deployment, csv, deliver, line, load, sales_path


class PassThatFails(Pass):
    """A pass in which the jobs that `failing` names fail, with or without a unit; the others only count."""

    def __init__(self, there: Deployment, failing: Collection[str]) -> None:
        super().__init__(there.settings, there.instance, Console(quiet=True))
        self.definitions, self.failing, self.did = there.definitions, failing, list[str]()

    def job(
        self,
        name: str,
        label: str,
        tags: Mapping[str, str] | None = None,
        config: Mapping[str, Any] | None = None,
        assets: Collection[dg.AssetKey] | None = None,
    ) -> Any:
        unit = (tags or {}).get("dagster/asset_partition_range_start", "").partition("|")[0]
        self.did.append(f"{name} {unit}".strip())
        if self.did[-1] in self.failing:
            raise UserError(f"{self.did[-1]} broke off")
        self.report.steps.append((label, 0.0))
        return _Nothing()

    def _follow(self) -> None:
        """Nothing follows: what is tested comes before."""


class _Nothing:
    """The result of a job that reported no check."""

    def get_asset_check_evaluations(self) -> list[dg.AssetCheckEvaluation]:
        return []


def printed(report: PassReport) -> str:
    console = Console(file=io.StringIO(), width=300)
    try:
        conclude(console, report, 1.0)
    except UserError as error:
        console.print(f"Error: {error}", markup=False)
    return str(console.file.getvalue())


def sell(there: Deployment, folder: str, unit: str) -> None:
    deliver(there.landing, sales_path(folder=folder), csv(line(1, business_unit=unit)))


def test_a_unit_whose_load_fails_stops_no_other(ready: Deployment) -> None:
    for folder, unit in (("canada", "BU_CA"), ("mexico", "BU_MX"), ("usa", "BU_US")):
        sell(ready, folder, unit)
    one = PassThatFails(ready, ["ingest_sales mexico"])
    report = one.run(one.look())
    assert [did for did in one.did if did.startswith(INGEST_SALES)] == [
        "ingest_sales canada",
        "ingest_sales mexico",
        "ingest_sales usa",
    ]
    assert "ingest_sales mexico broke off" in report.complaints
    assert "Error: ingest_sales mexico broke off" in printed(report)


def test_a_first_pass_without_a_known_unit_says_what_lies_there_and_what_was_refused(deployed: Deployment) -> None:
    one = PassThatFails(deployed, [])
    deployed.settings.landing_folder.mkdir(parents=True)
    assert "is empty: put reference/business_units.csv" in _nothing_to_start_with(one)
    deliver(deployed.landing, "reference/business_units.csv", b"unit\nBU_US\n")
    sell(deployed, "usa", "BU_US")
    assert not deployed.run(LOAD_REFERENCE_DATA).success
    said = _nothing_to_start_with(one)
    assert "has 2 files, but no business unit is known yet" in said
    assert "reference/business_units.csv is refused: " in said


def test_a_check_that_cannot_be_made_stops_no_work(ready: Deployment) -> None:
    @dg.asset_check(asset="sales")
    def broken() -> dg.AssetCheckResult:
        raise RuntimeError("the disk is full")

    one = Pass(ready.settings, ready.instance, Console(quiet=True))
    checks = dg.AssetSelection.checks(dg.AssetCheckKey(dg.AssetKey("sales"), "broken"))
    one.definitions = dg.Definitions(asset_checks=[broken], jobs=[dg.define_asset_job(CHECK_RAW_DATA, checks)])
    for _ in range(2):
        one._check()
    assert len(one.report.complaints) == 1
    assert "the disk is full" in one.report.complaints[0]


def test_a_refused_reference_file_stops_no_sales(ready: Deployment) -> None:
    deliver(ready.landing, "reference/products.csv", b"broken")
    sell(ready, "usa", "BU_US")
    one = PassThatFails(ready, [LOAD_REFERENCE_DATA])
    report = one.run(one.look())
    assert one.did[:2] == [LOAD_REFERENCE_DATA, "ingest_sales usa"]
    assert report.complaints[0] == f"{LOAD_REFERENCE_DATA} broke off"


def test_a_pass_that_loaded_nothing_trains_nothing_and_says_why(ready: Deployment) -> None:
    for number in range(3):
        deliver(ready.landing, sales_path(date=dt.date(2019, 5, 1) + dt.timedelta(number)), csv(line(1)))
    assert ready.run(RECORD_MISPLACED_FILES).success
    one = Pass(ready.settings, ready.instance, Console(quiet=True))
    one.definitions = ready.definitions
    assert not one._train_if_needed("Training")
    one._explain_no_champion()
    one.report.waiting = [item.text for item in one.what_waits()]
    said = printed(one.report)
    assert "3 files lie before GLOBOLATTE_FIRST_BUSINESS_DATE (2022-01-01), the earliest of 2019-05-01" in said
    assert "Error: no sales are loaded, so there is nothing to train on or to recommend" in said


def test_a_pass_says_once_what_is_not_trained_for_again(ready: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    situation = TrainingSituation(
        has_examples=True,
        has_champion=True,
        chain_is_complete=True,
        drift={"chain": ["drifted", "drifted"]},
        tried={("drift", "chain"): "weather of chain: no effect."},
    )
    monkeypatch.setattr(run_pass, "training_situation", lambda *_: situation)
    one = Pass(ready.settings, ready.instance, Console(quiet=True))
    for _ in range(2):
        assert not one._train_if_needed("Training")
    assert printed(one.report).count("Not trained again: weather of chain: no effect.") == 1


def test_a_pass_beside_one_that_trains_says_so(ready: Deployment) -> None:
    job = ready.definitions.resolve_job_def(TRAIN_MODEL)
    ready.instance.create_run_for_job(job, status=dg.DagsterRunStatus.STARTED)
    one = PassThatFails(ready, [])
    one._explain_no_champion()
    assert one.report.complaints == []
    assert "Another pass is training" in printed(one.report)


@pytest.mark.parametrize("did_something", [True, False])
def test_what_waits_is_said_at_the_end_of_every_pass(ready: Deployment, *, did_something: bool) -> None:
    bad = csv(*(line(number, quantity="x") for number in range(5)))
    load(ready.warehouse, ready.landing, deliver(ready.landing, sales_path(), bad), max_bad_share=0.2)
    one = PassThatFails(ready, [])
    items = one.what_waits()
    assert [isinstance(item, Waiting) and item.name for item in items] == ["held usa"]
    report = PassReport(waiting=[item.text for item in items])
    if did_something:
        report.steps.append(("Sales", 1.0))
    assert "Waiting for a person:\n  usa: 1 file held of 2022-01-31" in printed(report)
