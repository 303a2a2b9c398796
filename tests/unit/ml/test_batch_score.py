"""Batches of questions: the endpoint's rules line by line, and faults named by file, line and field."""

import json

import pandas as pd
import pytest

from globolatte_ml import batch_score
from globolatte_ml.batch_score import COLUMNS
from globolatte_ml.data.columns import InvalidDataError
from globolatte_ml.scoring.service import Service

QUESTION = {"customer_id": "C0001", "region": "Canada", "weather": "Snowy", "date": "2022-09-01"}


@pytest.fixture(scope="module")
def variables(model_folder, state_folder, tmp_path_factory):
    root = tmp_path_factory.mktemp("states")
    (root / "states").mkdir()
    (root / "states" / "state-1").symlink_to(state_folder)
    (root / "current_state").write_text("state-1")
    return {"AZUREML_MODEL_DIR": str(model_folder), "GLOBOLATTE_STATE_POINTER": str(root / "current_state")}


@pytest.fixture(autouse=True)
def worker(variables, monkeypatch):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    batch_score.init()


def written(folder, name, lines):
    file = folder / name
    file.write_bytes(b"\n".join(line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines))
    return str(file)


def test_a_batch_says_what_the_endpoint_says_question_by_question(variables, tmp_path):
    questions = [
        QUESTION,
        {**QUESTION, "customer_id": "C0001 "},
        {**QUESTION, "customer_id": "nobody", "region": "bu_us", "weather": "unknown", "daypart": "Morning"},
        {
            "customer_id": "C0002",
            "business_unit": "USA",
            "weather": "sunny",
            "daypart": None,
            "top": 2,
            "date": "2022-07-04",
        },
    ]
    rows = batch_score.run([written(tmp_path, "q.jsonl", questions)])
    assert tuple(rows.columns) == COLUMNS
    answer = Service.from_environment(variables).answer(
        json.dumps({"requests": questions}).encode(), "", mirrored=False
    )
    online = [(one["prediction_id"], one["business_unit"], one["weather"], one["daypart"], p["product_id"], p["probability"])
              for one in answer["recommendations"] for p in one["products"]]  # fmt: skip
    batch = rows[["prediction_id", "business_unit", "weather", "daypart", "product_id", "probability"]]
    assert batch.where(batch.notna(), None).to_numpy().tolist() == [list(row) for row in online]


def test_a_fault_in_line_1500_of_2000_is_said_as_line_1500(tmp_path):
    lines = [QUESTION] * 2_000
    lines[1_499] = {**QUESTION, "weather": "Hail"}
    with pytest.raises(InvalidDataError, match=r"q.jsonl, line 1500: weather: 'Hail' is unknown; use one of Cloudy"):
        batch_score.run([written(tmp_path, "q.jsonl", lines)])


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"customer_id": "C1", "region": "Canada", "region": "USA", "weather": "Snowy"}', "field 'region' is given twice"),
        (b'{"customer_id": "C1",', "the line is not JSON: Expecting property name"),
        (b"\xff\xfe", "the line is not UTF-8"),
        (b'{"top": NaN}', "holds NaN"),
        (b"[1]", "the line is a list; write an object"),
        ({**QUESTION, "region": "France"}, "region: 'France' is unknown; use one of BU_CA"),
        ({**QUESTION, "daypart": "night"}, "daypart: 'night' is unknown"),
        ({**QUESTION, "date": "31.12.2022"}, "date: '31.12.2022' is no date"),
        ({**QUESTION, "colour": 1}, "colour: unknown field"),
    ],
)  # fmt: skip
def test_a_line_is_refused_as_the_endpoint_refuses_a_body(tmp_path, line, message):
    with pytest.raises(InvalidDataError) as refused:
        batch_score.run([written(tmp_path, "q.jsonl", [QUESTION, b"", line])])
    assert "q.jsonl, line 3: " in str(refused.value)
    assert message in str(refused.value)


def test_a_separator_within_a_text_ends_no_line_and_a_byte_order_mark_is_no_fault(tmp_path):
    odd = json.dumps({**QUESTION, "customer_id": "Zo\u2028ë"}, ensure_ascii=False)  # a separator, legal within JSON
    lines = [b"\xef\xbb\xbf" + json.dumps(QUESTION).encode() + b"\r", odd.encode()]
    with pytest.raises(InvalidDataError, match=r"line 2: customer_id: 'Zo\\u2028ë' is no name"):
        batch_score.run([written(tmp_path, "q.jsonl", lines)])


def test_every_faulty_line_of_every_file_is_named_up_to_ten_a_file(tmp_path):
    many = written(tmp_path, "many.jsonl", [{**QUESTION, "weather": "Hail"}] * 12)
    one = written(tmp_path, "one.jsonl", [{}])
    with pytest.raises(InvalidDataError) as refused:
        batch_score.run([many, one])
    assert "many.jsonl, line 10: " in str(refused.value)
    assert "many.jsonl: 2 more lines are at fault" in str(refused.value)
    assert "one.jsonl, line 1: customer_id: is missing" in str(refused.value)


def test_a_bad_file_leaves_its_faults_beside_the_answers_and_keeps_back_no_other(tmp_path, monkeypatch):
    out = tmp_path / "out"
    out.mkdir()
    monkeypatch.setenv("GLOBOLATTE_BATCH_OUTPUT", "files")
    monkeypatch.setenv("AZUREML_BI_OUTPUT_PATH", str(out))
    bad, good = written(tmp_path, "bad.jsonl", [{}]), written(tmp_path, "good.jsonl", [QUESTION])
    with pytest.raises(InvalidDataError, match=r"bad\.jsonl, line 1"):
        batch_score.run([bad, good])
    assert {file.name for file in out.iterdir()} == {"bad.jsonl.faults.txt", "good.jsonl.csv"}
    assert "bad.jsonl, line 1: customer_id: is missing" in (out / "bad.jsonl.faults.txt").read_text()
    assert tuple(pd.read_csv(out / "good.jsonl.csv").columns) == COLUMNS


@pytest.mark.parametrize("hidden", [".DS_Store", "._q.jsonl", "_SUCCESS", "Thumbs.db"])
def test_a_hidden_file_is_no_questions(tmp_path, hidden):
    files = [written(tmp_path, "q.jsonl", [QUESTION]), written(tmp_path, hidden, [b"\x00\x01"])]
    assert set(batch_score.run(files)["question_file"]) == {"q.jsonl"}
    assert len(batch_score.run(files[1:])) == 0


def test_on_this_machine_a_fault_ends_with_code_2_and_no_file(tmp_path, capsys):
    arguments = ["--out", str(tmp_path / "answers.csv"), written(tmp_path, "q.jsonl", [QUESTION, {}])]
    assert batch_score.main(arguments) == 2
    assert "q.jsonl, line 2: customer_id: is missing" in capsys.readouterr().err
    assert not (tmp_path / "answers.csv").exists()
    assert batch_score.main([*arguments[:2], written(tmp_path, "q.jsonl", [QUESTION])]) == 0
    rows = (tmp_path / "answers.csv").read_text().splitlines()
    assert rows[0] == ",".join(COLUMNS)
    assert rows[1].endswith(",q.jsonl,1")
