"""The jobs: what sensors start, what `globolatte run` walks through, what a person starts in the UI."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from globolatte_assets.keys import (
    BACKTEST,
    BUSINESS_UNITS,
    CAMPAIGN_AUDIENCES,
    CAMPAIGN_RESULTS,
    CONSERVATION,
    CUSTOMERS,
    DATA_DRIFT,
    DBT_GROUPS,
    EVALUATION,
    HOLIDAYS,
    MISPLACED_FILES,
    PERFORMANCE,
    PREDICTION_LOG,
    PREFERENCE_MODEL,
    PRODUCT_AFFINITY,
    PRODUCTS,
    PROMOTION,
    RECOMMENDATIONS,
    RECOMMENDER,
    REGIONAL_RECOMMENDATIONS,
    RESPONSIBLE_AI,
    SALES_TRANSACTIONS,
    SEGMENTS,
    SERVING_STATE,
    TRAINING_SNAPSHOT,
)
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

AssetJob = Any
"""What `dagster.define_asset_job` returns; Dagster has no public name for it."""


def _job(name: str, selection: dg.AssetSelection, description: str) -> AssetJob:
    return dg.define_asset_job(name, selection=selection, description=description, executor_def=dg.in_process_executor)


def job_named(jobs: Sequence[AssetJob], name: str) -> AssetJob:
    """The job of that name. Raises `StopIteration` if there is none."""
    return next(job for job in jobs if job.name == name)


def jobs(watched_folders: Sequence[str] = ()) -> Sequence[AssetJob]:
    """All jobs, in the order in which data flows. Steps of a job run in one process: each is small, starting one is not.

    `watched_folders`: the landing folders of the units that are checked for having delivered.
    """
    checks = [CONSERVATION, *(dg.AssetCheckKey(SALES_TRANSACTIONS, check_name(folder)) for folder in watched_folders)]
    reference = dg.AssetSelection.assets(BUSINESS_UNITS, PRODUCTS, CUSTOMERS, HOLIDAYS)
    training = dg.AssetSelection.assets(TRAINING_SNAPSHOT, PREFERENCE_MODEL, EVALUATION, RESPONSIBLE_AI, PROMOTION)
    return [
        _job(LOAD_REFERENCE_DATA, reference, "Business units, products, customers and holidays from the landing zone."),
        _job(
            INGEST_SALES,
            dg.AssetSelection.assets(SALES_TRANSACTIONS),
            "New or changed sales files of a unit's date range.",
        ),
        _job(
            RECORD_MISPLACED_FILES,
            dg.AssetSelection.assets(MISPLACED_FILES),
            "Files that belong to no unit or date, recorded in the ledger as refused.",
        ),
        _job(
            CHECK_RAW_DATA,
            dg.AssetSelection.checks(*checks),
            "Whether every unit has delivered, and whether every loaded row is accounted for.",
        ),
        _job(
            BUILD_FEATURES,
            dg.AssetSelection.groups(*DBT_GROUPS) | dg.AssetSelection.checks(CONSERVATION),
            "Everything dbt builds, with its tests; and the check that no raw row is lost.",
        ),
        _job(TRAIN_MODEL, training, "Snapshot, training, evaluation, explanations, and the verdict on promotion."),
        _job(
            RETRAIN,
            training | dg.AssetSelection.assets(RECOMMENDER),
            "As train_model; then whichever model is champion goes behind the online endpoint.",
        ),
        _job(
            PROMOTE, dg.AssetSelection.assets(PROMOTION), "The verdict on the challenger once more, after a sign-off."
        ),
        _job(
            BACKTEST_MODEL,
            dg.AssetSelection.assets(BACKTEST),
            "How models trained at several past dates did on what came next.",
        ),
        _job(
            MONITOR,
            dg.AssetSelection.assets(DATA_DRIFT, PERFORMANCE),
            "New windows of orders against the champion's snapshot and predictions.",
        ),
        _job(
            RECOMMEND,
            dg.AssetSelection.assets(
                SERVING_STATE, RECOMMENDATIONS, REGIONAL_RECOMMENDATIONS, SEGMENTS, PRODUCT_AFFINITY
            ),
            "Publishes customer states, ranks products for every customer and for cold-start customers, assigns customers to segments and "
            "tells which products go together.",
        ),
        _job(
            CAMPAIGN,
            dg.AssetSelection.assets(CAMPAIGN_AUDIENCES),
            "Who to offer what within a budget: set product and budget in the launchpad.",
        ),
        _job(
            MEASURE_CAMPAIGNS,
            dg.AssetSelection.assets(CAMPAIGN_RESULTS),
            "What campaigns brought, against their control groups.",
        ),
        _job(
            DEPLOY, dg.AssetSelection.assets(RECOMMENDER), "Puts the champion behind the online endpoint, blue/green."
        ),
        _job(
            INGEST_PREDICTION_LOG,
            dg.AssetSelection.assets(PREDICTION_LOG),
            "Takes what the online endpoint answered into the warehouse.",
        ),
    ]
