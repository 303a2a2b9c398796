"""The asset `lineage/audit_log`: what is new is added to the Merkle log each day."""

from pathlib import Path

import dagster as dg

from globolatte_assets.keys import AUDIT_LOG, OWNER_DATA, PREDICTION_LOG, RECOMMENDATIONS, WAREHOUSE_POOL
from globolatte_lineage.audit_log import AuditLog
from resources.clock import Clock
from resources.warehouse.warehouse import Warehouse


def audit_log_asset(folder: Path) -> dg.AssetsDefinition:
    """Builds the asset; `folder`: where the segments of the log are written."""

    @dg.asset(
        key=AUDIT_LOG,
        deps=[RECOMMENDATIONS, PREDICTION_LOG],
        pool=WAREHOUSE_POOL,
        owners=[OWNER_DATA],
        kinds={"python"},
        description="Ledger events, decisions, sign-offs, files of answers and batches of recommendations as leaves of a Merkle log "
        "(RFC 6962), whose segments lie in a folder that can belong to another owner. `globolatte audit verify` names what was removed, "
        "altered or reordered since.",
    )
    def audit_log(
        context: dg.AssetExecutionContext, warehouse: dg.ResourceParam[Warehouse], clock: Clock
    ) -> dg.MaterializeResult:
        """Add what is new to the log."""
        done = AuditLog(folder, warehouse).append(clock.timestamp(), context.run.run_id)
        return dg.MaterializeResult(
            metadata={
                "new_entries": done.entries,
                "new_answers": done.answers,
                "entries": done.size,
                "root": done.root,
                "segments": dg.MetadataValue.path(str(folder)),
            }
        )

    return audit_log
