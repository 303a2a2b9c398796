"""Manual approval of a model: storing the decision, and its effect on the gates' verdict."""

from dataclasses import dataclass

import pyarrow as pa

from globolatte_ml.training.promotion import Verdict
from resources.clock import Clock
from resources.ml.ml_platform import ModelVersion
from resources.warehouse.warehouse import Warehouse

TABLE = "ml.sign_offs"
APPROVED, REJECTED = "approved", "rejected"


@dataclass(frozen=True)
class SignOff:
    """What a person decided about a model version."""

    approved: bool
    by: str
    why: str

    def __str__(self) -> str:
        return f"{self.by} {APPROVED if self.approved else REJECTED} it: {self.why}"


def record_sign_off(warehouse: Warehouse, version: ModelVersion, sign_off: SignOff, clock: Clock) -> None:
    """Adds a decision to those already recorded."""
    row = pa.table(
        {
            "model_version": [version.version],
            "content_hash": [version.content_hash],
            "decision": [APPROVED if sign_off.approved else REJECTED],
            "decided_by": [sign_off.by],
            "reason": [sign_off.why],
            "decided_at": pa.array([clock.timestamp()], pa.timestamp("us")),
        }
    )
    where = {"model_version": version.version}
    earlier = warehouse.read(TABLE, row.column_names, where, ["decided_at"]).cast(row.schema)
    warehouse.replace(TABLE, pa.concat_tables([earlier, row]), where)


def stored_sign_off(warehouse: Warehouse, version: ModelVersion) -> SignOff | None:
    """The latest decision about a version with this content, if there is one."""
    where = {"model_version": version.version, "content_hash": version.content_hash}
    rows = warehouse.read(TABLE, ["decision", "decided_by", "reason"], where, ["decided_at"]).to_pylist()
    if not rows:
        return None
    return SignOff(rows[-1]["decision"] == APPROVED, rows[-1]["decided_by"], rows[-1]["reason"])


def signed(verdict: Verdict, sign_off: SignOff | None, version: ModelVersion, *, wanted: bool) -> Verdict:
    """The verdict after a manual decision: a rejection always counts, an approval replaces no gate, and none refuses if one is wanted."""
    if sign_off is None and not wanted:
        return verdict
    if sign_off is None:
        usage = f"`globolatte models approve {version.version} --by NAME --why REASON`, or reject"
        return Verdict(False, (*verdict.reasons, f"Failed: sign-off is wanted, and nobody has given it yet ({usage})."))
    outcome = "Passed" if sign_off.approved else "Failed"
    return Verdict(verdict.promoted and sign_off.approved, (*verdict.reasons, f"{outcome}: sign-off: {sign_off}"))
