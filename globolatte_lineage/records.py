"""What the stages have on record, as nodes of a graph: models with their decisions, states, snapshots, files, lines of customers."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from globolatte_lineage import statements
from globolatte_lineage.graph import Edge, Kind, Node, Trace
from resources.content_store import MANIFEST_FILE
from resources.ml.local.model_files import JOBS
from resources.settings.choices import MLKind
from resources.settings.settings import Settings
from resources.warehouse.warehouse import Transaction

NEVER_RECORDED = 1 << 62
"""In place of the last event that a state knows where that is not on record: everything counts as known."""
MOST_FILES_NAMED = 5


@dataclass(frozen=True)
class Places:
    """Where a home keeps what no table has: jobs, snapshots and states, each folder by its name. None where it keeps none."""

    jobs: Path | None
    snapshots: Path | None
    states: Path | None


def places_of(settings: Settings) -> Places:
    """Where this home keeps jobs, snapshots and states; jobs and snapshots of Azure ML are not here."""
    is_local = settings.ml is MLKind.LOCAL
    return Places(
        jobs=settings.mlflow_folder / JOBS if is_local else None,
        snapshots=settings.mlflow_folder / "snapshots" if is_local else None,
        states=settings.endpoints_folder / "states",
    )


@dataclass
class Found:
    """A graph in the making. What is added twice is there once."""

    nodes: dict[str, Node] = field(default_factory=dict)
    edges: dict[Edge, None] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)

    def add(self, kind: Kind, name: str, title: str, facts: Mapping[str, Any] | None = None) -> str:
        """Adds a node, and returns its id. Facts that are NULL are left out."""
        node_id = f"{kind}:{name}"
        told = {key: value for key, value in (facts or {}).items() if value is not None}
        self.nodes.setdefault(node_id, Node(node_id, kind, title, told))
        return node_id

    def join(self, source: str, relation: str, target: str) -> None:
        """Adds an edge."""
        self.edges.setdefault(Edge(source, relation, target))

    def note(self, text: str) -> None:
        """Adds a remark."""
        self.notes.setdefault(text)

    def trace(self, root: str) -> Trace:
        """The graph around `root`."""
        return Trace(root, list(self.nodes.values()), list(self.edges), list(self.notes))


def rows_of(transaction: Transaction, sql: str, *parameters: object) -> list[dict[str, Any]]:
    """The rows of a query."""
    rows: list[dict[str, Any]] = transaction.fetch(sql, parameters).to_pylist()
    return rows


def add_model(found: Found, transaction: Transaction, places: Places, version: str) -> str:
    """A model version with what decided on it, who approved it, and the training that made it."""
    decisions = rows_of(transaction, statements.DECISIONS, version)
    facts = {"version": version}
    if decisions:
        facts["content_hash"] = decisions[-1]["content_hash"]
    model = found.add(Kind.MODEL, version, f"model version {version}", facts)
    for number, decision in enumerate(decisions, 1):
        reasons = json.loads(decision.pop("reasons"))
        verdict = "promoted" if decision["promoted"] else "refused"
        title = f"{verdict} at {decision['decided_at']:%Y-%m-%d %H:%M} UTC by {len(reasons)} gates"
        node = found.add(Kind.DECISION, f"{version}/{number}", title, {**decision, "reasons": reasons})
        found.join(model, "was decided on by", node)
    if not decisions:
        found.note(
            f"the decision on model version {version} was made by an earlier release, which kept its reasons in the registry alone"
        )
    for number, signed in enumerate(rows_of(transaction, statements.SIGN_OFFS, version), 1):
        title = f"{signed['decision']} by {signed['decided_by']}: {signed['reason']}"
        found.join(model, "was signed off by", found.add(Kind.SIGN_OFF, f"{version}/{number}", title, signed))
    snapshots = {decision["snapshot"]: decision["job_id"] for decision in decisions}
    trainings = rows_of(transaction, statements.TRAININGS.format(column="model_version"), version)
    for training in trainings:
        snapshots.setdefault(training["snapshot"], training["run_id"])
    for snapshot, job_id in snapshots.items():
        folder = places.jobs / job_id if places.jobs is not None and job_id else None
        on_disk = {"folder": str(folder)} if folder is not None and folder.is_dir() else {}
        about = next((one for one in trainings if one["snapshot"] == snapshot), {})
        causes = {"causes": json.loads(about["causes"])} if about.get("causes") else {}
        job = found.add(
            Kind.JOB,
            job_id or f"of version {version}",
            f"training job {job_id}",
            {
                "job_id": job_id,
                "run_id": about.get("run_id"),
                "started_at": about.get("started_at"),
                **causes,
                **on_disk,
            },
        )
        found.join(model, "was trained by", job)
        found.join(job, "read", add_snapshot(found, places, snapshot, about.get("last_business_date")))
    return model


def add_snapshot(found: Found, places: Places, name: str, until: object = None) -> str:
    """A training snapshot, by its manifest where that is still there."""
    manifest = _document(places.snapshots / name / MANIFEST_FILE) if places.snapshots is not None else {}
    facts = {"snapshot": name, "last_business_date": until, **manifest}
    title = f"training snapshot {name}"
    if "orders" in manifest:
        title += f": {manifest['orders']:,} orders from {manifest['first_business_date']} to {manifest['last_business_date']}"
    elif until is not None:
        title += f", of sales up to {until}"
    return found.add(Kind.SNAPSHOT, name, title, facts)


def add_state(found: Found, transaction: Transaction, places: Places, version: str) -> tuple[str, int]:
    """A published customer state and the dbt builds behind it; the last event of the ledger that it knows."""
    recorded = rows_of(transaction, statements.STATES, version)
    folder = places.states / version if places.states is not None else None
    facts: dict[str, Any] = {"state_version": version}
    if recorded:
        facts |= recorded[0]
    elif folder is not None and (manifest := _document(folder / MANIFEST_FILE)):
        facts |= {"published_at": manifest.get("created_at"), "run_id": manifest.get("run_id")}
    if folder is not None and folder.is_dir():
        facts["folder"] = str(folder)
    since = str(facts.get("published_at") or "")[:16].replace("T", " ")
    title = f"customer state {version}" + (f", published at {since} UTC" if since else "")
    state = found.add(Kind.STATE, version, title, facts)
    for build in rows_of(transaction, statements.DBT_BUILDS):
        name = f"dbt model {build['model']}, built by {build['fingerprint'][:12]} since {build['built_at']:%Y-%m-%d %H:%M} UTC"
        found.join(state, "was made of", found.add(Kind.DBT, build["model"], name, build))
        if recorded and build["built_at"] > recorded[0]["published_at"]:
            found.note(
                f"{build['model']} has been built by another version of the dbt project since state {version} was published"
            )
    if recorded:
        return state, int(recorded[0]["last_event"])
    found.note(
        f"state {version} was published by an earlier release, which did not record how far the ledger went; all of today's counts"
    )
    return state, NEVER_RECORDED


def add_file(found: Found, entry: Mapping[str, Any]) -> str:
    """A version of a file, by its ledger entry."""
    title = f"{entry['path']} ({entry['status']}), sha256 {entry['sha256'][:12]}"
    return found.add(Kind.FILE, entry["load_id"], title, dict(entry))


def known_lines(found: Found, transaction: Transaction, customer: str, last_event: int) -> list[dict[str, Any]]:
    """A customer's order lines that a state knows; a note says how many came later."""
    everything = rows_of(transaction, statements.LINES_OF_CUSTOMER, customer)
    known = [line for line in everything if (line["entered_by"] or 0) <= last_event]
    if later := len(everything) - len(known):
        found.note(f"{later:,} more lines of {customer} were loaded after that state was published")
    return known


