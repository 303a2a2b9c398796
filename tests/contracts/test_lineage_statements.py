"""Every question that lineage asks is one that each warehouse understands: asked of empty tables."""

import re
from pathlib import Path

import pytest

from globolatte_lineage import statements
from tests.contracts.warehouses import WAREHOUSES

ONE_ROW = ("ROWS_OF_FILE", "LAST_EVENT_BEFORE")
QUESTIONS = {
    name: value
    for name, value in vars(statements).items()
    if name.isupper() and isinstance(value, str) and value.lstrip().startswith(("select", "with"))
}
COLUMNS = {"TRAININGS": "model_version", "AUDIENCES": "customer_id"}
DATES = {
    "TRAININGS_WITH": (1,),
    **dict.fromkeys(("LAST_EVENT_BEFORE", "DECISIONS_BEFORE", "STATES_BEFORE"), (0,)),
    "ANSWERS_ON": (0, 1),
}
NUMBERS = {
    "CHANGED_SINCE": (0, 1),
    "FILES_AS_OF": (0,),
    **dict.fromkeys(("SAMPLE_OF_BATCH", "SAMPLE_OF_LOG", "SAMPLE_OF_FILES"), (1,)),
}
"""The places of parameters that are no texts."""


@pytest.mark.parametrize("made_by", WAREHOUSES, ids=lambda made_by: made_by.__name__)
def test_every_question_can_be_asked(made_by, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    assert len(QUESTIONS) > 20
    with made_by(request, tmp_path).transaction() as transaction:
        for name, question in QUESTIONS.items():
            sql = question.format(column=COLUMNS[name]) if name in COLUMNS else question
            given: list[object] = ["x"] * len(re.findall(r"\?", sql))
            for place in DATES.get(name, ()):
                given[place] = "2024-01-31"
            for place in NUMBERS.get(name, ()):
                given[place] = 3
            rows = transaction.fetch(sql, given).num_rows
            assert rows == (name in ONE_ROW), name
