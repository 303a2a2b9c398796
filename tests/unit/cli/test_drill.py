"""The drill plays faults on a copy, leaves the home as it is, and fails if a fault is silent."""

import hashlib
import json
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from globolatte_cli.drill import command
from globolatte_cli.drill.answers import said_lost, unlogged
from globolatte_cli.drill.command import FAULTS, drill
from globolatte_cli.drill.deliveries import COLUMNS, DELIVERIES
from globolatte_cli.drill.passes import Pass, Records, all_together, judged
from globolatte_cli.drill.stage import Fault, Loss, Outcome, Play, Stage, copy_of, played
from globolatte_cli.errors import UserError
from globolatte_ml.scoring.prediction_log import FINISHED, UNFINISHED
from resources.settings.settings import Settings
from tests.homes import Home, NewHome


def files_in(home: Home) -> dict[str, str]:
    """The content of all files, by their path."""
    found = (file for file in home.folder.rglob("*") if file.is_file())
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in found}


def drilled(home: Home, *arguments: str) -> Result:
    with pytest.MonkeyPatch.context() as patch:
        for name in Settings(home=home.folder).environment_variables():
            patch.setenv(name, "")  # what a drill passes on to its children ends with it
        return CliRunner().invoke(drill, ["--home", str(home.folder), "--json", *arguments])


def test_it_says_what_showed_a_fault_and_leaves_the_home_as_it_is(home_that_ran: NewHome) -> None:
    home = home_that_ran()
    before = files_in(home)
    result = drilled(home, "--only", "disk-full", "--only", "champion-emptied")
    assert result.exit_code == 0, result.output
    shown = {one["fault"]: one for one in json.loads(result.stdout)}
    assert set(shown) == {"disk-full", "champion-emptied"}
    assert "nothing can be written" in shown["disk-full"]["by"]
    assert files_in(home) == before


def test_a_folder_that_the_home_links_to_is_copied_and_not_written_to(tmp_path: Path) -> None:
    home, shared = tmp_path / "home", tmp_path / "share"
    shared.mkdir()
    (shared / "products.csv").write_text("as it was")
    home.mkdir()
    (home / "warehouse.duckdb").touch()
    (home / "landing").symlink_to(shared)
    (home / "to_nothing").symlink_to(tmp_path / "nowhere")
    (home / "endpoints").mkdir()
    (home / "endpoints" / "key").write_text("of the original's callers")
    copy_of(home, tmp_path / "copy")
    (tmp_path / "copy" / "landing" / "products.csv").write_text("a fault")
    assert (shared / "products.csv").read_text() == "as it was"
    assert not [path for path in (tmp_path / "copy").rglob("*") if path.is_symlink() or path.name == "key"]


def fault(seen: Callable[[Stage], str | None], play: Play = lambda _: nullcontext(), unsaid: int = 0) -> Fault:
    """A fault of which so much is lost without a word."""
    return Fault("it", "test", "nothing", play, seen, lambda _: lambda: Loss(f"{unsaid} rows", unsaid), patience=0.0)


def broken(_: Stage) -> "nullcontext[None]":
    raise OSError("no room")


def shown_by_play(stage: Stage) -> "nullcontext[None]":
    stage.told["said"] = "here it is"
    return nullcontext()


def said(stage: Stage) -> str | None:
    return stage.told.get("said")


@pytest.mark.parametrize(
    ("played_fault", "outcome", "words"),
    [
        (fault(said, shown_by_play), Outcome.SHOWN, "here it is"),
        (fault(lambda _: None), Outcome.SILENT, ""),
        (fault(said, shown_by_play, unsaid=2), Outcome.LOST, "here it is"),
        (fault(lambda _: "always there"), Outcome.RED_BEFORE, "always there"),
        (fault(said, broken), Outcome.NOT_PLAYED, "no room"),
    ],
    ids=["shown", "silent", "lost without a word", "red before", "not played"],
)
def test_only_what_shows_a_fault_and_tells_its_loss_is_fine(played_fault: Fault, outcome: Outcome, words: str) -> None:
    shown = played(played_fault, Stage(Settings()))
    assert (shown.outcome, shown.fine) == (outcome, outcome is Outcome.SHOWN)
    assert words in shown.by
    assert shown.lost == ("not measured" if outcome in (Outcome.RED_BEFORE, Outcome.NOT_PLAYED) else shown.lost)


