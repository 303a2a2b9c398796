"""`globolatte run`: one headless pass. It calls the functions of the daemon's sensors, does what they request, and reports it."""

import time
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import click
import dagster as dg
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.spinner import Spinner
from rich.text import Text

from globolatte_assets.endpoints.rollout import lags_behind
from globolatte_assets.execution import PROCESS_TAG, as_tag, held
from globolatte_assets.jobs import (
    BUILD_FEATURES,
    CHECK_RAW_DATA,
    DEPLOY,
    INGEST_PREDICTION_LOG,
    INGEST_SALES,
    LOAD_REFERENCE_DATA,
    MEASURE_CAMPAIGNS,
    MONITOR,
    PROMOTE,
    RECOMMEND,
    RECORD_MISPLACED_FILES,
    TRAIN_MODEL,
)
from globolatte_assets.keys import PROMOTION
from globolatte_assets.metadata import load_report_of
from globolatte_assets.models.retraining import decide_retraining
from globolatte_assets.raw.reference_data import NEEDED_ASSETS
from globolatte_assets.tables import has_examples
from globolatte_cli.errors import UserError
from globolatte_cli.instance import open_instance
from globolatte_cli.output import plain_console, quiet
from globolatte_cli.prepare import ensure_manifest
from globolatte_ingest.discovery import LoadRange
from globolatte_ingest.load import LoadReport
from globolatte_ingest.waiting import Waiting
from resources.environment import clock_of, endpoint_of, landing_of, ml_of, predictions_of, states_of, warehouse_of
from resources.ml.ml_platform import CHAMPION
from resources.processes import this_process
from resources.settings.settings import Settings
from sensors.alerts import report_headless
from sensors.automation import HeadlessAutomation
from sensors.landing import REQUESTED_BY_A_PERSON, Backlog, listing_of, look, range_tags
from sensors.outstanding import latest_places, lost_work
from sensors.retraining import retraining_rules, training_is_under_way, training_situation
from sensors.run_health import fail_dead_runs, free_slots_of_finished_runs
from sensors.waiting import waiting_in

QUIET_CONSOLE = {"loggers": {"console": {"config": {"log_level": "INFO"}}}}

FLOW = (
    (LOAD_REFERENCE_DATA, "Reference data"),
    (BUILD_FEATURES, "Features (dbt)"),
    (MONITOR, "Drift and performance"),
    (TRAIN_MODEL, "Training, evaluation, promotion"),
    (MONITOR, "Drift and performance"),
    (RECOMMEND, "Recommendations"),
    (MEASURE_CAMPAIGNS, "Campaign results"),
)
"""The jobs whose assets automation requests, in the order in which data flows, each with its text for people. Whether to train is
decided after monitoring has evaluated the new data and before customers are scored; a new champion is compared at once."""


# What a pass did -------------------------------------------------------------------------------------------------------


@dataclass
class PassReport:
    """What a pass did, updated while it runs."""

    files_loaded: int = 0
    files_refused: list[tuple[str, str]] = field(default_factory=list)
    files_held: list[tuple[str, str]] = field(default_factory=list)
    rows_loaded: int = 0
    rows_quarantined: int = 0
    steps: list[tuple[str, float]] = field(default_factory=list)
    failed_checks: list[str] = field(default_factory=list)
    training_reason: str | None = None
    verdict: str | None = None
    complaints: list[str] = field(default_factory=list)
    """What went wrong: the pass ends with these, and as failed."""
    notes: list[str] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    """What waits for a person at the end of the pass, from this one or earlier ones."""

    def add(self, load: LoadReport) -> None:
        """Adds the counts of a load."""
        self.files_loaded += len(load.loaded)
        self.files_refused += load.refused
        self.files_held += load.held
        self.rows_loaded += load.rows_loaded
        self.rows_quarantined += load.rows_quarantined

    @property
    def did_nothing(self) -> bool:
        """Whether there was nothing to do."""
        return not self.steps and not self.complaints


