"""The entry script of batch scoring: `init` and `run(mini_batch)` as Azure ML's batch deployments call them, the same code on this machine.

Files of questions in, rows of answers out: each file has one question a line, as JSON, by the rules of the online endpoint. A file with
a fault is refused as a whole, with each faulty line; files that are hidden or of the system are left out.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from globolatte_ml.data.columns import InvalidDataError
from globolatte_ml.data.ranking import CELLS_AT_ONCE
from globolatte_ml.data.vocabulary import DAYPARTS
from globolatte_ml.job_entry import exit_code, parser_of, say
from globolatte_ml.scoring.recommendations import Request
from globolatte_ml.scoring.score_body import MAX_REQUESTS, BodyError, parse_line
from globolatte_ml.scoring.service import Service

COLUMNS = (
    *("prediction_id", "customer_id", "business_unit", "date", "weather", "daypart"),
    *("rank", "product_id", "probability", "model_version", "state_version", "question_file", "question_line"),
)
"""Of the answers, a row a product: comma-separated with a header, whatever the service between wrote."""
FAULTS = ".faults.txt"
"""Behind a file's name: what is wrong with it, in the platform's folder of answers."""
SHOWN_FAULTS = 10
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_service: list[Service] = []


def init() -> None:
    """Called once in each worker."""
    _service[:] = [replace(Service.from_environment(os.environ), log=None)]


def run(mini_batch: Sequence[str]) -> pd.DataFrame | list[str]:
    """Answers the questions of some files: a row a product, best first. Raises `InvalidDataError` naming file, line and field.

    Where `GLOBOLATTE_BATCH_OUTPUT` is `files`, the answers to each file are written to a file of its name, ending in .csv, in the
    folder that the platform names, and those names are returned. Files of the same name in several folders are not distinguished.
    Faults go to files beside the answers too, since the platform may keep an error's text where nobody finds it.
    """
    in_files = os.environ.get("GLOBOLATTE_BATCH_OUTPUT") == "files"
    beside = os.environ.get("AZUREML_BI_OUTPUT_PATH")
    tables, faults = [pd.DataFrame(columns=COLUMNS)], []
    for path in mini_batch:
        if is_hidden(Path(path).name):
            continue
        try:
            answers = _answers(Path(path))
        except InvalidDataError as error:
            faults.append(str(error))
            if beside:
                (Path(beside) / f"{Path(path).name}{FAULTS}").write_text(f"{error}\n", encoding="utf-8")
            continue
        if in_files:
            _write(answers, Path(os.environ["AZUREML_BI_OUTPUT_PATH"]) / answers_of(path))
        else:
            tables += answers
    if faults:
        raise InvalidDataError("\n".join(faults))
    if in_files:
        return [answers_of(path) for path in mini_batch]
    return pd.concat([table for table in tables if len(table)] or tables, ignore_index=True)


def answers_of(path: str) -> str:
    """The name of the file of answers to a file of questions."""
    return f"{Path(path).name}.csv"


def is_hidden(name: str) -> bool:
    """Whether a file's or folder's name says that it is no question: of a system, or another program's own note (`_SUCCESS`)."""
    return name.startswith((".", "_")) or name.lower() in {"thumbs.db", "desktop.ini"}


def _write(tables: Iterator[pd.DataFrame], file: Path) -> None:
    """Writes the answers as they come; the file is there once all are."""
    new = file.with_name(f".{file.name}.new")
    pd.DataFrame(columns=COLUMNS).to_csv(new, index=False)
    for table in tables:
        table.to_csv(new, index=False, header=False, mode="a")
    new.replace(file)


def _answers(file: Path) -> Iterator[pd.DataFrame]:
    """The answers to the questions of a file, in pieces. Raises `InvalidDataError` at once if the file has a fault."""
    return _answered(file.name, _questions_of(file))


def _answered(file_name: str, questions: Sequence[tuple[int, Request]]) -> Iterator[pd.DataFrame]:
    scorer = _service[0].states.current
    at_once = max(1, min(MAX_REQUESTS, CELLS_AT_ONCE // (len(DAYPARTS) * len(scorer.products))))
    for start in range(0, len(questions), at_once):
        part = questions[start : start + at_once]
        rows = []
        for (line, _), answer in zip(part, scorer.recommend([request for _, request in part]), strict=True):
            said = {**vars(answer), **answer.question, "question_file": file_name, "question_line": line}
            for product in answer.ranked:
                row = {**said, **vars(product)}
                rows.append([row[name] for name in COLUMNS])
        yield pd.DataFrame(rows, columns=COLUMNS)


def _questions_of(file: Path) -> list[tuple[int, Request]]:
    """The questions of a file with the numbers of their lines, from 1. Raises `InvalidDataError` naming its faulty lines."""
    service = _service[0]
    words, now = service.states.current.words, service.now()
    questions, faults = [], []
    # lines end with \n alone: what `str.splitlines` takes for an end as well can stand within a JSON text
    for number, line in enumerate(file.read_bytes().removeprefix(BYTE_ORDER_MARK).split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            questions.append((number, parse_line(line, words, now)))
        except BodyError as error:
            faults.append(f"{file.name}, line {number}: {error}")
    if len(faults) > SHOWN_FAULTS:
        rest = len(faults) - SHOWN_FAULTS
        faults[SHOWN_FAULTS:] = [f"{file.name}: {rest} more {'line is' if rest == 1 else 'lines are'} at fault"]
    if faults:
        raise InvalidDataError(
            "\n".join([*faults, f"{file.name}: nothing of it is answered; correct it and run it again"])
        )
    return questions


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m globolatte_ml.batch_score --out FILE QUESTIONS…`: the same on this machine; 2 where a file has a fault."""
    parser = parser_of("batch_score", "Answer files of questions.", out="CSV file to write")
    parser.add_argument("questions", nargs="+", help="files with one question a line, as JSON")
    options = parser.parse_args(arguments)

    def work() -> None:
        init()
        files = [Path(file) for file in options.questions]
        hidden = [file for file in files if is_hidden(file.name)]
        for file in hidden:
            say(f"{file}: is a hidden file, no questions; it is left out")
        _write(itertools.chain.from_iterable([_answers(file) for file in files if file not in hidden]), options.out)

    return exit_code(work)


if __name__ == "__main__":
    sys.exit(main())
