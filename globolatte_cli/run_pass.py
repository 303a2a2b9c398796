"""`globolatte run`: one headless pass over whatever lies in the landing zone, through the same jobs that the sensors start."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner

from globolatte_cli.errors import UserError
from globolatte_cli.instance import open_instance
from globolatte_cli.output import quiet
from globolatte_cli.pass_report import PassReport, print_summary
from globolatte_cli.prepare import ensure_manifest
from resources.settings.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

    from globolatte_ingest.discovery import LoadRange
    from sensors.landing import Backlog

QUIET_CONSOLE = {"loggers": {"console": {"config": {"log_level": "INFO"}}}}


class Pass:
    """One pass: it looks, asks the jobs for what is missing, and keeps count."""

    def __init__(self, settings: Settings, instance: "dg.DagsterInstance", console: Console) -> None:
        from resources.environment import (
            clock_of,
            endpoint_of,
            landing_of,
            ml_of,
            predictions_of,
            states_of,
            warehouse_of,
        )

        self.settings, self.instance, self.console = settings, instance, console
        self.clock, self.landing = clock_of(settings), landing_of(settings)
        self.warehouse, self.ml = warehouse_of(settings), ml_of(settings)
        self.endpoint, self.predictions = endpoint_of(settings), predictions_of(settings)
        self.states = states_of(settings)
        self.report = PassReport()

    @cached_property
    def definitions(self) -> "dg.Definitions":
        """The graph. Importing it takes longer than finding that there is nothing to do in the landing zone."""
        from definitions import defs

        return defs

    def look(self) -> "Backlog":
        """What is to be done in the landing zone."""
        from sensors.landing import ASKED_BY_A_PERSON, listing_of, look

        listing = listing_of(self.landing)
        return look(self.instance, self.settings, listing, self.warehouse, self.clock, ASKED_BY_A_PERSON)

    def run(self, backlog: "Backlog") -> PassReport:
        """Everything that is to be done, in the order in which data flows; `backlog` is what a look found."""
        from globolatte_assets.jobs import (
            BUILD_FEATURES,
            INGEST_PREDICTION_LOG,
            LOAD_REFERENCE_DATA,
            RECOMMEND,
            RECORD_MISPLACED_FILES,
        )

        if backlog.pending.reference or self._is_stale(LOAD_REFERENCE_DATA):
            self.job(LOAD_REFERENCE_DATA, "Reference data")
        if backlog.pending.misplaced:
            self.job(RECORD_MISPLACED_FILES, f"{len(backlog.pending.misplaced)} misplaced files")
            self.report.files_refused += [(item.file.path, item.reason) for item in backlog.pending.misplaced]
        if backlog.pending.reference or backlog.pending.misplaced:
            backlog = self.look()
        for load in backlog.loads:
            if load not in backlog.without_reference_data:
                self.ingest(load)
        if self._is_stale(BUILD_FEATURES):
            self.job(BUILD_FEATURES, "Features (dbt)")
        self._watch_the_champion()
        if self._train_if_needed():
            self._watch_the_champion()
        if (self._is_stale(RECOMMEND) or not self.states.is_published) and self._has_champion():
            self.job(RECOMMEND, "Recommendations")
        self._serve_the_champion()
        self._measure_campaigns()
        if self.predictions.finished():
            self.job(INGEST_PREDICTION_LOG, "Prediction log")
        if backlog.without_reference_data:
            folders = ", ".join(load.folder for load in backlog.without_reference_data)
            self.report.complaints.append(
                f"the sales of {folders} are not loaded: reference/business_units.csv has no unit of that folder, or "
                "reference/products.csv is missing; complete them and run again"
            )
        return self.report

    def _watch_the_champion(self) -> None:
        """Judges new windows. Where that fails, the rest of the pass goes on: customers wait for recommendations, not for reports."""
        from globolatte_assets.jobs import MONITOR
        from resources.ml.ml_platform import CHAMPION

        if self.ml.model(CHAMPION) is None or not self._is_stale(MONITOR, asks_failed_checks=False):
            return
        try:
            self.job(MONITOR, "Drift and performance")
        except UserError as error:
            self.report.complaints.append(str(error))

    def _train_if_needed(self) -> bool:
        """Trains if the decision says so; whether it did."""
        from globolatte_assets.jobs import TRAIN_MODEL
        from globolatte_assets.keys import PROMOTION
        from globolatte_assets.models.retraining import decide_retraining
        from sensors.retraining import retraining_rules, training_is_under_way, training_situation

        if training_is_under_way(self.instance):
            return False
        decision = decide_retraining(training_situation(self.instance, self.ml), retraining_rules(self.settings))
        if not decision.retrain:
            return False
        self.report.training_reason = decision.reason
        result = self.job(TRAIN_MODEL, "Training, evaluation, promotion")
        metadata = result.asset_materializations_for_node(PROMOTION.to_python_identifier())[0].metadata
        self.report.verdict = str(metadata["reasons"].value)
        return True

    def _serve_the_champion(self) -> None:
        """An endpoint that serves another model than the champion gets it; one that is empty or stopped is left alone."""
        from globolatte_assets.endpoints.blue_green import lags_behind
        from globolatte_assets.jobs import DEPLOY
        from resources.ml.ml_platform import CHAMPION

        if lags_behind(self.endpoint, self.ml.model(CHAMPION)):
            self.job(DEPLOY, "Champion behind the endpoint")

    def _measure_campaigns(self) -> None:
        """Campaigns are made when someone asks for one; what they brought follows the data."""
        from globolatte_assets.jobs import MEASURE_CAMPAIGNS
        from globolatte_assets.keys import CAMPAIGN_AUDIENCES
        from sensors.retraining import latest_materialization

        if latest_materialization(self.instance, CAMPAIGN_AUDIENCES) is not None and self._is_stale(MEASURE_CAMPAIGNS):
            self.job(MEASURE_CAMPAIGNS, "Campaign results")

    def _has_champion(self) -> bool:
        from sensors.retraining import training_situation

        has_champion = training_situation(self.instance, self.ml).has_champion
        if not has_champion:
            reasons = (
                f":\n{self.report.verdict}"
                if self.report.verdict
                else "; see the asset models/promotion for the reasons"
            )
            self.report.complaints.append(f"nothing can be recommended: the first model was refused{reasons}")
        return has_champion

    def ingest(self, load: "LoadRange") -> None:
        """Loads a unit's range of dates, and does what people asked for of it."""
        from globolatte_assets.jobs import INGEST_SALES
        from globolatte_assets.metadata import load_report_of
        from sensors.landing import range_tags

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

    def _is_stale(self, job: str, *, asks_failed_checks: bool = True) -> bool:
        """Whether a job's assets are behind their inputs or, if asked, a check of theirs failed: what it is about has to be made again.

        Monitoring's checks are of the data: judging the same data again ends the same.
        """
        from globolatte_cli.staleness import any_failed, any_stale, latest_places

        graph = self.definitions.resolve_asset_graph()
        selected = self.definitions.resolve_job_def(job).asset_layer.selected_asset_keys
        checks = [check for key in selected for check in graph.get(key).check_keys]
        if asks_failed_checks and any_failed(self.instance, checks):
            return True
        inputs = {key: graph.get(key).parent_keys for key in selected}
        return any_stale(
            inputs, latest_places(self.instance, {*selected, *(key for keys in inputs.values() for key in keys)})
        )

    def job(
        self, name: str, label: str, tags: dict[str, str] | None = None, config: dict[str, Any] | None = None
    ) -> "dg.ExecuteInProcessResult":
        """Runs a job to its end, with progress; `config` is its assets' by node. Raises `UserError` with what failed and why."""
        from sensors.run_health import PROCESS_TAG, this_process

        started = time.monotonic()
        with self._spinning(label):
            result = self.definitions.resolve_job_def(name).execute_in_process(
                instance=self.instance,
                tags={**(tags or {}), PROCESS_TAG: str(this_process())},
                run_config={**QUIET_CONSOLE, **({"ops": config} if config else {})},
                raise_on_error=False,
            )
        seconds = time.monotonic() - started
        mark = "[green]✓[/]" if result.success else "[red]✗[/]"
        self.console.print(f"{mark} {label} [dim]{seconds:.1f} s[/]")
        if not result.success:
            raise UserError(_failure(name, result, self.settings))
        self.report.steps.append((label, seconds))
        self.report.failed_checks += [
            f"{check.asset_key.to_user_string()}: {check.check_name}"
            for check in result.get_asset_check_evaluations()
            if not check.passed
        ]
        return result

    @contextmanager
    def _spinning(self, label: str) -> Iterator[None]:
        if self.console.is_terminal:
            with Live(Spinner("dots", text=label), console=self.console, transient=True):
                yield
        else:
            self.console.print(f"· {label}")
            yield