def print_summary(console: Console, report: PassReport, seconds: float) -> None:
    """What the pass did, in a few lines, and what waits for a person."""
    if report.did_nothing:
        console.print(
            f"Nothing to do: everything in the landing zone is in the ledger. [dim]{seconds:.1f} s[/]", markup=True
        )
    else:
        console.print(
            f"{report.files_loaded:,} files loaded with {report.rows_loaded:,} rows; {report.rows_quarantined:,} rows quarantined; "
            f"{len(report.files_refused):,} files refused, {len(report.files_held):,} held. [dim]{seconds:.1f} s[/]",
            markup=True,
        )
    for path, reason in report.files_held[:10]:
        console.print(f"  held: {path}: {reason}", highlight=False, markup=False)
    for path, reason in report.files_refused[:10]:
        console.print(f"  refused: {path}: {reason}", highlight=False, markup=False)
    if report.verdict:
        console.print(f"Trained: {report.training_reason}", highlight=False, markup=False)
        console.print(report.verdict, highlight=False, markup=False)
    for check in report.failed_checks:
        console.print(f"  [yellow]check failed:[/] {escape(check)}", markup=True)
    for note in report.notes:
        console.print(note, highlight=False, markup=False)
    if report.waiting:
        console.print("Waiting for a person:")
    for text in report.waiting:
        console.print(f"  {text}", highlight=False, markup=False, soft_wrap=True)


def conclude(console: Console, report: PassReport, seconds: float) -> None:
    """Prints the summary of a pass. Raises `UserError` if something went wrong in it."""
    print_summary(console, report, seconds)
    if report.complaints:
        raise UserError("\n".join(report.complaints))


# The pass --------------------------------------------------------------------------------------------------------------


