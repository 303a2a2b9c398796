"""What of a folder are questions, and answers in one form whatever the service wrote."""

from pathlib import Path

import pandas as pd
import pytest

from globolatte_ml.batch_score import COLUMNS
from resources.endpoint.azureml.batch_files import documented, question_files, questions_alone, without_answers
from resources.ml.azureml.faults import AzureMLError

ROWS = pd.DataFrame(
    [
        ["pr_1", "Zoë 'the' cat", "BU_CA", "2024-01-31", "Snowy", None, 1, "P 2", 0.625, "7", "s1", "a.jsonl", 2],
        ["pr_1", "Zoë 'the' cat", "BU_CA", "2024-01-31", "Snowy", None, 2, 'P"1,x', 0.375, "7", "s1", "a.jsonl", 2],
        ["pr_2", "NA", "BU_US", "2024-01-31", "Sunny", "morning", 1, "007", 1e-05, "7", "s1", "a.jsonl", 10],
    ],
    columns=COLUMNS,
)


@pytest.mark.parametrize("shuffled", [False, True], ids=["in order", "as workers finish"])
@pytest.mark.parametrize(
    "as_written",
    [{"sep": " ", "header": False}, {"sep": ",", "header": False}, {"sep": ",", "header": True}, {"sep": " ", "header": True}],
    ids=["blanks", "commas", "commas and header", "blanks and header"],
)  # fmt: skip
def test_answers_have_one_form_whatever_the_service_wrote(tmp_path: Path, as_written: dict, shuffled: bool) -> None:
    rows = ROWS.iloc[::-1] if shuffled and not as_written["header"] else ROWS
    rows.to_csv(tmp_path / "predictions.csv", index=False, **as_written)
    documented(tmp_path / "predictions.csv")
    ROWS.to_csv(tmp_path / "expected.csv", index=False, lineterminator="\n")
    assert (tmp_path / "predictions.csv").read_text() == (tmp_path / "expected.csv").read_text()


def test_rows_of_a_deployment_of_an_earlier_release_get_a_header_too(tmp_path: Path) -> None:
    ROWS[list(COLUMNS[:-2])].to_csv(tmp_path / "predictions.csv", index=False, header=False, sep=" ")
    documented(tmp_path / "predictions.csv")
    lines = (tmp_path / "predictions.csv").read_text().splitlines()
    assert lines[0] == ",".join(COLUMNS[:-2])
    assert lines[1].startswith("pr_1,Zoë 'the' cat,BU_CA,")


def test_no_answers_are_a_header_and_other_content_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "predictions.csv"
    file.write_text("")
    documented(file)
    assert file.read_text() == ",".join(COLUMNS) + "\n"
    file.unlink()  # as where every file of questions had a fault
    documented(file)
    assert file.read_text() == ",".join(COLUMNS) + "\n"
    file.write_text("no answers at all\n")
    with pytest.raises(AzureMLError, match="are no rows of answers: 'no answers at all'"):
        documented(file)


def test_hidden_files_are_left_out_wherever_they_lie(tmp_path: Path) -> None:
    shown = ["a.jsonl", "b/c.jsonl"]
    for name in (*shown, ".DS_Store", "_SUCCESS", "._a.jsonl", "b/.ipynb_checkpoints/c.jsonl", "desktop.ini"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
    assert question_files(tmp_path) == shown
    with questions_alone(tmp_path, shown) as alone:
        assert sorted(path.relative_to(alone).as_posix() for path in alone.rglob("*") if path.is_file()) == shown
    with questions_alone(tmp_path / "b", ["c.jsonl"]) as alone:
        assert alone != tmp_path / "b"
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / ".DS_Store").write_text("")
    with pytest.raises(AzureMLError, match="holds no files of questions"):
        question_files(tmp_path / "empty")


def test_files_without_answers_are_named(tmp_path: Path) -> None:
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text("{}")
    (tmp_path / "blank.jsonl").write_text("\n")
    ROWS.to_csv(tmp_path / "answers.csv", index=False)
    files = ["a.jsonl", "b.jsonl", "blank.jsonl"]
    assert without_answers(tmp_path, files, tmp_path, tmp_path / "answers.csv") == ["b.jsonl"]
    (tmp_path / "b.jsonl.csv").write_text("")
    assert without_answers(tmp_path, files[:2], tmp_path, None) == ["a.jsonl"]
