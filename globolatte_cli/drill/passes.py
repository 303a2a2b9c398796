"""Delivers what the deliveries say, runs passes, and judges each file by what ledger, quarantine and checks have of it since.

Conservation is counted: lines in a file are rows loaded of it and rows in quarantine, and all rows of sales are those of before and the
ones that the new entries of the ledger name.
"""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from globolatte_cli.drill.deliveries import HELD, LEDGER, LOADED, PATH, RETRACTED, Delivery, chain_of, deliver, lines_of
from globolatte_cli.drill.stage import Loss, Outcome, Shown, Stage
from resources.environment import warehouse_for_reading
from resources.landing.landing_zone import REFERENCE_PREFIX, SALES_PREFIX

TURNS = (1, 2)
SALES, QUARANTINE = "sales_data.sales_transactions", "sales_data.quarantine"


@dataclass(frozen=True)
class Records:
    """What is on record of deliveries."""

    entries: list[dict[str, Any]]
    quarantined: list[dict[str, Any]]
    sales: Counter[str]
    """Rows, by the load that they came with."""

    @classmethod
    def of(cls, stage: Stage) -> "Records":
        """Those of now."""
        warehouse = warehouse_for_reading(stage.settings)
        return cls(
            warehouse.read(LEDGER, order_by=["sequence"]).to_pylist(),
            warehouse.read(QUARANTINE, ["load_id", "reason", "detail"]).to_pylist(),
            Counter(warehouse.read(SALES, ["load_id"])["load_id"].to_pylist()),
        )

    def latest(self, path: str) -> dict[str, Any] | None:
        """The newest entry of a path."""
        return next((entry for entry in reversed(self.entries) if entry["path"] == path), None)


@dataclass(frozen=True)
class Pass:
    """One pass with what was delivered before it."""

    files: dict[str, tuple[str, bytes]]
    before: Records
    after: Records
    output: str
    checks: dict[str, str]
    """What checks that did not pass said in it, by their name."""
    seconds: float


def play_deliveries(stage: Stage, deliveries: Sequence[Delivery]) -> Iterator[Shown]:
    """Delivers and runs a pass, twice if need be; what came of each delivery. A pass that cannot be run is the outcome of all its files."""
    for turn in TURNS:
        now = [one for one in deliveries if one.turn == turn]
        try:
            done = _pass(stage, now) if now else None
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported for each of them, and other faults go on
            for one in now:
                why = repr(error)[:1000]
                yield Shown(one.name, one.kind, one.what, Outcome.NOT_PLAYED, why, 0.0, "not measured")
            continue
        if done is not None:
            yield from (judged(one, done) for one in now)
            yield all_together(done, turn)


def _pass(stage: Stage, deliveries: Sequence[Delivery]) -> Pass:
    chain, before, files = chain_of(stage.settings), Records.of(stage), dict[str, tuple[str, bytes]]()
    overwritten: dict[str, bytes] = {}
    for delivery in deliveries:
        if delivery.command:
            path = next(iter(delivery.files(chain)))
            done = stage.globolatte(*(path if word == PATH else word for word in delivery.command))
            if done.returncode:
                raise ValueError(done.stderr)
        overwritten |= {
            path: (chain.landing / path).read_bytes()
            for path in delivery.files(chain)
            if path.startswith(REFERENCE_PREFIX)
        }
        files[delivery.name] = deliver(chain, delivery)
    with dg.DagsterInstance.from_config(str(stage.settings.dagster_folder)) as instance:
        runs_before = {run.run_id for run in instance.get_runs()}
    began = time.monotonic()
    passed = stage.globolatte("run")
    seconds = time.monotonic() - began
    for path, content in overwritten.items():  # the next pass begins with good reference data
        (chain.landing / path).write_bytes(content)
    return Pass(
        files, before, Records.of(stage), passed.stdout + passed.stderr, _checks_since(stage, runs_before), seconds
    )


def _checks_since(stage: Stage, runs_before: set[str]) -> dict[str, str]:
    said: dict[str, str] = {}
    with dg.DagsterInstance.from_config(str(stage.settings.dagster_folder)) as instance:
        for run in reversed(instance.get_runs()):
            if run.run_id in runs_before:
                continue
            for event in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION):
                found = event.dagster_event.asset_check_evaluation_data if event.dagster_event else None
                if found is not None and not found.passed:
                    details = " ".join(str(value.value) for value in found.metadata.values())
                    said[found.check_name] = f"{found.description} {details}"
    return said


