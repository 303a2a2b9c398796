"""The audit log names whatever was removed, altered, added or reordered in the tables, in the log, or on record of it."""

import datetime as dt
import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from globolatte_lineage.audit_log import ANSWERS, LEDGER_EVENT, AuditLog, BrokenLogError, forget_person, segments_in
from globolatte_lineage.merkle import root_from_inclusion
from resources.warehouse.duckdb_file import DuckDBWarehouse
from tests.builders import warehouse_in

NOW = dt.datetime(2024, 3, 1, 6, tzinfo=dt.UTC).replace(tzinfo=None)
FILES, LINES = 3, 40


def answers(name: str, lines: int) -> pa.Table:
    ids = [f"C{number % 7}" for number in range(lines)]
    return pa.table(
        {
            "log_file": [name] * lines,
            "line": [2 * number + 1 for number in range(lines)],
            "prediction_id": [f"pr_{name}_{number}" for number in range(lines)],
            "answered_at": pa.array([NOW] * lines, pa.timestamp("us")),
            "deployment": ["blue"] * lines,
            "mirrored": [False] * lines,
            "model_version": ["1"] * lines,
            "state_version": ["s1"] * lines,
            "customer_id": ids,
            "known_customer": [True] * lines,
            "business_unit": ["BU_US"] * lines,
            "date": [NOW.date()] * lines,
            "weather": ["Sunny"] * lines,
            "top_product": ["P1"] * lines,
            "probabilities": ['{"P1": 0.75}'] * lines,
        }
    )


def insert(warehouse: DuckDBWarehouse, table: str, data: pa.Table) -> None:
    with warehouse.transaction() as transaction:
        transaction.stage("added", data)
        columns = ", ".join(data.column_names)
        transaction.execute(f"insert into {table} ({columns}) select {columns} from added")


def answered(warehouse: DuckDBWarehouse, name: str, lines: int) -> None:
    insert(warehouse, "monitoring.prediction_log", answers(name, lines))
    files = {"log_file": [name], "sha256": ["0"], "lines": [lines], "rows_ingested": [lines], "rows_rejected": [0]}
    insert(
        warehouse,
        "monitoring.prediction_log_files",
        pa.table({**files, "run_id": ["r"], "ingested_at": pa.array([NOW], pa.timestamp("us"))}),
    )


def happened(warehouse: DuckDBWarehouse, first: int, count: int) -> None:
    rows = [
        {"sequence": number, "load_id": f"L{number}", "happened_at": NOW, "event": "loaded"}
        for number in range(first, first + count)
    ]
    insert(warehouse, "sales_data.ledger_events", pa.Table.from_pylist(rows))


def filled(warehouse: DuckDBWarehouse, folder: Path) -> AuditLog:
    """A log of two segments over events, files of answers, a decision, a sign-off and a batch."""
    log = AuditLog(folder, warehouse)
    happened(warehouse, 1, 5)
    answered(warehouse, "a", LINES)
    answered(warehouse, "b", LINES)
    log.append(NOW, "first")
    happened(warehouse, 6, 5)
    answered(warehouse, "c", LINES)
    decided = {
        "run_id": "r",
        "model_version": "1",
        "content_hash": "h",
        "snapshot": "s",
        "job_id": "j",
        "promoted": True,
    }
    insert(warehouse, "ml.decisions", pa.Table.from_pylist([{**decided, "reasons": "[]", "decided_at": NOW}]))
    signed = {"model_version": "1", "content_hash": "h", "decision": "approved", "decided_by": "ada", "reason": "fine"}
    insert(warehouse, "ml.sign_offs", pa.Table.from_pylist([{**signed, "decided_at": NOW}]))
    ranked = {
        "prediction_id": "p",
        "business_unit": "BU_US",
        "as_of_date": NOW.date(),
        "weather": "Sunny",
        "product_id": "P1",
    }
    ranked |= {"is_expected_weather": True, "probability": 0.5, "model_version": "1", "state_version": "s1"}
    rows = [{**ranked, "customer_id": f"C{number}", "rank": rank} for number in range(4) for rank in (1, 2)]
    insert(warehouse, "serving.recommendations", pa.Table.from_pylist(rows))
    log.append(NOW, "second")
    return log


