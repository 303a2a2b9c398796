"""Faults of commands and of files that they are given, on the copy or beside it."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from globolatte_cli.drill.answers import question_for
from globolatte_cli.drill.stage import Fault, Stage
from resources.environment import endpoint_of, ml_of
from resources.ml.ml_platform import CHAMPION
from resources.settings.settings import PROJECT_ROOT

LINES, BAD_LINE = 2000, 1500
Work = Callable[[Stage, Path], str]


def _done(name: str, kind: str, what: str, work: Work, words: str) -> Fault:
    """Something is done in a folder beside the copy, and what comes of it must say these words."""

    @contextmanager
    def play(stage: Stage) -> Iterator[None]:
        with tempfile.TemporaryDirectory(dir=stage.home.parent) as folder:
            stage.told["said"] = work(stage, Path(folder))
            yield

    def seen(stage: Stage) -> str | None:
        said = stage.told.get("said", "")
        return said[-300:] if words in said else None

    return Fault(name, kind, what, play, seen, patience=0.0)


def _batch(stage: Stage, folder: Path, *files: Path) -> subprocess.CompletedProcess[str]:
    champion = ml_of(stage.settings).model(CHAMPION)
    if champion is None:
        raise FileNotFoundError("there is no champion")
    environment = {
        **os.environ,
        "AZUREML_MODEL_DIR": str(champion.folder),
        "GLOBOLATTE_STATE_POINTER": str(stage.settings.endpoints_folder / "current_state"),
    }
    command = [
        sys.executable,
        "-m",
        "globolatte_ml.batch_score",
        "--out",
        str(folder / "answers.csv"),
        *map(str, files),
    ]
    return subprocess.run(
        command, cwd=PROJECT_ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False
    )


def _questions(stage: Stage) -> list[str]:
    return [json.dumps(question_for(stage))] * LINES


def _bad_line(stage: Stage, folder: Path) -> str:
    file, lines = folder / "questions.jsonl", _questions(stage)
    file.write_text("\n".join(lines))
    good = _batch(stage, folder, file)
    if good.returncode:
        raise ValueError(f"good questions are not answered: {good.stderr[-500:]}")
    lines[BAD_LINE - 1] = json.dumps(question_for(stage) | {"region": "drill-nowhere"})
    file.write_text("\n".join(lines))
    bad = _batch(stage, folder, file)
    return f"batch, exit code {bad.returncode}: {bad.stderr}"


def _hidden_file(stage: Stage, folder: Path) -> str:
    file, hidden = folder / "questions.jsonl", folder / ".DS_Store"
    file.write_text("\n".join(_questions(stage)))
    hidden.write_bytes(b"\0\1")
    done = _batch(stage, folder, hidden, file)
    answered = {line.split(",")[-1] for line in (folder / "answers.csv").read_text().splitlines()[1:]}
    return f"batch, exit code {done.returncode}: {len(answered)} questions answered; {done.stdout}{done.stderr}"


def _elsewhere(stage: Stage, folder: Path) -> str:
    """A copy of what serving needs, while the original is there: the copy's own files are used."""
    shutil.copytree(stage.settings.mlflow_folder, folder / "mlflow")
    shutil.copytree(stage.settings.endpoints_folder / "states", folder / "endpoints" / "states")
    settings = stage.settings.model_copy(update={"home": folder})
    champion = ml_of(settings).model(CHAMPION)
    if champion is None or not champion.folder.is_relative_to(folder):
        return f"the champion of the copied home is {champion and champion.folder}"
    missing = [name for name in ("MLmodel",) if not (champion.folder / name).exists()]
    runs = endpoint_of(settings).observed().running
    return f"the copied home reads its own champion: missing {missing}, an endpoint runs for it: {runs}"


def _file_for_a_home(stage: Stage, folder: Path) -> str:
    (folder / "home").write_text("")
    done = stage.globolatte("run", GLOBOLATTE_HOME=str(folder / "home"))
    traceback = "a traceback" if "Traceback" in done.stderr else "one line"
    return f"run, exit code {done.returncode}, {traceback}: {done.stderr}"


def _home_with_a_hash(stage: Stage, folder: Path) -> str:
    done = stage.globolatte("doctor", GLOBOLATTE_HOME=str(folder / "home#1"))
    beside = [path.name for path in folder.iterdir()]
    return f"doctor, exit code {done.returncode}, made: {beside}: {done.stderr}"


PROGRAMS: tuple[Fault, ...] = (
    _done(
        "bad-line-in-a-batch",
        "a batch with a fault",
        "line 1,500 of 2,000 names no region",
        _bad_line,
        f"questions.jsonl, line {BAD_LINE}: ",
    ),
    _done(
        "hidden-file-in-a-batch",
        "a batch with a fault",
        "a hidden file among the questions",
        _hidden_file,
        f"exit code 0: {LINES} questions",
    ),
    _done(
        "home-elsewhere",
        "a home that was moved or copied",
        "the home is copied to another place",
        _elsewhere,
        "its own champion: missing [], an endpoint runs for it: False",
    ),
    _done(
        "home-not-writable",
        "a home that cannot be written",
        "a file is where the home is to be",
        _file_for_a_home,
        "exit code 1, one line: ",
    ),
    _done(
        "home-with-a-hash",
        "a home of an odd name",
        "GLOBOLATTE_HOME has a # in it",
        _home_with_a_hash,
        "exit code 1, made: []: ",
    ),
)