class Pass:
    """One pass: finds what is requested, does it, and counts the results."""

    def __init__(self, settings: Settings, instance: dg.DagsterInstance, console: Console) -> None:
        self.settings, self.instance, self.console = settings, instance, console
        self.clock, self.landing = clock_of(settings), landing_of(settings)
        self.warehouse, self.ml = warehouse_of(settings), ml_of(settings)
        self.endpoint, self.predictions = endpoint_of(settings), predictions_of(settings)
        self.states = states_of(settings)
        self.report = PassReport()
        self._found_behind: dict[dg.AssetKey, int] = {}

    @cached_property
    def definitions(self) -> dg.Definitions:
        """The graph; loading it needs dbt's manifest."""
        from definitions import defs

        return defs

    @cached_property
    def automation(self) -> HeadlessAutomation:
        """The automation conditions and their cursor."""
        return HeadlessAutomation(self.definitions, self.instance, self.settings.home / "automation_cursor.json")

    def look(self) -> Backlog:
        """What is to be done for the landing zone."""
        listing = listing_of(self.landing)
        return look(self.instance, self.settings, listing, self.warehouse, self.clock, REQUESTED_BY_A_PERSON)

    def run(self, backlog: Backlog) -> PassReport:
        """Does everything that can be done; `backlog` is what a look found. What failed is among the report's complaints."""
        try:
            if self.endpoint.bring_back():
                self.report.notes.append("The online endpoint is declared and did not run; it is started again.")
            self._load(backlog)
            self._follow()
            if self.ml.model(CHAMPION) is None:
                self._explain_no_champion()
            if lags_behind(self.endpoint, self.ml.model(CHAMPION)):
                self._try(DEPLOY, "Champion behind the endpoint")
            if (
                self.predictions.finished() or self.predictions.days is not None
            ):  # answers are forgotten without new ones, too
                self._try(INGEST_PREDICTION_LOG, "Prediction log")
        except UserError as error:
            self.report.complaints.append(str(error))
        self.report.waiting = [item.text for item in self.what_waits()]
        return self.report

    def send_alerts(self) -> None:
        """Posts the incidents that are new, also those by which the pass ended. What cannot be sent is a note."""
        not_sent = report_headless(self.instance, self.settings, self.warehouse, self.landing, self.clock)
        if not_sent:
            self.report.notes.append(not_sent)

    def what_waits(self) -> list[Waiting]:
        """What waits for a person now."""
        listing = listing_of(self.landing)
        return waiting_in(self.settings, self.warehouse, self.landing, self.ml, self.clock, listing)

    def _try(
        self,
        job: str,
        label: str,
        tags: Mapping[str, str] | None = None,
        assets: Collection[dg.AssetKey] | None = None,
    ) -> dg.ExecuteInProcessResult | None:
        """Runs a job. If it fails that is a complaint, and the pass goes on: what fails stops itself, not the others."""
        try:
            return self.job(job, label, tags, assets=assets)
        except UserError as error:
            self.report.complaints.append(str(error))
            return None

    def _load(self, backlog: Backlog) -> None:
        """Does what the landing sensor would request: reference data first, since sales are validated with it."""
        never_loaded = len(latest_places(self.instance, NEEDED_ASSETS)) < len(NEEDED_ASSETS)
        if backlog.pending.reference or never_loaded:
            self._try(LOAD_REFERENCE_DATA, "Reference data")
        if backlog.pending.misplaced:
            self._try(RECORD_MISPLACED_FILES, f"{len(backlog.pending.misplaced)} misplaced files")
            self.report.files_refused += [(item.file.path, item.reason) for item in backlog.pending.misplaced]
        if backlog.pending.reference or backlog.pending.misplaced:
            backlog = self.look()
        for load in backlog.loads:
            if load not in backlog.without_reference_data:
                try:
                    self.ingest(load)
                except UserError as error:  # of this unit; the others go on
                    self.report.complaints.append(str(error))
        if backlog.without_reference_data:
            folders = ", ".join(load.folder for load in backlog.without_reference_data)
            self.report.complaints.append(
                f"the sales of {folders} are not loaded: reference/business_units.csv has no unit of that folder, or "
                "reference/products.csv is missing; complete them and run again"
            )

    def ingest(self, load: LoadRange) -> None:
        """Loads a unit's range of dates, and does the steps requested for it."""
        days = (load.last - load.first).days + 1
        label = (
            f"Sales {load.folder}: {len(load.files):,} files"
            if load.files
            else f"Sales {load.folder}: reporting {days} days"
        )
        result = self.job(INGEST_SALES, label, range_tags(load))
        for check in result.get_asset_check_evaluations():
            report = load_report_of(check.metadata)
            if report is not None:
                self.report.add(report)

    def _follow(self) -> None:
        """Does what the automation, run-health and retraining sensors would request, until nothing is requested any more."""
        pending = self._requested()
        while True:
            before = len(self.report.steps)
            for job, label in FLOW:
                if job == TRAIN_MODEL:
                    if self._train_if_needed(label):
                        pending |= self._requested()
                elif keys := pending & self._assets_of(job):
                    pending -= keys
                    self._make(job, label, keys)
            if unknown := pending.difference(*(self._assets_of(job) for job, _ in FLOW)):
                names = ", ".join(sorted(key.to_user_string() for key in unknown))
                raise RuntimeError(f"automation requests {names}, which no job of FLOW makes")
            if not pending and len(self.report.steps) == before:
                return
            pending |= self._requested()

    def _requested(self) -> set[dg.AssetKey]:
        """The assets that follow new data or are behind their inputs; also evaluates requested checks at once.

        An asset that is behind is requested once for each state of its inputs. If making it again does not help, the pass ends.
        """
        requested = self.automation.evaluate()
        if requested.checks:
            self._check()
        behind = lost_work(
            self.definitions.resolve_asset_graph(),
            self.instance,
            self.settings,
            self.warehouse,
            self.ml,
            self.states,
        )
        lost = {key for key, newest in behind.items() if self._found_behind.get(key) != newest}
        self._found_behind.update(behind)
        return {key for key in requested.assets if self._can_be_made(key, requested.assets)} | lost

    def _can_be_made(self, key: dg.AssetKey, requested: Collection[dg.AssetKey]) -> bool:
        """Whether an asset needs no champion or there is one. Needed because a verdict without a promotion also counts as new data."""
        graph = self.definitions.resolve_asset_graph()
        if self.ml.model(CHAMPION) is not None:
            return True
        inputs = graph.get(key).parent_keys
        return PROMOTION not in inputs and all(self._can_be_made(one, requested) for one in inputs if one in requested)

    def _assets_of(self, job: str) -> set[dg.AssetKey]:
        """The assets that a job makes."""
        return set(self.definitions.resolve_job_def(job).asset_layer.selected_asset_keys)

    def _make(self, job: str, label: str, keys: set[dg.AssetKey]) -> None:
        """Makes these assets of a job. If that fails the pass goes on with what it has, but not without features, which all others need."""
        if job == BUILD_FEATURES:
            self.job(job, label, assets=keys)
        else:
            self._try(job, label, assets=keys)

    def _train_if_needed(self, label: str) -> bool:
        """Trains if the decision says so, at most once in a pass; returns whether it did."""
        if self.report.training_reason is not None or training_is_under_way(self.instance):
            return False
        situation = training_situation(self.instance, self.warehouse, self.ml)
        decision = decide_retraining(situation, retraining_rules(self.settings))
        if not decision.retrain:
            note = f"Not trained: {decision.reason}" if situation.broken else decision.not_repeated
            if note is not None and note not in self.report.notes:
                self.report.notes.append(note)
            return False
        self.report.training_reason = decision.reason
        result = self._try(TRAIN_MODEL, label)
        if result is None:
            return False
        metadata = result.asset_materializations_for_node(PROMOTION.to_python_identifier())[0].metadata
        self.report.verdict = str(metadata["reasons"].value)
        return True

    def _explain_no_champion(self) -> None:
        """Says why nothing can be recommended, unless a failure says so already."""
        if training_is_under_way(self.instance):
            self.report.notes.append("Another pass is training; recommendations come with its model.")
        elif self.report.verdict is not None:
            self.report.complaints.append(
                f"nothing can be recommended: the first model was refused:\n{self.report.verdict}"
            )
        elif not has_examples(self.warehouse):
            self.report.complaints.append("no sales are loaded, so there is nothing to train on or to recommend")
        elif not self.report.complaints:
            self.report.complaints.append(
                "nothing can be recommended: the first model was refused; see the asset models/promotion for the reasons"
            )

    def _check(self) -> None:
        """Evaluates the checks of raw data and reports errors; warnings are only shown in the UI."""
        result = self._execute(CHECK_RAW_DATA)
        if not result.success:  # a check that cannot be made stops no work
            fault = _failure(CHECK_RAW_DATA, result, self.settings)
            self.report.complaints += [fault] if fault not in self.report.complaints else []
        self.report.failed_checks += [
            f"{check.asset_key.to_user_string()}: {check.check_name}"
            for check in result.get_asset_check_evaluations()
            if not check.passed and check.severity is dg.AssetCheckSeverity.ERROR
        ]

    def job(
        self,
        name: str,
        label: str,
        tags: Mapping[str, str] | None = None,
        config: Mapping[str, Any] | None = None,
        assets: Collection[dg.AssetKey] | None = None,
    ) -> dg.ExecuteInProcessResult:
        """Runs a job, or these `assets` of it, to its end, with progress; `config`: the configuration of its assets by node.

        Raises `UserError` with what failed and why.
        """
        started = time.monotonic()
        with self._spinning(label):
            result = self._execute(name, tags, config, assets)
        seconds = time.monotonic() - started
        mark = "[green]✓[/]" if result.success else "[red]✗[/]"
        self.console.print(f"{mark} {escape(label)} [dim]{seconds:.1f} s[/]", markup=True)
        if not result.success:
            raise UserError(_failure(name, result, self.settings))
        self.report.steps.append((label, seconds))
        self.report.failed_checks += [
            f"{check.asset_key.to_user_string()}: {check.check_name}"
            for check in result.get_asset_check_evaluations()
            if not check.passed
        ]
        return result

    def _execute(
        self,
        name: str,
        tags: Mapping[str, str] | None = None,
        config: Mapping[str, Any] | None = None,
        assets: Collection[dg.AssetKey] | None = None,
    ) -> dg.ExecuteInProcessResult:
        run_id = str(uuid.uuid4())
        with held(self.instance, run_id):
            return self.definitions.resolve_job_def(name).execute_in_process(
                instance=self.instance,
                asset_selection=sorted(assets) if assets is not None else None,
                tags={**(tags or {}), PROCESS_TAG: as_tag(this_process())},
                run_config={**QUIET_CONSOLE, **({"ops": config} if config else {})},
                raise_on_error=False,
                run_id=run_id,
            )

    @contextmanager
    def _spinning(self, label: str) -> Iterator[None]:
        if self.console.is_terminal:
            with Live(Spinner("dots", text=Text(label)), console=self.console, transient=True):
                yield
        else:
            self.console.print(f"· {label}")
            yield


