"""The code location: `workspace.yaml` and `[tool.dg.project]` both load `defs` from here.

Each stage declares what it has in its `definitions` module; here it is put together. What holds for all assets is mapped over
them in `globolatte_assets.policies`. What is heavy and not always needed is imported when an asset runs.
"""

import warnings

import dagster as dg

from globolatte_assets.endpoints.definitions import endpoints
from globolatte_assets.execution import executor
from globolatte_assets.features.definitions import features
from globolatte_assets.lineage.definitions import lineage
from globolatte_assets.models.definitions import models
from globolatte_assets.monitoring.definitions import monitoring
from globolatte_assets.policies import with_policies
from globolatte_assets.raw.definitions import raw
from resources.environment import export, resources_of
from resources.settings.settings import Settings
from sensors.definitions import sensors

warnings.filterwarnings("ignore", category=dg.BetaWarning)  # single-run backfills and code references: tested

STAGES = (raw, features, models, endpoints, monitoring, lineage, sensors)


def build_definitions(settings: Settings) -> dg.Definitions:
    """The whole graph for a deployment. Hands the settings on to this process' environment, for dbt and training jobs."""
    export(settings)
    declared = dg.Definitions.merge(*(stage(settings) for stage in STAGES))
    return dg.Definitions(
        assets=with_policies(declared.assets or (), settings),
        asset_checks=declared.asset_checks,
        jobs=declared.jobs,
        sensors=declared.sensors,
        schedules=declared.schedules,
        resources=resources_of(settings),
        executor=executor,
    )


defs = build_definitions(Settings())
