"""The definitions of the stage `lineage`: the audit log and the daily audit."""

import dagster as dg

from globolatte_assets.lineage.audit import audit_asset
from globolatte_assets.lineage.audit_log import audit_log_asset
from globolatte_ingest.kept_files import KeptFiles
from globolatte_lineage.records import places_of
from resources.settings.settings import Settings


def lineage(settings: Settings) -> dg.Definitions:
    """The stage `lineage` of a deployment."""
    kept = KeptFiles(settings.kept_files_folder, settings.keep_files_days)
    return dg.Definitions(
        assets=[audit_log_asset(settings.audit_segments_folder), audit_asset(places_of(settings), kept)]
    )