def _failure(job: str, result: dg.ExecuteInProcessResult, settings: Settings) -> str:
    """What failed and why: the message of the first step that failed."""
    for event in result.all_events:
        if event.is_step_failure and event.step_failure_data.error is not None:
            error = event.step_failure_data.error
            cause = error.cause.message if error.cause is not None else error.message
            own = event.step_failure_data.user_failure_data
            text = own.description if own is not None and own.description else cause
            return f"{job}, step {event.step_key}: {text.strip()}\nThe whole log: {_log_file(settings)}"
    return f"{job} failed; see {_log_file(settings)}"


def _log_file(settings: Settings) -> Path:
    return settings.home / "logs" / "run.log"


# The commands ----------------------------------------------------------------------------------------------------------


@contextmanager
def opened_pass(settings: Settings) -> Iterator[Pass]:
    """A pass over this deployment. First cleans up what a killed pass left."""
    ensure_manifest()
    with open_instance(settings) as instance, quiet(_log_file(settings)) as console:
        dead = fail_dead_runs(instance)
        free_slots_of_finished_runs(instance)
        if dead:
            console.print(
                f"[yellow]{len(dead)} runs of an earlier process that was killed are marked failed; taking up from there[/]",
                markup=True,
            )
        yield Pass(settings, instance, console)


