"""The audit log does the same on each warehouse."""

import datetime as dt
from pathlib import Path

import pytest

from globolatte_lineage.audit_log import AuditLog
from tests.contracts.warehouses import WAREHOUSES
from tests.unit.lineage.test_audit_log import EVENTS, FILES, LINES, LOG, filled, forget_person, run

NOW = dt.datetime(2024, 3, 2, tzinfo=dt.UTC).replace(tzinfo=None)


@pytest.mark.parametrize("made_by", WAREHOUSES, ids=lambda made_by: made_by.__name__)
def test_what_was_altered_is_named_on_each_warehouse(made_by, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    log: AuditLog = filled(made_by(request, tmp_path), tmp_path / "segments")
    assert (log.verify().faults, log.verify().answers) == ([], FILES * LINES)
    with log.warehouse.transaction() as transaction:
        forget_person(transaction, "C2", NOW)
    log.append(NOW, "third")
    run(
        f"delete from {EVENTS} where sequence = 4", f"update {LOG} set weather = 'x' where log_file = 'b' and line = 1"
    )(log)
    assert sorted(log.verify().faults) == [
        "answer in line 1 of b: altered since it was logged",
        "ledger event 4: removed since it was logged",
    ]
