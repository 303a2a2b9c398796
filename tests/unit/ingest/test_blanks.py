"""One rule of blanks: what stands around an id is no part of it, in files, at the endpoint and in batches."""

import datetime as dt
import json
import sys

import pandas as pd
import pyarrow as pa
import pytest

from globolatte_ml.data.blanks import trimmed, trimmed_column
from globolatte_ml.data.model_rows import contexts_from_model_rows
from globolatte_ml.data.vocabulary import Vocabulary
from globolatte_ml.scoring.score_body import parse_body
from globolatte_ml.scoring.state_bundle import BusinessUnit, KnownWords
from tests.builders import Deployment, deliver_and_load, line, sales, sales_path

CHARACTERS = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
BLANKS = [character for character in CHARACTERS if character.isspace()]
IN_FILES = [blank for blank in BLANKS if blank >= " " or blank in "\t\n\r"]
"""A row with another control character is no certain text, and goes to quarantine."""


def test_texts_and_columns_lose_the_same_characters() -> None:
    around = [f"{character}C{character}1{character}" for character in CHARACTERS]
    assert trimmed_column(pa.chunked_array([around])).to_pylist() == [trimmed(text) for text in around]
    assert [text[0] for text in around if len(trimmed(text)) == 3] == BLANKS


def test_a_file_loads_ids_without_any_blank_around_them(ready: Deployment) -> None:
    padded = [
        {name: f'"{blank}{value}{blank}"' for name, value in line(number).items()}
        for number, blank in enumerate(IN_FILES, start=1)
    ]
    report = deliver_and_load(ready.warehouse, ready.landing, sales_path(), *padded)
    assert report.rows_loaded == len(IN_FILES), report
    ids = [(f"T{number:08d}", "C0001", "P001", "Sunny") for number in range(1, len(IN_FILES) + 1)]
    assert sales(ready.warehouse, "transaction_id, customer_id, product_id, weather") == ids


@pytest.mark.parametrize("blank", BLANKS, ids=lambda blank: f"U+{ord(blank):04X}")
def test_requests_and_rows_of_batches_lose_the_same(blank: str) -> None:
    usa = BusinessUnit("BU_US", "USA", "East", "usa", "America/New_York")
    words = KnownWords({"bu_us": usa}, {"sunny": "Sunny"})
    asked = {name: f"{blank}{value}{blank}" for name, value in (("customer_id", "C1"), ("region", "BU_US"))}
    [request] = parse_body(json.dumps({**asked, "weather": "Sunny"}).encode(), words, dt.datetime.now(dt.UTC))
    assert (request.customer_id, request.business_unit) == ("C1", "BU_US")

    vocabulary = Vocabulary(products=("P001",), business_units=("BU_US",), weathers=("Sunny",))
    row = {"business_unit": asked["region"], "business_date": "2024-01-31", "weather": f"{blank}sunny{blank}"}
    contexts = contexts_from_model_rows(pd.DataFrame([row]), vocabulary)
    assert (contexts.business_unit[0], contexts.weather[0]) == ("BU_US", "Sunny")
