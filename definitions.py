"""The code location: `workspace.yaml` and `[tool.dg.project]` both load `defs` from here.

Nothing heavy is imported at load: assets import what they need when they run.
"""

import warnings

import dagster as dg
from dagster_dbt import DbtProject

from globolatte_assets.automation import follow_new_data
from globolatte_assets.documentation import with_tables_described
from globolatte_assets.endpoints.campaign_audiences import campaign_audiences
from globolatte_assets.endpoints.campaign_results import campaign_results_asset
from globolatte_assets.endpoints.recommendations import recommendations_asset
from globolatte_assets.endpoints.recommender import recommender
from globolatte_assets.endpoints.regional_recommendations import regional_recommendations_asset
from globolatte_assets.endpoints.serving_state import serving_state_asset
from globolatte_assets.features.dbt_project import dbt_models, manifest_of
from globolatte_assets.jobs import jobs
from globolatte_assets.models.backtest import backtest
from globolatte_assets.models.evaluation import evaluation
from globolatte_assets.models.preference_model import preference_model
from globolatte_assets.models.product_affinity import product_affinity_asset
from globolatte_assets.models.promotion import promotion_asset
from globolatte_assets.models.responsible_ai import responsible_ai_asset
from globolatte_assets.models.segments import segments_asset
from globolatte_assets.models.training_snapshot import training_snapshot
from globolatte_assets.monitoring.conservation import ledger_conservation
from globolatte_assets.monitoring.data_drift import data_drift_asset
from globolatte_assets.monitoring.performance import performance_asset
from globolatte_assets.monitoring.prediction_log import prediction_log
from globolatte_assets.monitoring.reports import KeptPages
from globolatte_assets.partitions import sales_partitions
from globolatte_assets.raw.delivery_checks import delivery_checks
from globolatte_assets.raw.holiday_calendar import holiday_calendar_asset
from globolatte_assets.raw.misplaced_files import misplaced_files_asset
from globolatte_assets.raw.reference_data import reference_assets
from globolatte_assets.raw.sales_transactions import LoadLimits, sales_transactions_asset
from globolatte_assets.raw.unit_deliveries import unit_deliveries
from resources.environment import DBT_PROJECT_FOLDER, export, resources_of
from resources.settings.choices import MissingDelivery
from resources.settings.settings import Settings
from sensors.alerts import alert_sensor, delivery_policy
from sensors.automation import automation_sensor
from sensors.landing import file_sensors
from sensors.prediction_log import prediction_log_sensor
from sensors.retraining import retraining_rules, retraining_sensor
from sensors.run_health import run_health_sensor

warnings.filterwarnings("ignore", category=dg.BetaWarning)  # single-run backfills: stable in what we use, and tested


def checks_of_deliveries(settings: Settings) -> list[dg.AssetChecksDefinition]:
    """The checks that every unit has delivered, unless they are turned off."""
    if settings.missing_delivery is MissingDelivery.OFF:
        return []
    return [delivery_checks(sorted(settings.business_units), delivery_policy(settings))]


def build_definitions(settings: Settings) -> dg.Definitions:
    """The whole graph for a deployment. Hands the settings on to this process' environment, for dbt and training jobs."""
    export(settings)
    condition = follow_new_data(waits_for_checks=settings.missing_delivery is MissingDelivery.BLOCK)
    partitions = sales_partitions(settings.business_units, settings.first_business_date)
    limits = LoadLimits(
        settings.load_batch_bytes, settings.max_file_bytes, settings.max_compression_ratio, settings.max_bad_share
    )
    deliveries = unit_deliveries(sorted(settings.business_units), delivery_policy(settings))
    all_jobs = jobs()
    project = DbtProject(project_dir=DBT_PROJECT_FOLDER)
    manifest = manifest_of(project)
    return dg.Definitions(
        assets=[
            *deliveries,
            *with_tables_described(
                [
                    *reference_assets(),
                    holiday_calendar_asset(settings.first_business_date.year, condition),
                    sales_transactions_asset(partitions, settings.first_business_date, limits, deliveries),
                    misplaced_files_asset(settings.business_units, settings.first_business_date),
                    dbt_models(project, manifest, condition),
                    training_snapshot,
                    preference_model,
                    evaluation,
                    responsible_ai_asset(
                        KeptPages(settings.model_pages_folder, settings.model_pages_kept, settings.reports_url)
                    ),
                    backtest,
                    promotion_asset(sign_off_wanted=settings.model_sign_off),
                    segments_asset(condition),
                    product_affinity_asset(condition),
                    serving_state_asset(condition),
                    recommendations_asset(condition),
                    regional_recommendations_asset(condition),
                    campaign_audiences,
                    campaign_results_asset(condition),
                    recommender,
                    prediction_log,
                    data_drift_asset(
                        condition,
                        KeptPages(settings.drift_reports_folder, settings.drift_reports_kept, settings.reports_url),
                        settings.window_orders,
                        settings.window_days,
                    ),
                    performance_asset(condition, settings.window_orders, settings.window_days),
                ],
                manifest,
                str(settings.warehouse),
            ),
        ],
        asset_checks=[ledger_conservation, *checks_of_deliveries(settings)],
        jobs=all_jobs,
        sensors=[
            *file_sensors(settings, all_jobs),
            retraining_sensor(all_jobs, retraining_rules(settings)),
            prediction_log_sensor(all_jobs),
            run_health_sensor(),
            alert_sensor(settings),
            automation_sensor(),
        ],
        resources=resources_of(settings),
        executor=dg.in_process_executor,
    )


defs = build_definitions(Settings())
