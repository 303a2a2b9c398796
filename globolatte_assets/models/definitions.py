"""The definitions of the stage `models`: snapshot, training, evaluation and promotion; segments and product affinity."""

import dagster as dg

from globolatte_assets.models.backtest import backtest
from globolatte_assets.models.evaluation import evaluation
from globolatte_assets.models.preference_model import preference_model
from globolatte_assets.models.product_affinity import product_affinity
from globolatte_assets.models.promotion import promotion_asset
from globolatte_assets.models.responsible_ai import responsible_ai_asset
from globolatte_assets.models.segments import segments
from globolatte_assets.models.training_snapshot import training_snapshot
from globolatte_assets.monitoring.reports import StoredPages
from resources.settings.settings import Settings


def models(settings: Settings) -> dg.Definitions:
    """The stage `models` of a deployment."""
    pages = StoredPages(settings.model_pages_folder, settings.model_pages_kept, settings.reports_url)
    return dg.Definitions(
        assets=[
            training_snapshot,
            preference_model,
            evaluation,
            responsible_ai_asset(pages),
            backtest,
            promotion_asset(sign_off_wanted=settings.model_sign_off),
            segments,
            product_affinity,
        ]
    )
