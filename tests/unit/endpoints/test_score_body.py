"""What a request may contain, and the answers to faults: one line per rule."""

import datetime as dt
import json

import pytest

from globolatte_ml.scoring.prediction_log import AnsweredCall
from globolatte_ml.scoring.score_body import MAX_BODY_BYTES, MAX_REQUESTS, BodyError, parse_body
from globolatte_ml.scoring.state_bundle import BusinessUnit, KnownWords

NOW = dt.datetime(2024, 1, 31, 5, 30, tzinfo=dt.UTC)
USA = BusinessUnit("BU_US", "USA", "East", "usa", "America/New_York")
JAPAN = BusinessUnit("BU_JP", "Japan", "Kanto", "japan", "Asia/Tokyo")
WORDS = KnownWords({"bu_us": USA, "usa": USA, "bu_jp": JAPAN}, {"snowy": "Snowy", "sunny": "Sunny"})
GOOD = {"customer_id": "C1", "region": "USA", "weather": "Sunny"}


def parsed(body):
    return parse_body(body if isinstance(body, bytes) else json.dumps(body).encode(), WORDS, NOW)


def without(field):
    return {name: value for name, value in GOOD.items() if name != field}


def test_one_request_a_list_and_a_named_list_say_the_same():
    assert parsed(GOOD) == parsed([GOOD]) == parsed({"requests": [GOOD]})


def test_no_date_means_today_where_the_unit_is():
    [usa, japan] = parsed([GOOD, {**GOOD, "region": "bu_jp"}])
    assert (usa.date, japan.date) == (dt.date(2024, 1, 31), dt.date(2024, 1, 31))
    late = dt.datetime(2024, 1, 31, 2, 0, tzinfo=dt.UTC)
    assert parse_body(json.dumps(GOOD).encode(), WORDS, late)[0].date == dt.date(2024, 1, 30)


def test_what_is_optional_can_be_given_in_any_case_or_as_null():
    [request] = parsed({**GOOD, "date": "2024-02-29", "daypart": "MORNING", "top": 3})
    assert (request.date, request.daypart, request.top) == (dt.date(2024, 2, 29), "morning", 3)
    [request] = parsed({**GOOD, "date": None, "daypart": None, "top": None})
    assert (request.daypart, request.top) == (None, None)


def test_spaces_around_an_id_are_no_part_of_it_as_in_the_load():
    assert parsed({**GOOD, "customer_id": " C1 ", "region": "USA ", "weather": " Sunny"}) == parsed(GOOD)


def test_a_whole_number_may_have_a_point_and_a_daypart_spaces_around_it():
    assert parsed({**GOOD, "top": 3.0, "daypart": " Morning"}) == parsed({**GOOD, "top": 3, "daypart": "morning"})


def test_business_unit_is_another_word_for_region():
    assert parsed({**without("region"), "business_unit": "USA"}) == parsed(GOOD)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the body is empty"),
        (b"{", "the body is not JSON"),
        (b"\xff\xfe{}", "the body is not UTF-8"),
        (b"[" * 100_000, "nested too deeply"),
        (b'{"top": ' + b"9" * 5_000 + b"}", "a number too long"),
        (b'{"top": NaN}', "holds NaN"),
        (b'{"region": "USA", "region": "USA"}', "field 'region' is given twice"),
        ("text", "the body holds text"),
        ([], "'requests' is empty"),
        ({"requests": []}, "'requests' is empty"),
        ({"requests": {}}, "the body holds an object"),
        ({"requests": [GOOD], "top": 1}, "unknown field 'top' beside 'requests'"),
        ([GOOD, 7], "requests[1] is a number"),
        ({**GOOD, "custmer": "C1"}, "custmer: unknown field; a request has customer_id, region"),
        ([GOOD, {**GOOD, "x": 1}], "requests[1].x: unknown field"),
        ({**GOOD, "business_unit": "USA"}, "business_unit: says the same as another field"),
        (without("customer_id"), "customer_id: is missing"),
        (without("region"), "region: is missing"),
        (without("weather"), "weather: is missing"),
        ({**GOOD, "customer_id": None}, "customer_id: is missing"),
        ({**GOOD, "customer_id": 7}, "customer_id: is a number; send text"),
        ({**GOOD, "customer_id": " "}, "customer_id: ' ' is no name"),
        ({**GOOD, "customer_id": "C\n1"}, "is no name"),
        ({**GOOD, "customer_id": "C" * 201}, "is no name"),
        ({**GOOD, "region": "Mars"}, "region: 'Mars' is unknown; use one of BU_US / USA / East / usa; BU_JP / Japan"),
        ({**GOOD, "weather": "Foggy"}, "weather: 'Foggy' is unknown; use one of Snowy, Sunny"),
        ({**GOOD, "date": "31.01.2024"}, "date: '31.01.2024' is no date; write it as YYYY-MM-DD"),
        ({**GOOD, "date": "2023-02-29"}, "is no date"),
        ({**GOOD, "date": 20240131}, "is no date"),
        ({**GOOD, "date": "2024-W05-3"}, "is no date"),
        ({**GOOD, "customer_id": "C\u200b1"}, "is no name"),
        (b'{"customer_id": "\\ud800", "region": "USA", "weather": "Sunny"}', "half of a character"),
        ({**GOOD, "top": 2**31}, "is no count"),
        ({**GOOD, "daypart": "night"}, "daypart: 'night' is unknown; use one of morning"),
        ({**GOOD, "top": 0}, "top: 0 is no count"),
        ({**GOOD, "top": True}, "top: True is no count"),
        ({**GOOD, "top": 1.5}, "top: 1.5 is no count"),
    ],
)
def test_every_fault_is_named_with_its_remedy(body, message):
    with pytest.raises(BodyError) as refused:
        parsed(body)
    assert message in str(refused.value)
    assert refused.value.status == 400


@pytest.mark.parametrize("body", [[GOOD] * (MAX_REQUESTS + 1), b" " * (MAX_BODY_BYTES + 1)])
def test_too_much_is_refused_as_too_much(body):
    with pytest.raises(BodyError, match=r"at most 1,000|at most 4,194,304") as refused:
        parsed(body)
    assert refused.value.status == 413


def test_an_entry_without_answers_has_no_lines():
    assert list(AnsweredCall(NOW, "r", False, ()).lines("blue")) == []
