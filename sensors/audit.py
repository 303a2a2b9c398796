"""The schedule of the audit: once a day, in the night."""

from collections.abc import Sequence

import dagster as dg

from globolatte_assets.jobs import AUDIT_SAMPLE, AssetJob, job_named

EVERY_NIGHT = "30 3 * * *"


def audit_schedule(jobs: Sequence[AssetJob]) -> dg.ScheduleDefinition:
    """Requests the audit each night at 3:30 UTC."""
    return dg.ScheduleDefinition(
        name="audit",
        job=job_named(jobs, AUDIT_SAMPLE),
        cron_schedule=EVERY_NIGHT,
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="Each night a random sample of predictions is made again, and kept files are hashed anew (docs/lineage.md).",
    )
