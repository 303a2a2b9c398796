"""Answers become lines, lines become rows: none lost, none twice, damage kept aside."""

import datetime as dt
import json
import os
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import dagster as dg
import numpy as np
import pytest

from globolatte_assets.monitoring.log_lines import parse_log
from globolatte_assets.monitoring.prediction_log import prediction_log
from globolatte_ml.scoring.prediction_log import AnsweredCall, Loss, PredictionLog, finish_abandoned
from globolatte_ml.scoring.recommendations import RankedProduct, Recommendation
from resources.clock import Clock
from resources.endpoint.prediction_files import PredictionFiles
from resources.warehouse.predictions import ingest
from tests.builders import fetch
from tests.endpoint_builders import eventually

NOW = dt.datetime(2024, 1, 31, 12, 0, tzinfo=dt.UTC)


def answer(number=1):
    ranked = (RankedProduct("P1", "Latte", 0.75, 1), RankedProduct("P2", "Mocha", 0.25, 2))
    day = dt.date(2024, 1, 31)
    return Recommendation(f"pr_{number}", "C1", True, "BU_US", "Sunny", day, None, "3", "state", ranked)


def entry(*numbers):
    return AnsweredCall(NOW, "request", False, [answer(number) for number in numbers])


def ids(folder, pattern="*.jsonl"):
    lines = [line for path in folder.glob(pattern) for line in path.read_text().splitlines()]
    answers = [document for line in lines if "lost" not in (document := json.loads(line))]
    return sorted(document["prediction_id"] for document in answers)


def test_everything_offered_is_in_finished_files_after_closing(tmp_path):
    log = PredictionLog(tmp_path, "blue")
    assert all(log.offer(entry(number)) for number in range(200))
    log.close()
    assert len(ids(tmp_path)) == 200
    assert log.counts() == {"waiting": 0, "written": 200, "dropped": 0, "failed": 0}
    assert not list(tmp_path.glob("*.part"))


def test_a_full_queue_drops_and_counts_without_waiting(tmp_path):
    log = PredictionLog(tmp_path, "blue", queue_answers=3)
    assert log.offer(entry(1, 2))
    assert not log.offer(entry(3, 4))
    assert log.offer(entry(5))
    log.close()
    assert log.counts()["dropped"] == 2
    assert ids(tmp_path) == ["pr_1", "pr_2", "pr_5"]
    assert not log.offer(entry(6))


def test_files_are_finished_by_size_and_by_age(tmp_path):
    log = PredictionLog(tmp_path, "blue", rotate_seconds=0.1, rotate_bytes=1)
    for number in range(3):
        log.offer(entry(number))
        time.sleep(0.3)
    assert len(list(tmp_path.glob("*.jsonl"))) >= 2
    log.close()
    assert ids(tmp_path) == ["pr_0", "pr_1", "pr_2"]


# What other programs and disks do --------------------------------------------------------------------------------------


