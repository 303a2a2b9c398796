"""What the endpoint publishes about its requests is what it takes: both ways, in each dialect."""

import json
import re

import pytest
import schemathesis
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, ValidationError, validators  # type: ignore[import-untyped]
from schemathesis import GenerationMode

from globolatte_ml.scoring.api_document import AZURE, Dialect, describe
from globolatte_ml.scoring.request_fields import REQUEST, in_any_case, levels_of
from globolatte_ml.scoring.score_body import MAX_REQUESTS, BodyError, parse_body
from globolatte_ml.scoring.state_bundle import BusinessUnit, KnownWords
from resources.endpoint.local.api import GATEWAY, VERSIONS, documents
from resources.endpoint.local.routing import Route, Routes, shared_levels
from tests.unit.endpoints.test_score_body import NOW

UNITS = (
    BusinessUnit("BU_US", "USA", "Pacific", "usa", "America/New_York"),
    BusinessUnit("BU_MX", "México", "Straße (Süd)", "mexico", "America/Mexico_City"),
)
WEATHERS = ("Snowy", "Sunny", "Unknown")
WORDS = KnownWords(
    {name.casefold(): unit for unit in UNITS for name in unit.names}, {name.casefold(): name for name in WEATHERS}
)
LEVELS = levels_of(WORDS.spelled("region"), WORDS.spelled("weather"))


def _pattern(_validator, pattern, text, _schema):
    """As ECMA-262 has it: Python's `$` also takes a line's end before it."""
    if isinstance(text, str) and not re.search(re.sub(r"\$$", r"\\Z", pattern), text):
        yield ValidationError(f"{text!r} does not match {pattern}")


VALIDATOR = validators.extend(Draft202012Validator, {"pattern": _pattern})


def schema_of(dialect, levels=LEVELS):
    """A validator for bodies by a document; that of swagger 2 takes no null, since JSON schema does not know `x-nullable`."""
    document = describe(GATEWAY, dialect, levels)
    place = "definitions/Requests" if dialect is Dialect.SWAGGER_2 else "components/schemas/Body"
    return VALIDATOR({**document, "$ref": f"#/{place}"}, format_checker=VALIDATOR.FORMAT_CHECKER)


SCHEMAS = {dialect: schema_of(dialect) for dialect in (Dialect.SWAGGER_2, Dialect.OPENAPI_3_1)}


def accepts(body):
    """Whether the endpoint takes a body."""
    try:
        parse_body(json.dumps(body).encode(), WORDS, NOW)
    except BodyError:
        return False
    return True


words = st.sampled_from(
    [*WORDS.units, *LEVELS["region"], *LEVELS["weather"], "morning", "EVENING", "STRASSE (süd)", "paciﬁc", "Mars"]
)
padded = st.builds(
    "{}{}{}".format, st.sampled_from(["", " ", "\n", "\u00a0"]), words, st.sampled_from(["", "  ", "\n"])
)
texts = (
    words | padded | words.map(str.swapcase) | st.text(max_size=4) | st.sampled_from(["x" * 200, "x" * 201, "a\u200bb"])
)
dates = st.dates().map(str) | st.sampled_from(
    ["2024-02-30", "2023-02-29", "0000-01-01", "2024-W05-3", "２024-01-31", "2024-01-31\n", "20240131"]
)
numbers = st.sampled_from([0, 1, 3, 1.0, 1.5, -1, 2**31 - 1, 2**31, 1e300]) | st.integers()
junk = st.none() | st.booleans() | st.just([]) | st.just({})
names = st.sampled_from([name for field in REQUEST for name in field.names]) | st.just("wether")
good = {"customer_id": "C0001", "region": "USA", "weather": "Sunny"}
requests = st.builds(
    lambda changed, left_out: {name: value for name, value in {**good, **changed}.items() if name not in left_out},
    st.dictionaries(names, texts | dates | numbers | junk, max_size=2),
    st.sets(names, max_size=1),
)
fitting = st.fixed_dictionaries(
    {},
    optional={
        "customer_id": texts,
        "region": texts,
        "weather": texts,
        "date": dates | st.none(),
        "daypart": texts | st.none(),
        "top": numbers | st.none(),
    },
).map(lambda changed: {**good, **changed})
lists = st.lists(requests | fitting | numbers, max_size=3)
bodies = requests | fitting | lists | lists.map(lambda several: {"requests": several}) | junk