def _failure(job: str, result: "dg.ExecuteInProcessResult", settings: Settings) -> str:
    """What failed and why, in the words of the first step that failed."""
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


@contextmanager
def opened_pass(settings: Settings) -> Iterator[Pass]:
    """A pass over this deployment; what a killed one left behind is cleared away first."""
    from sensors.run_health import fail_dead_runs, free_slots_of_finished_runs

    ensure_manifest()
    with open_instance(settings) as instance, quiet(_log_file(settings)) as console:
        dead = fail_dead_runs(instance)
        free_slots_of_finished_runs(instance)
        if dead:
            console.print(
                f"[yellow]{len(dead)} runs of an earlier process that was killed are marked failed; taking up from there[/]"
            )
        yield Pass(settings, instance, console)


def execute_pass(settings: Settings) -> PassReport:
    """Runs one pass and prints its steps. Raises `UserError` when a step fails or nothing can be done."""
    ensure_manifest()
    with opened_pass(settings) as one:
        backlog = one.look()
        if not backlog.pending.reference and not _has_reference_data(one):
            raise UserError(
                f"the landing zone ({one.landing.describe()}) is empty: put reference/business_units.csv, products.csv and "
                "customers.csv and your sales files into it, or try `globolatte demo`"
            )
        return one.run(backlog)


def deploy(settings: Settings) -> None:
    """Puts the champion behind the online endpoint, with progress. Raises `UserError` if that fails."""
    from globolatte_assets.jobs import DEPLOY

    ensure_manifest()
    with open_instance(settings) as instance, quiet(_log_file(settings)) as console:
        Pass(settings, instance, console).job(DEPLOY, "Champion behind the endpoint")


def promote(settings: Settings) -> None:
    """Has the verdict on the challenger given again, with progress. Raises `UserError` if that fails."""
    from globolatte_assets.jobs import PROMOTE

    ensure_manifest()
    with open_instance(settings) as instance, quiet(_log_file(settings)) as console:
        Pass(settings, instance, console).job(PROMOTE, "Verdict on the challenger")


def _has_reference_data(one: Pass) -> bool:
    return bool(one.warehouse.read("sales_data.business_units", ["folder"]).num_rows)


def run_pass() -> None:
    """The command: one pass and its summary."""
    settings = Settings()
    started = time.monotonic()
    report = execute_pass(settings)
    print_summary(Console(), report, time.monotonic() - started)
    if report.complaints:
        raise UserError("\n".join(report.complaints))