def judged(delivery: Delivery, done: Pass) -> Shown:
    """What came of a delivery in a pass."""
    path, content = done.files[delivery.name]
    by, loss = _said_of(delivery, path, done), _lost(path, content, done)
    outcome = Outcome.SILENT if not by else Outcome.LOST if loss.unsaid else Outcome.SHOWN
    by = by or f"only this: {_entry_in_words(done.after.latest(path))}"
    return Shown(delivery.name, delivery.kind, delivery.what, outcome, by[:400], done.seconds, loss.words)


def _entry_in_words(entry: dict[str, Any] | None) -> str:
    return f"ledger: {entry['status']} {entry['reason_code'] or ''}: {entry['reason']}" if entry else "nothing"


def _said_of(delivery: Delivery, path: str, done: Pass) -> str:
    """What tells this fault, and would not be there without it; empty if nothing does."""
    if delivery.check:
        said = done.checks.get(delivery.check, "")
        return f"check {delivery.check}: {said}" if delivery.words in said else ""
    entry, before = done.after.latest(path), done.before.latest(path)
    if entry is None or entry["status"] != delivery.status:
        return ""
    if before is not None and (before["load_id"], before["status"]) == (entry["load_id"], entry["status"]):
        return _said_again(path, done) if delivery.again else ""
    if delivery.status != LOADED:
        return _entry_in_words(entry) if (entry["reason_code"] or "") == delivery.code else ""
    quarantined = [row for row in done.after.quarantined if row["load_id"] == entry["load_id"]]
    if not delivery.code:
        fine = not quarantined and delivery.words in (entry["reason"] or "")
        return f"ledger: {entry['status']}, {entry['rows_loaded']} rows" if fine else ""
    bad = [row for row in quarantined if row["reason"] == delivery.code]
    return f"quarantine: {bad[0]['reason']}: {bad[0]['detail']}" if bad else ""


def _said_again(path: str, done: Pass) -> str:
    """The line at the end of a pass that counts the unit's held files, and so this one, of which nothing is news."""
    folder = path.split("/")[1]
    paths = {entry["path"] for entry in done.after.entries if entry["path"].startswith(f"{SALES_PREFIX}{folder}/")}
    held = sum((done.after.latest(one) or {}).get("status") == HELD for one in paths)
    lines = [line for line in done.output.splitlines() if f"{folder}: {held:,} file" in line and " held" in line]
    return f"run: {lines[-1].strip()}" if lines else ""


def _lost(path: str, content: bytes, done: Pass) -> Loss:
    lines, entry = lines_of(path, content), done.after.latest(path)
    if entry is None:
        return Loss(f"{lines or 'all'} lines, of which nothing is on record", lines or 1)
    loaded = done.after.sales[entry["load_id"]]
    if entry["status"] == LOADED:
        quarantined = sum(row["load_id"] == entry["load_id"] for row in done.after.quarantined)
        unsaid = max(0, lines - loaded - quarantined) if lines is not None else 0
        of = f" of {lines} lines" if lines is not None else ""
        return Loss(f"nothing: {loaded} rows loaded and {quarantined} in quarantine{of}", unsaid)
    former = sum(done.before.sales[one["load_id"]] for one in done.before.entries if one["path"] == path)
    left = sum(done.after.sales[one["load_id"]] for one in done.after.entries if one["path"] == path)
    if entry["status"] == RETRACTED:
        return Loss(f"{former} rows, which the ledger has as {RETRACTED}", left)
    taken = f"; {left} rows of before stay" if former else ""
    return Loss(f"nothing: none of its {lines or ''} lines is loaded, and the file stays{taken}", abs(former - left))


def all_together(done: Pass, turn: int) -> Shown:
    """Whether all rows of sales are those that the ledger names."""
    named = {
        entry["load_id"]: entry["rows_loaded"] or 0
        for entry in done.after.entries
        if entry["status"] == LOADED and not entry["path"].startswith(REFERENCE_PREFIX)
    }
    wrong = {load for load in named.keys() | done.after.sales.keys() if named.get(load, 0) != done.after.sales[load]}
    before, after = done.before.sales.total(), done.after.sales.total()
    words = f"{before:,} rows of sales before, {after:,} after"
    lost = (
        f"{len(wrong)} loads do not have the rows that the ledger names" if wrong else "nothing: each load has its rows"
    )
    return Shown(
        f"conservation-of-pass-{turn}",
        "conservation",
        f"all files of pass {turn} together",
        Outcome.LOST if wrong else Outcome.SHOWN,
        words,
        done.seconds,
        lost,
    )
