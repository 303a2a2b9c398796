"""The files of a batch: which of a folder are questions, and the answers in their one documented form, whatever a service wrote.

Azure writes the rows of `append_row` without a header and separated by blanks; another version of it, or a list of texts, by commas.
"""

import csv
import io
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from globolatte_ml.batch_score import COLUMNS, FAULTS, answers_of, is_hidden
from resources.atomic import replacing
from resources.ml.azureml.faults import AzureMLError

EARLIER = len(COLUMNS) - 2
"""Columns of deployments that an earlier release made: their rows do not say which question they answer."""
NUMBERS = ("question_line", "rank")


def question_files(folder: Path) -> list[str]:
    """The files of questions below a folder, by their paths in it. Raises `AzureMLError` if there are none."""
    paths = (file.relative_to(folder) for file in folder.rglob("*") if file.is_file())
    found = sorted(path.as_posix() for path in paths if not any(is_hidden(part) for part in path.parts))
    if not found:
        raise AzureMLError(
            f"questions {folder}", "holds no files of questions", "name a folder of files with one question a line"
        )
    return found


@contextmanager
def questions_alone(folder: Path, files: list[str]) -> Iterator[Path]:
    """A folder with the files of questions and nothing else: that folder itself, or a copy for as long as the block runs."""
    if len(files) == sum(path.is_file() for path in folder.rglob("*")):
        yield folder
        return
    with tempfile.TemporaryDirectory(prefix="globolatte-questions-") as scratch:
        for file in files:
            (Path(scratch) / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(folder / file, Path(scratch) / file)
        yield Path(scratch)


def documented(file: Path) -> None:
    """Brings a file of answers into the documented form, in place: a header, commas, by file and line of the questions and rank.

    Where nothing was answered there is no file, and a header alone is made. Raises `AzureMLError` for a file that holds something else.
    """
    import pandas as pd

    file.touch()
    with file.open(encoding="utf-8", newline="") as stream:
        first = stream.readline() or ",".join(COLUMNS)
    widths = {one: len(next(csv.reader([first], delimiter=one))) for one in (",", " ")}
    delimiter, width = next(((one, n) for one, n in widths.items() if n in (len(COLUMNS), EARLIER)), (None, 0))
    if delimiter is None:
        raise AzureMLError(
            f"answers {file.name}",
            f"are no rows of answers: {first.strip()[:120]!r}",
            "deploy the batch endpoint again",
        )
    names = list(COLUMNS[:width])
    content = file if file.stat().st_size else io.StringIO(first)
    rows = pd.read_csv(content, sep=delimiter, header=None, names=names, dtype=str, keep_default_na=False)
    rows = rows[rows[COLUMNS[0]] != COLUMNS[0]]  # a header, where the service wrote one
    if width == len(COLUMNS):
        rows = rows.astype(dict.fromkeys(NUMBERS, int)).sort_values(["question_file", *NUMBERS], kind="stable")
    with replacing(file) as new:
        rows.to_csv(new, index=False, lineterminator="\n")


def faults_in(folder: Path) -> list[str]:
    """What the script found wrong with files of questions: one sentence a faulty line."""
    files = sorted(folder.rglob(f"*{FAULTS}")) if folder.is_dir() else []
    return [line for file in files for line in file.read_text(encoding="utf-8").splitlines()]


def without_answers(questions: Path, files: list[str], folder: Path, answers: Path | None) -> list[str]:
    """Which files of questions have no answers: in the one file of all answers, or (none) in a file for each."""
    if answers is None:
        answered = {file for file in files if (folder / answers_of(file)).is_file()}
    else:
        with answers.open(encoding="utf-8", newline="") as stream:
            rows = csv.DictReader(stream)
            if "question_file" not in (rows.fieldnames or ()):
                return []
            names = {row["question_file"] for row in rows}
        answered = {file for file in files if Path(file).name in names or not (questions / file).read_bytes().strip()}
    return [file for file in files if file not in answered]
