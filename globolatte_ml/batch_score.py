"""The entry script of batch scoring: `init` and `run(mini_batch)` as Azure ML's batch deployments call them, the same code on this machine.

Files of questions in, rows of answers out: each file has one question a line, as JSON, like those of the online endpoint.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from globolatte_ml.job_entry import parser_of
from globolatte_ml.scoring.score_body import MAX_REQUESTS, BodyError
from globolatte_ml.scoring.service import Service

COLUMNS = (
    *("prediction_id", "customer_id", "business_unit", "date", "weather", "daypart"),
    *("rank", "product_id", "probability", "model_version", "state_version"),
)

_service: list[Service] = []


def init() -> None:
    """Called once in each worker."""
    _service[:] = [replace(Service.from_environment(os.environ), log=None)]


def run(mini_batch: Sequence[str]) -> pd.DataFrame | list[str]:
    """Answers the questions of some files: a row a product, best first. Raises `ValueError` naming file and line.

    Where `GLOBOLATTE_BATCH_OUTPUT` is `files`, the answers to each file are written to a file of its name, ending in .csv, in the
    folder that the platform names, and those names are returned. Files of the same name in several folders are not distinguished.
    """
    if os.environ.get("GLOBOLATTE_BATCH_OUTPUT") != "files":
        return _answers([Path(path) for path in mini_batch])
    folder = Path(os.environ["AZUREML_BI_OUTPUT_PATH"])
    for path in mini_batch:
        new = folder / f".{Path(path).name}.new"
        _answers([Path(path)]).to_csv(new, index=False)
        new.replace(folder / answers_of(path))
    return [answers_of(path) for path in mini_batch]


def answers_of(path: str) -> str:
    """The name of the file of answers to a file of questions."""
    return f"{Path(path).name}.csv"


def _answers(files: Sequence[Path]) -> pd.DataFrame:
    rows = [row for file in files for row in _rows_of(file)]
    return pd.DataFrame(rows, columns=COLUMNS)


def _rows_of(file: Path) -> Iterator[list[Any]]:
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    for start in range(0, len(lines), MAX_REQUESTS):
        part = lines[start : start + MAX_REQUESTS]
        try:
            questions = [json.loads(line) for line in part]
            answer = _service[0].answer(json.dumps({"requests": questions}).encode(), file.name, mirrored=False)
        except (ValueError, BodyError) as error:
            raise ValueError(
                f"{file.name}, lines {start + 1} to {start + len(part)}: {error}; correct the file"
            ) from error
        for one in answer["recommendations"]:
            for product in one["products"]:
                row = {**answer, **one, **product}
                yield [row[name] for name in COLUMNS]


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m globolatte_ml.batch_score --out FILE QUESTIONS…`: the same on this machine."""
    parser = parser_of("batch_score", "Answer files of questions.", out="CSV file to write")
    parser.add_argument("questions", nargs="+", help="files with one question a line, as JSON")
    options = parser.parse_args(arguments)
    init()
    _answers([Path(file) for file in options.questions]).to_csv(options.out, index=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