@given(bodies)
def test_the_schema_takes_a_body_exactly_if_the_endpoint_does(body):
    assert SCHEMAS[Dialect.OPENAPI_3_1].is_valid(body) is accepts(body), body


@given(lists.map(lambda several: {"requests": several}))
def test_what_swagger_2_takes_the_endpoint_takes(body):
    assert not SCHEMAS[Dialect.SWAGGER_2].is_valid(body) or accepts(body)


@pytest.mark.parametrize("number", [1, MAX_REQUESTS, MAX_REQUESTS + 1])
def test_the_schema_has_the_limit_of_requests(number):
    assert (
        SCHEMAS[Dialect.OPENAPI_3_1].is_valid([good] * number) is accepts([good] * number) is (number <= MAX_REQUESTS)
    )


PUBLISHED = schemathesis.openapi.from_dict(describe(GATEWAY, Dialect.OPENAPI_3_0, LEVELS))


@given(PUBLISHED["/score"]["POST"].as_strategy(generation_mode=GenerationMode.POSITIVE))
def test_what_is_generated_from_the_document_is_accepted(case):
    assert accepts(case.body)


@pytest.mark.parametrize("api", [GATEWAY, AZURE], ids=["gateway", "azure"])
@pytest.mark.parametrize("levels", [{}, LEVELS], ids=["no levels", "levels"])
@pytest.mark.parametrize("dialect", list(Dialect))
def test_each_document_is_valid_in_its_dialect(api, levels, dialect):
    document = describe(api, dialect, levels)
    assert str(document.get("openapi") or document["swagger"]).startswith(dialect)
    schemathesis.openapi.from_dict(document).validate()
    references = set(re.findall(r'"\$ref": "#/([^"]*)"', json.dumps(document)))
    for reference in references:
        found = document
        for part in reference.split("/"):
            found = found[part]


def test_examples_are_requests():
    document = describe(GATEWAY, Dialect.OPENAPI_3_0, LEVELS)
    example = document["paths"]["/score"]["post"]["requestBody"]["content"]["application/json"]["example"]
    assert [field.name for field in REQUEST] == list(example)
    assert schema_of(Dialect.OPENAPI_3_1, {}).is_valid(example)


def test_without_levels_a_name_is_any_text():
    anything = {**good, "region": "Mars", "weather": "Foggy"}
    assert schema_of(Dialect.OPENAPI_3_1, {}).is_valid(anything)
    assert not SCHEMAS[Dialect.OPENAPI_3_1].is_valid(anything)


@pytest.mark.parametrize("name", ["Straße", "paciﬁc", "ΟΔΟΣ", "İzmir", "USA (North)", "k", "ﬃne"])
def test_a_pattern_takes_every_spelling_in_which_a_name_is_known(name):
    pattern = re.compile(in_any_case(name.casefold()))
    for spelled in (name, name.upper(), name.lower(), name.swapcase(), name.casefold(), name.replace("k", "\u212a")):
        assert bool(pattern.fullmatch(spelled)) is (spelled.casefold() == name.casefold()), spelled
    assert not pattern.fullmatch(name + "x")


def test_only_what_every_deployment_with_traffic_takes_is_published():
    blue = Route("blue", 1, True, 90, levels={"region": ["USA", "Peru"], "weather": ["Sunny"]})
    green = Route("green", 2, True, 10, levels={"region": ["usa", "USA"]})
    idle = Route("idle", 3, True, 0)
    assert shared_levels(Routes(routes=(blue, green, idle))) == {"region": ("USA",)}
    assert shared_levels(Routes(routes=(blue, idle))) == {"region": ("USA", "Peru"), "weather": ("Sunny",)}
    assert shared_levels(Routes(routes=(idle,))) == shared_levels(Routes()) == {}


def test_documents_are_made_once_for_the_same_levels():
    assert documents(LEVELS) is documents(dict(LEVELS))
    assert set(documents({})) == set(VERSIONS.values()) == set(Dialect)