def add_lines(found: Found, transaction: Transaction, customer: str, lines: Sequence[Mapping[str, Any]]) -> str:
    """A customer's order lines, by the file that each came in."""
    orders = {order_of(line) for line in lines}
    title = f"{len(lines):,} order lines of {customer} in {len(orders):,} orders"
    node = found.add(Kind.LINES, customer, title, {"customer_id": customer, "lines": len(lines), "orders": len(orders)})
    by_load: dict[str, list[int]] = defaultdict(list)
    for line in lines:
        by_load[line["load_id"]].append(line["row_number"])
    for entry in rows_of(transaction, statements.ENTRIES_OF_CUSTOMER, customer):
        if entry["load_id"] in by_load:
            file = add_file(found, {**entry, "rows": by_load[entry["load_id"]]})
            found.join(node, "stand in", file)
    return node


def order_of(line: Mapping[str, Any]) -> tuple[Any, ...]:
    """What makes a line's order: unit, date, store and id; without an id each line is an order of its own."""
    own = line["order_id"] if line["order_id"] is not None else line["transaction_id"]
    return line["business_unit"], line["business_date"], line["store_id"], own


def named(paths: Iterable[str]) -> str:
    """The first of many paths."""
    many = list(paths)
    more = len(many) - MOST_FILES_NAMED
    return ", ".join(many[:MOST_FILES_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _document(file: Path) -> dict[str, Any]:
    if not file.is_file():
        return {}
    document: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return document
