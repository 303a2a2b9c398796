"""The definitions of the stage `monitoring`: the prediction log, drift, performance, scorecards, and the check that no row is lost."""

import dagster as dg

from globolatte_assets.monitoring.conservation import ledger_conservation
from globolatte_assets.monitoring.data_drift import data_drift_asset
from globolatte_assets.monitoring.performance import performance_asset
from globolatte_assets.monitoring.prediction_log import prediction_log
from globolatte_assets.monitoring.reports import StoredPages
from globolatte_assets.monitoring.supplier_scorecards import supplier_scorecards_asset
from globolatte_ml.monitoring.windows import WindowRules
from resources.settings.settings import Settings

MOST_SCORECARDS = 10_000
"""There is one per business unit, which is replaced; this many units have one."""


def monitoring(settings: Settings) -> dg.Definitions:
    """The stage `monitoring` of a deployment."""
    pages = StoredPages(settings.drift_reports_folder, settings.drift_reports_kept, settings.reports_url)
    scorecards = StoredPages(settings.scorecards_folder, MOST_SCORECARDS, settings.reports_url)
    rules = WindowRules(settings.window_orders, settings.window_days)
    return dg.Definitions(
        assets=[
            prediction_log,
            data_drift_asset(pages, rules),
            performance_asset(rules),
            supplier_scorecards_asset(scorecards, settings.delivery_hours),
        ],
        asset_checks=[ledger_conservation],
    )
