"""Changes that people accepted (`monitoring.accepted_changes`), and what windows are judged by for it."""

import datetime as dt
import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import pyarrow as pa

from globolatte_ingest.declarations import unit_declarations
from globolatte_ml.monitoring.accepted import AcceptedChange
from globolatte_ml.monitoring.drift_columns import POLICIES
from globolatte_ml.monitoring.windows import CHAIN
from resources.clock import Clock
from resources.warehouse.warehouse import Warehouse

TABLE = "monitoring.accepted_changes"
SCHEMA = pa.schema(
    [
        ("change_id", pa.string()),
        ("column_name", pa.string()),
        ("business_unit", pa.string()),
        ("since", pa.date32()),
        ("reason", pa.string()),
        ("accepted_by", pa.string()),
        ("accepted_at", pa.timestamp("us")),
        ("undone_by", pa.string()),
        ("undone_reason", pa.string()),
        ("undone_at", pa.timestamp("us")),
    ]
)


class CannotBeAcceptedError(ValueError):
    """An acceptance that makes no sense, or that is not there to be undone."""


@dataclass(frozen=True)
class Acceptance:
    """A manual approval: a column of a unit (none: of all units) is as it is meant to be since a date. Times are UTC without offset."""

    change_id: str
    column_name: str
    business_unit: str | None
    since: dt.date
    reason: str
    accepted_by: str
    accepted_at: dt.datetime
    undone_by: str | None = None
    undone_reason: str | None = None
    undone_at: dt.datetime | None = None

    @property
    def holds(self) -> bool:
        """Whether nobody has undone it."""
        return self.undone_at is None

    @property
    def change(self) -> AcceptedChange:
        """What windows are judged by."""
        return AcceptedChange(self.column_name, self.business_unit, self.since)

    def __str__(self) -> str:
        said = f"{self.column_name} of {self.business_unit or 'all units'} since {self.since}: {self.reason} ({self.accepted_by})"
        return said if self.holds else f"{said}; undone by {self.undone_by}: {self.undone_reason}"


@dataclass(frozen=True)
class Criteria:
    """What windows are judged by.

    Attributes:
        required: columns that the load requires by a unit's declaration, by unit.
        acceptances: those that hold.
    """

    required: Mapping[str, frozenset[str]]
    acceptances: tuple[Acceptance, ...]

    def required_of(self, scope: str) -> frozenset[str]:
        """What the load requires of the files of a scope."""
        if scope == CHAIN:
            return frozenset[str]().union(*self.required.values())
        return self.required.get(scope, frozenset())

    def accepted_for(self, scope: str, last: dt.date) -> list[AcceptedChange]:
        """The accepted changes that concern the windows of a scope that end on a date."""
        return [one.change for one in self.acceptances if one.change.concerns(scope, last)]

    def name(self, scope: str, last: dt.date) -> str:
        """A name of what such a window is judged by; another one if any of it changes."""
        required = self.required_of(scope)
        needed = sorted(policy.column for policy in POLICIES if policy.is_needed(required))
        accepted = sorted((one.column, one.unit or "", one.since.isoformat()) for one in self.accepted_for(scope, last))
        return hashlib.sha256(json.dumps([needed, accepted]).encode()).hexdigest()[:16]


def acceptances(warehouse: Warehouse) -> list[Acceptance]:
    """All that people accepted, the earliest first, with what was undone."""
    return [Acceptance(**row) for row in warehouse.read(TABLE, SCHEMA.names, order_by=["accepted_at"]).to_pylist()]


def criteria_of(warehouse: Warehouse) -> Criteria:
    """What windows are judged by now."""
    with warehouse.transaction() as transaction:
        declared = unit_declarations(transaction)
    required = {
        unit: frozenset(name for one in (found.usual, *(of for _, of in found.families)) for name in one.required)
        for unit, found in declared.items()
    }
    return Criteria(required, tuple(one for one in acceptances(warehouse) if one.holds))


def accept_change(warehouse: Warehouse, change: AcceptedChange, *, by: str, why: str, clock: Clock) -> Acceptance:
    """Records that a change was accepted. Raises `CannotBeAcceptedError`."""
    known = [policy.column for policy in POLICIES]
    if change.column not in known:
        raise CannotBeAcceptedError(f"column {change.column!r} is not monitored; these are: {', '.join(known)}")
    units = sorted(warehouse.read("sales_data.business_units", ["business_unit_id"])["business_unit_id"].to_pylist())
    if change.unit is not None and change.unit not in units:
        raise CannotBeAcceptedError(
            f"there is no business unit {change.unit!r}; these are: {', '.join(units) or 'none'}"
        )
    only_chain = {policy.column for policy in POLICIES if policy.only_chain}
    if change.unit is not None and change.column in only_chain:
        raise CannotBeAcceptedError(f"{change.column} is compared for the whole chain only; leave out --unit")
    if change.since > clock.now().date():
        raise CannotBeAcceptedError(
            f"{change.since} lies in the future; give the date since which the column is as it is"
        )
    _tell_who(by, why)
    for one in acceptances(warehouse):
        if one.holds and one.change == change:
            raise CannotBeAcceptedError(f"it is accepted already, as {one.change_id}: {one}")
    made = Acceptance(
        uuid.uuid4().hex[:8], change.column, change.unit, change.since, why.strip(), by.strip(), clock.timestamp()
    )
    _record(warehouse, made)
    return made


def undo_acceptance(warehouse: Warehouse, change_id: str, *, by: str, why: str, clock: Clock) -> Acceptance:
    """Records that an acceptance does not hold any more. Raises `CannotBeAcceptedError`."""
    _tell_who(by, why)
    known = {one.change_id: one for one in acceptances(warehouse)}
    if change_id not in known:
        raise CannotBeAcceptedError(
            f"there is no accepted change {change_id!r}; `globolatte monitoring list` shows them"
        )
    if not known[change_id].holds:
        raise CannotBeAcceptedError(f"{change_id} is undone already: {known[change_id]}")
    undone = replace(known[change_id], undone_by=by.strip(), undone_reason=why.strip(), undone_at=clock.timestamp())
    _record(warehouse, undone)
    return undone


def acceptances_table(found: Sequence[Acceptance]) -> str:
    """The acceptances as Markdown."""
    lines = ["| change | column | unit | since | why | who | when | undone |", "|---|---|---|---|---|---|---|---|"]
    lines += [
        f"| {one.change_id} | {one.column_name} | {one.business_unit or 'all'} | {one.since} | {one.reason} | {one.accepted_by} "
        f"| {one.accepted_at:%Y-%m-%d} | {'' if one.holds else f'{one.undone_by}: {one.undone_reason}'} |"
        for one in found
    ]
    return "\n".join(lines)


def _tell_who(by: str, why: str) -> None:
    if not by.strip() or not why.strip():
        raise CannotBeAcceptedError("--by and --why must say something; name the person and the reason")


def _record(warehouse: Warehouse, acceptance: Acceptance) -> None:
    warehouse.replace(TABLE, pa.Table.from_pylist([asdict(acceptance)], SCHEMA), {"change_id": acceptance.change_id})