def execute_pass(settings: Settings) -> PassReport:
    """Runs one pass and prints its steps; give its report to `conclude`. Raises `UserError` if nothing can be done."""
    with opened_pass(settings) as one:
        try:
            backlog = one.look()
            has_reference_data = one.warehouse.read("sales_data.business_units", ["folder"]).num_rows
            if not backlog.pending.reference and not has_reference_data:
                raise UserError(_nothing_to_start_with(one))
            return one.run(backlog)
        finally:
            one.send_alerts()


def _nothing_to_start_with(one: Pass) -> str:
    """Why no unit is known: nothing has landed, or the reference data that landed were refused."""
    files = sum(1 for _ in one.landing.files())
    state = f"has {files:,} files, but no business unit is known yet" if files else "is empty"
    return "\n".join(
        [
            f"the landing zone ({one.landing.describe()}) {state}: put reference/business_units.csv, products.csv and "
            "customers.csv and your sales files into it, or try `globolatte demo`",
            *(item.text for item in one.what_waits()),
        ]
    )


def deploy(settings: Settings) -> None:
    """Deploys the champion to the online endpoint, with progress. Raises `UserError` if that fails."""
    run_job(settings, DEPLOY, "Champion behind the endpoint")


def promote(settings: Settings) -> None:
    """Makes the verdict on the challenger again, with progress. Raises `UserError` if that fails."""
    run_job(settings, PROMOTE, "Verdict on the challenger")


def run_job(settings: Settings, job: str, label: str) -> None:
    """Runs one job to its end, with progress. Raises `UserError` if it fails."""
    ensure_manifest()
    with open_instance(settings) as instance, quiet(_log_file(settings)) as console:
        Pass(settings, instance, console).job(job, label)


@click.command()
def run() -> None:
    """Process everything in the landing zone, once: load, build features, train if needed, recommend."""
    settings = Settings()
    started = time.monotonic()
    report = execute_pass(settings)
    conclude(plain_console(), report, time.monotonic() - started)
