"""The asset `lineage/audit`: a random sample of predictions and kept files, looked at again each day."""

from collections.abc import Iterator

import dagster as dg

from globolatte_assets.keys import AUDIT, OWNER_DATA, PREDICTION_LOG, RECOMMENDATIONS, WAREHOUSE_POOL
from globolatte_ingest.kept_files import KeptFiles
from globolatte_lineage.audit import Audit, audit
from globolatte_lineage.records import Places
from resources.clock import Clock
from resources.landing.landing_zone import LandingZone
from resources.warehouse.warehouse import Warehouse

NOTHING_ALTERED = "nothing_was_altered"
MOST_NAMED = 20


class AuditConfig(dg.Config):
    """The configuration in the launchpad.

    sample: how many predictions of the batch, answers of the endpoint, and kept files are looked at.
    """

    sample: int = 20


def in_words(found: Audit) -> str:
    """Faults first, then what could not be looked at, as Markdown."""
    lines = [f"- **{fault}**" for fault in found.faults[:MOST_NAMED]] + [
        f"- {one}" for one in found.skipped[:MOST_NAMED]
    ]
    return "\n".join(lines) or "Everything in the sample is as it was."


def audit_asset(places: Places, kept: KeptFiles) -> dg.AssetsDefinition:
    """Builds the asset; `places` and `kept`: where this home keeps models, states and the bytes of loaded files."""

    @dg.asset(
        key=AUDIT,
        deps=[RECOMMENDATIONS, PREDICTION_LOG],
        pool=WAREHOUSE_POOL,
        owners=[OWNER_DATA],
        kinds={"python"},
        check_specs=[
            dg.AssetCheckSpec(
                NOTHING_ALTERED,
                asset=AUDIT,
                description="Each prediction in the sample comes out again from the state and the model that it names, and each kept file "
                "has the hash by which it is named.",
            )
        ],
        description="Each day a random sample of recommendations and answers is traced back to files and made again, and kept files are "
        "read and hashed anew. What is not kept any more is counted apart.",
    )
    def audit_of_the_day(
        config: AuditConfig,
        warehouse: dg.ResourceParam[Warehouse],
        landing: dg.ResourceParam[LandingZone],
        clock: Clock,
    ) -> Iterator[dg.MaterializeResult]:
        """Look at a sample again."""
        with warehouse.transaction() as transaction:
            found = audit(transaction, places, kept, landing, clock.today(), config.sample)
        yield dg.MaterializeResult(
            metadata={
                "predictions_made_again": found.made_again,
                "files_hashed": len(found.files),
                "faults": len(found.faults),
                "could_not_be_looked_at": len(found.skipped),
                "findings": dg.MetadataValue.md(in_words(found)),
            },
            check_results=[
                dg.AssetCheckResult(
                    check_name=NOTHING_ALTERED,
                    passed=not found.faults,
                    metadata={"findings": dg.MetadataValue.md(in_words(found))},
                )
            ],
        )

    return audit_of_the_day