@pytest.fixture(scope="module")
def made_once(_migrated_warehouse: DuckDBWarehouse, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with a filled log and its warehouse, to be copied."""
    folder = tmp_path_factory.mktemp("logged")
    shutil.copy(_migrated_warehouse.file, folder / "warehouse.duckdb")
    warehouse = warehouse_in(folder)
    with warehouse.keep_open():
        filled(warehouse, folder / "segments")
    return folder


@pytest.fixture
def log(made_once: Path, tmp_path: Path) -> Iterator[AuditLog]:
    folder = tmp_path / "logged"
    shutil.copytree(made_once, folder)
    warehouse = warehouse_in(folder)
    with warehouse.keep_open():
        yield AuditLog(folder / "segments", warehouse)


def run(*statements: str) -> Callable[[AuditLog], None]:
    def tamper(log: AuditLog) -> None:
        with log.warehouse.transaction() as transaction:
            for sql in statements:
                transaction.execute(sql)

    return tamper


def document(number: int, change: Callable[[dict], object]) -> Callable[[AuditLog], None]:
    def tamper(log: AuditLog) -> None:
        path = segments_in(log.folder)[number]
        told = json.loads(path.read_text())
        change(told)
        path.write_text(json.dumps(told))

    return tamper


def swapped(told: dict) -> None:
    told["entries"][0], told["entries"][1] = told["entries"][1], told["entries"][0]


LOG = "monitoring.prediction_log"
EVENTS = "sales_data.ledger_events"
TAMPERINGS = {
    "an answer removed": (run(f"delete from {LOG} where log_file = 'a' and line = 1"), "line 1 of a: removed"),
    "the last answer removed": (run(f"delete from {LOG} where log_file = 'c' and line = 79"), "line 79 of c: removed"),
    "a probability altered": (
        run(f"""update {LOG} set probabilities = '{{"P1": 0.76}}' where log_file = 'b' and line = 5"""),
        "line 5 of b: altered",
    ),
    "an answer ascribed to another": (
        run(f"update {LOG} set customer_id = 'C1' where log_file = 'b' and line = 1"),
        "line 1 of b: altered",
    ),
    "an answer ascribed to somebody unknown": (
        run(f"update {LOG} set customer_id = 'unknown' where log_file = 'b' and line = 1"),
        "line 1 of b: its person has no salt",
    ),
    "an answer dated back": (
        run(f"update {LOG} set answered_at = timestamp '2020-01-01' where log_file = 'b' and line = 3"),
        "line 3 of b: altered",
    ),
    "the model of an answer altered": (
        run(f"update {LOG} set model_version = '2' where log_file = 'a' and line = 7"),
        "line 7 of a: altered",
    ),
    "a NULL filled": (run(f"update {LOG} set daypart = '-' where log_file = 'a' and line = 7"), "line 7 of a: altered"),
    "two answers swapped": (
        run(f"update {LOG} set line = case line when 1 then 3 else 1 end where log_file = 'a' and line in (1, 3)"),
        "line 1 of a: altered",
    ),
    "an answer moved to another file": (
        run(f"update {LOG} set log_file = 'b', line = 2 where log_file = 'a' and line = 1"),
        "line 2 of b: added",
    ),
    "an answer twice": (
        run(f"insert into {LOG} select * from {LOG} where log_file = 'a' and line = 1"),
        "line 1 of a: there twice",
    ),
    "a whole file of answers removed": (run(f"delete from {LOG} where log_file = 'c'"), "line 1 of c: removed"),
    "an event removed": (run(f"delete from {EVENTS} where sequence = 4"), "ledger event 4: removed"),
    "an event altered": (run(f"update {EVENTS} set reason = 'x' where sequence = 4"), "ledger event 4: altered"),
    "an event put in between": (
        run(f"delete from {EVENTS} where sequence = 4", f"update {EVENTS} set sequence = 4 where sequence = 5"),
        "ledger event 4: altered",
    ),
    "an earlier event invented": (
        run(f"insert into {EVENTS} select * replace (0 as sequence) from {EVENTS} where sequence = 4"),
        "ledger event 0: not in the log",
    ),
    "a refusal made a promotion": (run("update ml.decisions set promoted = false"), "decision r/1: altered"),
    "a decision removed": (run("delete from ml.decisions"), "decision r/1: removed"),
    "another approver": (run("update ml.sign_offs set decided_by = 'eve'"), "altered since"),
    "a sign-off removed": (run("delete from ml.sign_offs"), "removed since"),
    "a recommendation altered": (
        run("update serving.recommendations set product_id = 'P2' where customer_id = 'C1' and rank = 1"),
        "batch of recommendations 2024-03-01/1/s1: altered",
    ),
    "a recommendation removed": (
        run("delete from serving.recommendations where customer_id = 'C1' and rank = 1"),
        "batch of recommendations 2024-03-01/1/s1: altered",
    ),
    "a salt removed": (run("delete from lineage.salts where person = 'C2'"), "its person has no salt"),
    "a salt replaced": (run("update lineage.salts set salt = 'x' where person = 'C2'"), "line 5 of a: altered"),
    "a leaf on record altered": (
        run("update lineage.audit_leaves set leaf = '00' where leaf_index = 2"),
        "entry 2 (ledger event 3): the log and the leaf on record differ",
    ),
    "a leaf on record removed": (
        run("delete from lineage.audit_leaves where leaf_index = 2"),
        "ledger event 3: in the log, but not on record",
    ),
    "leaves on record swapped": (
        run("update lineage.audit_leaves set leaf_index = 1 - leaf_index where leaf_index < 2"),
        "entry 0 (ledger event 2): stands at another place",
    ),
    "a head replaced": (run("update lineage.audit_heads set root = '00' where size = 7"), "is not the one on record"),
    "the first segment removed": (
        lambda log: segments_in(log.folder)[0].unlink(),
        "the segment up to entry 7 is missing",
    ),
    "the last segment removed": (
        lambda log: segments_in(log.folder)[1].unlink(),
        "the segment up to entry 16 is missing",
    ),
    "a segment that is no JSON": (
        lambda log: segments_in(log.folder)[1].write_text("{"),
        "cannot be read as a segment",
    ),
    "an entry of a segment altered": (
        document(0, lambda told: told["entries"][2].update(content="00")),
        "entry 2 (ledger event 3): the log and the leaf on record differ",
    ),
    "an entry of a segment removed": (
        document(0, lambda told: told["entries"].pop(2)),
        "entry 2 (ledger event 3): on record, but not in the log",
    ),
    "entries of a segment swapped": (document(0, swapped), "entry 0 (ledger event 1): stands at another place"),
    "the lines of a segment altered": (
        document(0, lambda told: told["entries"][-1]["lines"].__setitem__(0, 2)),
        "line 2 of b: removed",
    ),
    "a row of a segment altered": (
        document(0, lambda told: told["entries"][-1].update(rows="A" + told["entries"][-1]["rows"][1:])),
        "do not give its root",
    ),
    "a root of a segment altered": (
        document(1, lambda told: told.update(root="00")),
        "its entries do not give its root",
    ),
}


@pytest.mark.parametrize("name", TAMPERINGS)
def test_a_tampering_is_named(log: AuditLog, name: str) -> None:
    tamper, expected = TAMPERINGS[name]
    tamper(log)
    assert [fault for fault in log.verify().faults if expected in fault], log.verify().faults


def test_what_nobody_touched_has_no_fault_and_is_added_once(log: AuditLog) -> None:
    found = log.verify()
    assert (found.faults, found.notes, found.size, found.answers) == ([], [], 16, FILES * LINES)
    assert log.append(NOW, "again").entries == 0
    assert log.verify() == found


def test_everything_rewritten_is_told_by_a_root_kept_elsewhere(log: AuditLog, tmp_path: Path) -> None:
    """Whoever owns the warehouse and the log can make both anew, without a fault; not the root that was written down."""
    root = log.verify().root
    tables = ("audit_leaves", "audit_heads", "salts")
    run(f"delete from {LOG} where log_file = 'a' and line = 1", *(f"delete from lineage.{name}" for name in tables))(
        log
    )
    forged = AuditLog(tmp_path / "forged", log.warehouse)
    forged.append(NOW, "forged")
    assert not forged.verify().faults
    assert [fault for fault in forged.verify(root=root).faults if root in fault]


def test_an_erased_person_is_no_fault_and_nothing_follows_from_the_id_any_more(log: AuditLog) -> None:
    with log.warehouse.transaction() as transaction:
        forget_person(transaction, "C2", NOW)
        transaction.execute(f"delete from {LOG} where customer_id = 'C2'")
    log.append(NOW, "third")
    found = log.verify()
    assert not found.faults
    assert any(re.match(r"18 answers are of people who were erased", note) for note in found.notes)
    assert any("cannot be compared" in note and "batch" in note for note in found.notes)
    assert log.warehouse.read("lineage.salts", where={"person": "C2"}).num_rows == 0
    run(f"delete from {LOG} where log_file = 'a' and line = 1")(log)
    assert [fault for fault in log.verify().faults if "line 1 of a: removed" in fault]
    run("delete from lineage.erased_answers where log_file = 'b' and line = 5")(log)
    assert [fault for fault in log.verify().faults if "erased answer b/5: removed" in fault]


def test_answers_deleted_by_age_are_counted(log: AuditLog) -> None:
    run(f"delete from {LOG} where log_file = 'a'")(log)
    found = log.verify(forgotten_before=NOW + dt.timedelta(days=1))
    assert not found.faults
    assert found.notes[0].startswith("40 answers are not there any more")


@pytest.mark.parametrize(("kind", "key"), [(LEDGER_EVENT, "3"), (ANSWERS, "c")])
def test_a_proof_leads_to_the_root(log: AuditLog, kind: str, key: str) -> None:
    told = log.prove(kind, key)
    steps = [bytes.fromhex(step) for step in told["proof"]]
    root = root_from_inclusion(told["position"], told["size"], bytes.fromhex(told["leaf"]), steps)
    assert root is not None
    assert root.hex() == log.verify().root == told["root"]


def test_what_is_not_in_the_log_has_no_proof(log: AuditLog) -> None:
    with pytest.raises(KeyError, match="no ledger event '99'"):
        log.prove(LEDGER_EVENT, "99")


def test_a_kill_between_segment_and_record_loses_and_doubles_nothing(log: AuditLog) -> None:
    """As if the warehouse had not committed: the segment is there, its leaves are not."""
    run(
        "delete from lineage.audit_leaves where leaf_index >= 7",
        "delete from lineage.audit_heads where size > 7",
    )(log)
    assert log.append(NOW, "again").size == 16
    assert not log.verify().faults
    assert len(list(log.folder.glob("*.unrecorded-0"))) == 1


def test_a_warehouse_older_than_its_log_is_not_added_to(log: AuditLog) -> None:
    run("delete from lineage.audit_leaves", "delete from lineage.audit_heads")(log)
    with pytest.raises(BrokenLogError, match="the warehouse is older than the log"):
        log.append(NOW, "again")
