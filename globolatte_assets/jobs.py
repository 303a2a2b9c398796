"""The jobs, which are started by sensors, by `globolatte run`, or by a person in the UI."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from globolatte_assets import keys
from globolatte_assets.execution import executor
from globolatte_assets.raw.deliveries import check_name

LOAD_REFERENCE_DATA = "load_reference_data"
INGEST_SALES = "ingest_sales"
RECORD_MISPLACED_FILES = "record_misplaced_files"
BUILD_FEATURES = "build_features"
TRAIN_MODEL = "train_model"
RETRAIN = "retrain"
PROMOTE = "promote"
BACKTEST_MODEL = "backtest_model"
MONITOR = "monitor"
RECOMMEND = "recommend"
CAMPAIGN = "campaign"
MEASURE_CAMPAIGNS = "measure_campaigns"
DEPLOY = "deploy"
INGEST_PREDICTION_LOG = "ingest_prediction_log"
CHECK_RAW_DATA = "check_raw_data"
AUDIT_SAMPLE = "audit_sample"

AssetJob = Any
"""What `dagster.define_asset_job` returns; Dagster has no public name for it."""


def job_named(jobs: Sequence[AssetJob], name: str) -> AssetJob:
    """The job of that name. Raises `StopIteration` if there is none."""
    return next(job for job in jobs if job.name == name)


def jobs(watched_folders: Sequence[str] = ()) -> Sequence[AssetJob]:
    """All jobs, in the order in which data flows. Steps of a job run in one process: each is small, starting one is not.

    `watched_folders`: the landing folders of the units whose deliveries are checked.
    """
    checks = [
        keys.CONSERVATION,
        keys.NOTHING_WAITS,
        keys.DELIVERED_ONCE,
        *(dg.AssetCheckKey(keys.SALES_TRANSACTIONS, check_name(folder)) for folder in watched_folders),
    ]
    assets = dg.AssetSelection.assets
    training = assets(
        keys.TRAINING_SNAPSHOT, keys.PREFERENCE_MODEL, keys.EVALUATION, keys.RESPONSIBLE_AI, keys.PROMOTION
    )
    ranked = assets(keys.RECOMMENDATIONS, keys.REGIONAL_RECOMMENDATIONS, keys.SEGMENTS, keys.PRODUCT_AFFINITY)
    selected: dict[str, tuple[dg.AssetSelection, str]] = {
        LOAD_REFERENCE_DATA: (
            assets(
                keys.BUSINESS_UNITS,
                keys.PRODUCTS,
                keys.CUSTOMERS,
                keys.UNIT_DECLARATIONS,
                keys.EXCHANGE_RATES,
                keys.HOLIDAYS,
                keys.WEATHER,
            ),
            "Business units, products, customers, how units write their files, exchange rates, holidays and weather.",
        ),
        INGEST_SALES: (assets(keys.SALES_TRANSACTIONS), "New or changed sales files of a unit's date range."),
        RECORD_MISPLACED_FILES: (
            assets(keys.MISPLACED_FILES),
            "Files that belong to no unit or date, recorded in the ledger as refused.",
        ),
        CHECK_RAW_DATA: (
            dg.AssetSelection.checks(*checks),
            "Whether every unit has delivered, every loaded row is accounted for, and nothing waits for a person.",
        ),
        BUILD_FEATURES: (
            dg.AssetSelection.groups(*keys.DBT_GROUPS) | dg.AssetSelection.checks(keys.CONSERVATION),
            "Everything dbt builds, with its tests; and the check that no raw row is lost.",
        ),
        TRAIN_MODEL: (training, "Snapshot, training, evaluation, explanations, and the verdict on promotion."),
        RETRAIN: (
            training | assets(keys.RECOMMENDER),
            "As train_model; then whichever model is champion goes behind the online endpoint.",
        ),
        PROMOTE: (assets(keys.PROMOTION), "The verdict on the challenger once more, after a sign-off."),
        BACKTEST_MODEL: (assets(keys.BACKTEST), "How models trained at several past dates did on what came next."),
        MONITOR: (
            assets(keys.DATA_DRIFT, keys.PERFORMANCE, keys.SUPPLIER_SCORECARDS),
            "New windows of orders against the champion's snapshot and predictions; and the units' scorecards.",
        ),
        RECOMMEND: (
            assets(keys.SERVING_STATE) | ranked,
            "Publishes customer states, ranks products for every customer and for cold-start customers, assigns customers to segments and "
            "finds which products go together.",
        ),
        CAMPAIGN: (
            assets(keys.CAMPAIGN_AUDIENCES),
            "Chooses which customers get an offer within a budget: set product and budget in the launchpad.",
        ),
        MEASURE_CAMPAIGNS: (assets(keys.CAMPAIGN_RESULTS), "Measures campaigns against their control groups."),
        DEPLOY: (assets(keys.RECOMMENDER), "Puts the champion behind the online endpoint, blue/green."),
        AUDIT_SAMPLE: (
            assets(keys.AUDIT, keys.AUDIT_LOG),
            "Adds what is new to the audit log, traces a random sample of predictions and makes them again, and hashes kept files anew.",
        ),
        INGEST_PREDICTION_LOG: (
            assets(keys.PREDICTION_LOG),
            "Loads the answers of the online endpoint into the warehouse.",
        ),
    }
    return [
        dg.define_asset_job(name, selection=selection, description=description, executor_def=executor)
        for name, (selection, description) in selected.items()
    ]
