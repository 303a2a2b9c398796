"""Answers become lines, lines become rows: none lost, none twice, damage kept aside."""

import datetime as dt
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from globolatte_assets.monitoring.log_lines import parse_log
from globolatte_ml.scoring.prediction_log import AnsweredCall, PredictionLog, finish_abandoned
from globolatte_ml.scoring.recommendations import RankedProduct, Recommendation
from resources.warehouse.predictions import ingest
from tests.builders import fetch

NOW = dt.datetime(2024, 1, 31, 12, 0, tzinfo=dt.UTC)


def answer(number=1):
    ranked = (RankedProduct("P1", "Latte", 0.75, 1), RankedProduct("P2", "Mocha", 0.25, 2))
    day = dt.date(2024, 1, 31)
    return Recommendation(f"pr_{number}", "C1", True, "BU_US", "Sunny", day, None, "3", "state", ranked)


def entry(*numbers):
    return AnsweredCall(NOW, "request", False, [answer(number) for number in numbers])


def ids(folder, pattern="*.jsonl"):
    lines = [line for path in folder.glob(pattern) for line in path.read_text().splitlines()]
    return sorted(json.loads(line)["prediction_id"] for line in lines)


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


def test_a_folder_that_cannot_be_written_is_counted_and_nothing_breaks(tmp_path):
    log = PredictionLog(tmp_path / "log", "blue")
    shutil.rmtree(tmp_path / "log")
    log.offer(entry(1, 2))
    log.close()
    assert log.counts() == {"waiting": 0, "written": 0, "dropped": 0, "failed": 2}


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
