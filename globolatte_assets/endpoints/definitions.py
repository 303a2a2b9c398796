"""The definitions of the stage `endpoints`: what is served online, and what is written for people and campaigns."""

import dagster as dg

from globolatte_assets.endpoints.campaign_audiences import campaign_audiences
from globolatte_assets.endpoints.campaign_results import campaign_results
from globolatte_assets.endpoints.recommendations import recommendations_asset
from globolatte_assets.endpoints.recommender import recommender
from globolatte_assets.endpoints.regional_recommendations import regional_recommendations
from globolatte_assets.endpoints.serving_state import serving_state
from resources.settings.settings import Settings


def endpoints(settings: Settings) -> dg.Definitions:
    """The stage `endpoints`."""
    scored = [serving_state, recommendations_asset(settings.recommendations), regional_recommendations, recommender]
    return dg.Definitions(assets=[*scored, campaign_audiences, campaign_results])