def test_a_fault_that_cannot_be_played_fails_the_drill_and_keeps_the_report_of_the_others(
    home_that_ran: NewHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    faults = (replace(fault(said, broken), name="broken"), replace(fault(said, shown_by_play), name="well"))
    monkeypatch.setattr(command, "STATES", faults)
    monkeypatch.setattr(command, "FAULTS", faults)
    result = drilled(home_that_ran(), "--only", "broken", "--only", "well")
    assert result.exit_code == 1
    outcomes = {one["fault"]: one["outcome"] for one in json.loads(result.stdout)}
    assert outcomes == {"broken": "could not be played", "well": "shown"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_as_an_exception_does_and_a_second_one_waits(number: signal.Signals) -> None:
    before, undone = signal.getsignal(number), []

    def interrupted() -> None:
        with command.ended_by_a_signal():
            try:
                os.kill(os.getpid(), number)
                time.sleep(10)
            finally:
                os.kill(os.getpid(), number)
                undone.append("what was started is stopped")

    with pytest.raises(SystemExit) as ended:
        interrupted()
    assert (ended.value.code, undone) == (128 + number, ["what was started is stopped"])
    assert signal.getsignal(number) == before


def test_an_answer_that_is_not_in_the_log_is_a_loss_and_only_the_log_can_tell_it(tmp_path: Path) -> None:
    stage = Stage(Settings(home=tmp_path), given=["drill-1", "drill-2"])
    log = stage.endpoint.files.prediction_log
    log.mkdir(parents=True)
    (log / f"blue-1{UNFINISHED}").write_text('{"request_id": "drill-1"}\n{"request_id": "dri')
    assert (unlogged(stage, patience=0.0), said_lost(stage)) == ({"drill-2"}, 0)
    (log / f"blue-2{FINISHED}").write_text('{"lost": 1, "reason": "no room"}\n')
    assert (unlogged(stage, patience=0.0), said_lost(stage)) == ({"drill-2"}, 1)


# Deliveries are told by codes -------------------------------------------------------------------------------------------

NUMBER = next(one for one in DELIVERIES if one.name == "no-number")
LINES = b"\n".join([COLUMNS.encode(), b"1", b"2", b"3", b""])


def passed(entry: dict[str, Any] | None, reasons: Sequence[str], rows: int) -> Pass:
    """A pass in which a file of three lines got this entry, with so many rows loaded and these reasons in quarantine."""
    path, entries = (
        "sales/usa/no-number.csv",
        [{"path": "sales/usa/no-number.csv", "load_id": "1", **entry}] if entry else [],
    )
    quarantined = [{"load_id": "1", "reason": reason, "detail": "quantity 'x'"} for reason in reasons]
    before, after = Records([], [], Counter()), Records(entries, quarantined, Counter({"1": rows}))
    return Pass({"no-number": (path, LINES)}, before, after, f"quantity: number, in {path}", {}, 1.0)


IS_LOADED = {"status": "loaded", "reason_code": None, "reason": "a number", "rows_loaded": 2}


@pytest.mark.parametrize(
    ("entry", "reasons", "rows", "outcome"),
    [
        (IS_LOADED, ["bad_number"], 2, Outcome.SHOWN),
        (IS_LOADED, ["unknown_product"], 2, Outcome.SILENT),
        (IS_LOADED, ["bad_number"], 1, Outcome.LOST),
        (IS_LOADED, [], 3, Outcome.SILENT),
        (IS_LOADED | {"status": "refused", "reason_code": "not_text"}, [], 0, Outcome.SILENT),
        (None, [], 0, Outcome.SILENT),
    ],
    ids=["its code", "another code", "a row is nowhere", "no code", "another status", "no entry"],
)
def test_a_delivery_is_shown_by_its_code_alone_whatever_words_stand_around(
    entry: dict[str, Any] | None, reasons: Sequence[str], rows: int, outcome: Outcome
) -> None:
    assert judged(NUMBER, passed(entry, reasons, rows)).outcome is outcome


def test_rows_that_no_entry_names_are_a_loss_of_the_whole_pass() -> None:
    assert all_together(passed(IS_LOADED, [], 2), 1).fine
    assert all_together(passed(IS_LOADED, [], 1), 1).outcome is Outcome.LOST


def test_a_fault_that_is_not_known_is_refused_with_the_names_of_all(home_that_ran: NewHome) -> None:
    result = drilled(home_that_ran(), "--only", "nonsense")
    assert isinstance(result.exception, UserError)
    assert "there is no fault 'nonsense'; there are: registry-locked" in str(result.exception)


def test_there_are_enough_faults_each_with_a_name_of_its_own_in_the_docs() -> None:
    names = [fault.name for fault in FAULTS]
    assert len(names) == len(set(names)) >= 30
    page = (Path(__file__).parents[3] / "docs" / "drill.md").read_text()
    assert [name for name in names if f"`{name}`" not in page] == []


TROUBLE = {
    "folder, units and countries are named differently, or come and go": "units that come and go",
    "a country that no calendar has": "a country without a calendar",
    "a price that is none, or too fine": "a price list with a fault",
    "all days before the first": "a file out of place",
    "a trade after midnight": "a day that is not the folder's",
    "ids that repeat, or were rounded": "ids that are not what they were",
    "two receipts under one number": "one order of two customers",
    "the day's sales again; a retracted file copied back": "sales that come again",
    "a good file overwritten by its header": "a correction that takes away",
    "a unit's format changed": "a format that changed",
    "held for days, and said each time": "what waits is said each time",
    "titles, signs, encodings, packed files": "a file of another form",
    "numbers as others write them": "values of another form",
    "sales of nobody": "customers who are not known",
    "a refund": "a refund",
    "a home with # in its name": "a home of an odd name",
    "a read-only home": "a home that cannot be written",
    "a home copied, moved, restored": "a home that was moved or copied",
    "the machine was restarted": "a restart of the machine",
    "the registry is locked": "a database locked by another program",
    "the disk is full": "a full disk",
    "the open log is removed, or its disk full": "a log that lasts",
    "a process is killed": "a part is killed",
    "a port that another program has": "a port that is taken",
    "a new key": "a key is rotated",
    "gzip and other encodings": "a body in an encoding",
    "idle callers, endless headers": "more than a server can hold",
    "an upgrade, a scheme in small letters": "a caller's own way",
    "an id with a blank": "one rule for ids",
    "a batch with a hidden file, or a fault far down": "a batch with a fault",
}
"""Trouble that people met in the field and that can be played, and the kind of fault that plays it."""


@pytest.mark.parametrize("kind", TROUBLE.values(), ids=TROUBLE)
def test_trouble_that_people_met_has_a_fault(kind: str) -> None:
    assert [one.name for one in FAULTS if one.kind == kind]


@pytest.mark.depth
def test_no_fault_is_silent(home_that_ran: NewHome) -> None:
    result = drilled(home_that_ran())
    assert [one for one in json.loads(result.stdout) if one["outcome"] != "shown"] == []
    assert result.exit_code == 0