@contextmanager
def file_size_limit(limit):
    """No file of this process can grow beyond so many bytes meanwhile: what a full disk or a quota does to the log."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_full_disk_keeps_the_answers_and_the_file_and_goes_on_when_there_is_room(tmp_path):
    log = PredictionLog(tmp_path, "blue")
    log.offer(entry(1))
    eventually(lambda: log.counts()["written"] == 1)
    with file_size_limit(700):  # the second answer finds room for its first bytes only
        log.offer(entry(2))
        log.offer(entry(3))
        eventually(lambda: "File too large" in (log.status()["fault"] or ""))
        time.sleep(1.2)
        assert len(list(tmp_path.iterdir())) == 1
        assert log.counts() == {"waiting": 2, "written": 1, "dropped": 0, "failed": 0}
    eventually(lambda: log.status()["fault"] is None)
    log.close()
    [file] = tmp_path.iterdir()
    assert [row["prediction_id"] for row in parse_log(file).rows.to_pylist()] == ["pr_1", "pr_2", "pr_3"]
    assert log.counts() == {"waiting": 0, "written": 3, "dropped": 0, "failed": 0}


def test_what_found_no_room_while_the_disk_was_full_stands_in_the_log_and_in_the_warehouse(tmp_path, warehouse):
    log = PredictionLog(tmp_path / "log", "blue", queue_answers=2)
    with file_size_limit(0):
        assert log.offer(entry(1, 2))
        eventually(lambda: log.status()["fault"])
        assert not log.offer(entry(3, 4))
        assert not log.offer(entry(5))
    eventually(lambda: log.counts()["written"] == 2)
    log.close()
    [file] = (tmp_path / "log").iterdir()
    parsed = parse_log(file)
    assert (parsed.rows.num_rows, parsed.lost, log.counts()["dropped"]) == (2, 3, 3)
    assert ingest(warehouse, parsed, "run", NOW.replace(tzinfo=None))
    [(reason,)] = fetch(warehouse, "select reason from monitoring.prediction_log_rejects")
    assert "3 answers of blue are not in the log" in reason
    assert "File too large" in reason


def test_the_open_file_of_which_a_cleaner_took_the_name_goes_on_in_another_with_all_its_lines(tmp_path):
    log = PredictionLog(tmp_path, "blue")
    log.offer(entry(1, 2))
    eventually(lambda: log.counts()["written"] == 2)
    for path in tmp_path.iterdir():
        path.unlink()
    log.offer(entry(3))
    eventually(lambda: log.counts()["written"] == 3)
    log.close()
    assert ids(tmp_path) == ["pr_1", "pr_2", "pr_3"]
    assert log.status() | {"bytes": 0} == {
        "waiting": 0,
        "written": 3,
        "dropped": 0,
        "failed": 0,
        "probes": 0,
        "bytes": 0,
        "writer_restarts": 0,
        "fault": None,
    }


def test_a_folder_that_was_removed_is_made_again_and_nothing_is_lost(tmp_path):
    log = PredictionLog(tmp_path / "log", "blue")
    log.offer(entry(1))
    eventually(lambda: log.counts()["written"] == 1)
    shutil.rmtree(tmp_path / "log")
    log.offer(entry(2))
    log.close()
    assert ids(tmp_path / "log") == ["pr_1", "pr_2"]


def test_a_home_that_was_moved_away_is_not_made_again_at_its_old_place(tmp_path):
    log = PredictionLog(tmp_path / "endpoints" / "log", "blue")
    log.offer(entry(1))
    eventually(lambda: log.counts()["written"] == 1)
    (tmp_path / "endpoints").rename(tmp_path / "elsewhere")
    log.offer(entry(2))
    eventually(lambda: "No such file or directory" in (log.status()["fault"] or ""))
    log.close()
    assert [path.name for path in tmp_path.iterdir()] == ["elsewhere"]
    assert log.counts() == {"waiting": 0, "written": 1, "dropped": 0, "failed": 1}


def test_an_open_file_that_another_program_cut_goes_on_and_the_lines_cut_off_are_counted(tmp_path):
    log = PredictionLog(tmp_path, "blue")
    log.offer(entry(1, 2, 3))
    eventually(lambda: log.counts()["written"] == 3)
    [path] = tmp_path.iterdir()
    os.truncate(path, path.stat().st_size - 10)
    eventually(lambda: log.counts()["failed"] == 1)
    assert log.counts()["written"] == 2, "what was cut off is in no file"
    log.offer(entry(4))
    log.close()
    [file] = tmp_path.iterdir()
    parsed = parse_log(file)
    assert [row["prediction_id"] for row in parsed.rows.to_pylist()] == ["pr_1", "pr_2", "pr_4"]
    assert (parsed.lost, parsed.rejects.num_rows) == (1, 1)


def test_a_folder_that_cannot_be_written_is_said_and_no_answer_fails(tmp_path):
    (tmp_path / "log").write_text("")  # not even root can make a folder there
    log = PredictionLog(tmp_path / "log", "blue")
    assert log.offer(entry(1, 2))
    eventually(lambda: "not logged" in (log.status()["fault"] or ""))
    (tmp_path / "log").unlink()
    eventually(lambda: log.counts()["written"] == 2)
    log.close()
    assert ids(tmp_path / "log") == ["pr_1", "pr_2"]


def test_what_cannot_be_written_until_the_end_is_counted_as_failed(tmp_path, caplog):
    (tmp_path / "log").write_text("")
    log = PredictionLog(tmp_path / "log", "blue")
    log.offer(entry(1, 2))
    log.close()
    assert log.counts() == {"waiting": 0, "written": 0, "dropped": 0, "failed": 2}
    assert "2 answers are lost" in caplog.text


class Ending(AnsweredCall):
    """A call whose line ends the thread that makes it, once."""

    lived: ClassVar[list[str]] = []

    def lines(self, deployment):
        if not self.lived:
            self.lived.append(deployment)
            raise SystemExit
        return super().lines(deployment)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_writer_that_died_is_started_again_counted_and_loses_nothing(tmp_path):
    log = PredictionLog(tmp_path, "blue")
    log.offer(Ending(NOW, "request", False, [answer(1)]))
    eventually(lambda: log.status()["writer_restarts"] == 1)
    eventually(lambda: log.counts()["written"] == 1)
    log.close()
    assert ids(tmp_path) == ["pr_1"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_a_writer_that_died_left_is_written_when_the_log_is_closed(tmp_path):
    log, before = PredictionLog(tmp_path, "blue"), set(Ending.lived)
    Ending.lived.clear()
    log.offer(Ending(NOW, "request", False, [answer(1)]))
    eventually(lambda: set(Ending.lived) and not log._thread.is_alive())
    log.close()  # nobody has looked at it since
    Ending.lived[:] = before
    assert log.counts() == {"waiting": 0, "written": 1, "dropped": 0, "failed": 0}
    assert ids(tmp_path) == ["pr_1"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_what_a_writer_that_died_left_on_a_disk_that_takes_nothing_is_counted(tmp_path, caplog):
    log = PredictionLog(tmp_path / "log", "blue")
    Ending.lived.clear()
    log.offer(Ending(NOW, "request", False, [answer(1)]))
    eventually(lambda: Ending.lived and not log._thread.is_alive())
    shutil.rmtree(tmp_path / "log")
    (tmp_path / "log").write_text("")
    log.close()
    assert log.counts() == {"waiting": 0, "written": 0, "dropped": 0, "failed": 1}
    assert "1 answers are lost" in caplog.text


def test_an_answer_of_which_no_line_can_be_made_is_counted_and_stops_no_other(tmp_path):
    log = PredictionLog(tmp_path, "blue")
    log.offer(AnsweredCall(NOW, "request", False, [replace(answer(1), customer_id=b"no text")]))
    log.offer(entry(2))
    log.close()
    assert (log.counts()["written"], log.counts()["failed"]) == (1, 1)
    [file] = tmp_path.iterdir()
    assert (parse_log(file).rows.num_rows, parse_log(file).lost) == (1, 1)


def test_a_probe_is_in_the_file_and_never_counted_as_a_prediction(tmp_path):
    log = PredictionLog(tmp_path, "blue")
    log.offer(entry(1))
    log.offer(AnsweredCall(NOW, "doctor", False, [answer(2)], probe=True))
    log.close()
    assert (log.counts()["written"], log.status()["probes"]) == (1, 1)
    [file] = tmp_path.iterdir()
    parsed = parse_log(file)
    assert (parsed.lines, parsed.rows.num_rows, parsed.rejects.num_rows) == (1, 1, 0)
    assert ids(tmp_path) == ["pr_1", "pr_2"]


def test_a_killed_writers_file_is_finished_by_another_and_a_living_ones_is_not(tmp_path):
    program = (
        "import sys, time; from pathlib import Path; from globolatte_ml.scoring.prediction_log import PredictionLog, AnsweredCall;"
        "import tests.unit.endpoints.test_prediction_log as t;"
        f"PredictionLog(Path({str(tmp_path)!r}), 'green').offer(t.entry(7)); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(Path.cwd())}) as writer:
        deadline = time.monotonic() + 20
        while not ids(tmp_path, "*.part") and time.monotonic() < deadline:
            time.sleep(0.05)
        assert finish_abandoned(tmp_path) == []
        writer.send_signal(signal.SIGKILL)
    assert len(finish_abandoned(tmp_path)) == 1
    assert ids(tmp_path) == ["pr_7"]


def log_file(folder, *lines, end="\n"):
    path = folder / "blue-1-1-1.jsonl"
    path.write_text("\n".join(lines) + end)
    return path


def test_a_line_becomes_a_row(tmp_path):
    parsed = parse_log(log_file(tmp_path, *entry(1).lines("blue")))
    [row] = parsed.rows.to_pylist()
    assert row["answered_at"] == NOW.replace(tzinfo=None)
    assert (row["log_file"], row["line"], row["top_product"]) == ("blue-1-1-1.jsonl", 1, "P1")
    assert json.loads(row["probabilities"]) == {"P1": 0.75, "P2": 0.25}


def test_of_a_large_catalogue_the_best_are_logged_and_the_others_summed_up(tmp_path):
    shares = np.array([0.5, *np.full(249, 0.5 / 249)])
    ranked = tuple(RankedProduct(f"P{i:03d}", "x", share, i + 1) for i, share in enumerate(shares.tolist()))
    of_many = replace(answer(1), ranked=ranked[:120], products=250)
    parsed = parse_log(log_file(tmp_path, *AnsweredCall(NOW, "request", False, [of_many, answer(2)]).lines("blue")))
    large, small = parsed.rows.to_pylist()
    logged = json.loads(large["probabilities"])
    assert list(logged) == [f"P{i:03d}" for i in range(100)]
    assert (large["top_product"], large["rest_products"]) == ("P000", 150)
    assert large["rest_probability"] == pytest.approx(1.0 - sum(logged.values()))
    assert (small["rest_products"], small["rest_probability"]) == (None, None)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda line: line[:40], "is not JSON"),
        (lambda line: line.replace('"deployment":"blue",', ""), "field deployment is missing"),
        (lambda line: line.replace('"2024-01-31"', '"yesterday"'), "yesterday"),
        (lambda line: line.replace('"customer_id":"C1"', '"customer_id":1'), "customer_id is no text"),
        (lambda _: "[]", "list"),
        (lambda _: "", "is not JSON"),
    ],
)
def test_a_damaged_line_is_stored_aside_and_the_others_count(tmp_path, damage, reason):
    [good] = entry(1).lines("blue")
    parsed = parse_log(log_file(tmp_path, good, damage(good), good))
    assert (parsed.lines, parsed.rows.num_rows) == (3, 2)
    [reject] = parsed.rejects.to_pylist()
    assert reject["line"] == 2
    assert reason in reject["reason"]
    assert reject["raw_text"] == damage(good)


def test_a_last_line_that_was_cut_off_is_rejected(tmp_path):
    [good] = entry(1).lines("blue")
    parsed = parse_log(log_file(tmp_path, good, good[:-9], end=""))
    assert (parsed.rows.num_rows, parsed.rejects.num_rows) == (1, 1)


def test_a_file_is_taken_in_once(tmp_path, warehouse):
    [good] = entry(1).lines("blue")
    parsed = parse_log(log_file(tmp_path, good, good, "damage"))
    assert ingest(warehouse, parsed, "run", NOW.replace(tzinfo=None))
    assert not ingest(warehouse, parsed, "again", NOW.replace(tzinfo=None))
    assert fetch(warehouse, "select count(*) from monitoring.prediction_log") == [(2,)]
    assert fetch(warehouse, "select line, raw_text from monitoring.prediction_log_rejects") == [(3, "damage")]
    assert fetch(
        warehouse, "select lines, rows_ingested, rows_rejected, run_id from monitoring.prediction_log_files"
    ) == [(3, 2, 1, "run")]


def load(folder, warehouse, moment, days=None, *lines):
    """The asset, at a moment, with these lines in a finished file."""
    folder.mkdir(exist_ok=True)
    if lines:
        (folder / f"blue-{moment:%Y%m%d%H}.jsonl").write_text("\n".join(lines))
    resources = {
        "warehouse": warehouse,
        "predictions": PredictionFiles(folder=str(folder), days=days),
        "clock": Clock(fixed_at=moment.isoformat()),
    }
    result = dg.materialize([prediction_log], resources=resources)
    [check] = result.get_asset_check_evaluations()
    [made] = result.asset_materializations_for_node("monitoring__prediction_log")
    return check.passed, made.metadata["forgotten_answers"].value


def asked(warehouse):
    return [
        name for (name,) in fetch(warehouse, "select request_id from monitoring.prediction_log order by answered_at")
    ]


def answered(at, name):
    [line] = AnsweredCall(at, name, False, [answer(1)]).lines("blue")
    return line


def test_answers_are_kept_for_as_long_as_the_setting_says(tmp_path, warehouse):
    day = dt.timedelta(days=1)
    for number in range(10):
        at = NOW + number * day
        load(tmp_path / "log", warehouse, at, None, answered(at, f"day {number}"))
    assert len(asked(warehouse)) == 10, "for ever, where nothing is set"
    last = NOW + 9 * day
    assert load(tmp_path / "log", warehouse, last, 5) == (True, 3), "without a new file, too"
    assert asked(warehouse)[0] == "day 3"
    assert load(tmp_path / "log", warehouse, last, 5) == (True, 0)


def test_a_clock_that_is_ahead_makes_nothing_forgotten(tmp_path, warehouse):
    day = dt.timedelta(days=1)
    for number in range(4):
        at = NOW + number * day
        load(tmp_path / "log", warehouse, at, 30, answered(at, f"day {number}"))
    ahead = NOW + 365 * day
    load(tmp_path / "log", warehouse, ahead, 30)
    load(tmp_path / "log", warehouse, ahead, 30, answered(ahead, "ahead"))
    load(tmp_path / "log", warehouse, ahead + day, 30, answered(ahead + day, "ahead, a day later"))
    assert len(asked(warehouse)) == 6
    assert load(tmp_path / "log", warehouse, NOW + 4 * day, 30) == (True, 0), "nor when it is set right"


def test_lost_answers_are_shown_for_a_week_and_not_by_one_load_alone(tmp_path, warehouse):
    lost = Loss(3, NOW, NOW, "no space left").line("blue")
    assert load(tmp_path / "log", warehouse, NOW, None, lost)[0] is False
    later = [NOW + dt.timedelta(days=days) for days in (1, 6, 8)]
    shown = [load(tmp_path / "log", warehouse, at, None, answered(at, "fine"))[0] for at in later]
    assert shown == [False, False, True]


@pytest.mark.parametrize("products", [6, 100])
def test_an_answer_takes_the_bytes_that_the_docs_say(products):
    shares = [0.1234567890123456] * products
    ranked = tuple(RankedProduct(f"P{n:03}", "Latte", share, n) for n, share in enumerate(shares, start=1))
    full = replace(
        answer(1), prediction_id="pr_" + "0" * 20, customer_id="C00001", state_version="0" * 16, ranked=ranked
    )
    [line] = AnsweredCall(NOW, "0" * 32, False, [full]).lines("blue")
    page = (Path(__file__).parents[3] / "docs" / "endpoint.md").read_text()
    fixed, each = map(int, re.search(r"about (\d+) bytes and (\d+) for each product", page).groups())
    assert len(line) == pytest.approx(fixed + each * products, rel=0.1)


def test_a_log_file_that_cannot_be_read_stops_no_other(tmp_path, warehouse):
    folder = tmp_path / "log"
    folder.mkdir()
    (folder / "a.jsonl").mkdir()  # not even root can read it as a file
    [good] = entry(1).lines("blue")
    (folder / "b.jsonl").write_text(f"{good}\n{_loss_of(4)}\n")
    (folder / "empty.jsonl").touch()
    resources = {"warehouse": warehouse, "predictions": PredictionFiles(folder=str(folder)), "clock": Clock()}
    result = dg.materialize([prediction_log], resources=resources, raise_on_error=False)
    assert not result.success
    [failure] = result.get_step_failure_events()
    assert "a.jsonl: Is a directory" in str(failure.step_failure_data.error)
    [check] = result.get_asset_check_evaluations()
    assert (check.passed, check.metadata) == (False, {})
    assert "4 answers are in no log" in str(check.description)
    assert [path.name for path in folder.iterdir()] == ["a.jsonl"]
    assert fetch(warehouse, "select count(*) from monitoring.prediction_log") == [(1,)]


def _loss_of(answers):
    return Loss(answers, NOW, NOW, "the disk was full").line("blue")
