"""What a caller of the endpoint may say: the body of `POST /score`, checked field by field.

A body is one request, a list of requests, or `{"requests": [...]}`. A request is

    {"customer_id": "C0001", "region": "Canada", "weather": "Snowy",
     "date": "2024-01-31", "daypart": "morning", "top": 3}

`region` is a business unit by its id, country, name or folder (`business_unit` is another word for it); `date` is by default
today in the unit's time zone, `daypart` by default averages over the customer's hours, `top` is by default everything.
"""

from __future__ import annotations

import datetime as dt
import json
from typing import Any
from zoneinfo import ZoneInfo

from globolatte_ml.data.blanks import trimmed
from globolatte_ml.data.vocabulary import DAYPARTS
from globolatte_ml.scoring.recommendations import Request
from globolatte_ml.scoring.state_bundle import KnownWords

MAX_REQUESTS = 1_000
MAX_BODY_BYTES = 4 * 1024 * 1024
MAX_TEXT = 200
REQUIRED = ("customer_id", "region", "weather")
OPTIONAL = ("date", "daypart", "top")
SYNONYMS = {"business_unit": "region"}
_FIELDS = (*REQUIRED, *OPTIONAL)


class BodyError(Exception):
    """A body that cannot be answered: the HTTP status and a message with the field, the fault and the remedy."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


def parse_body(body: bytes, words: KnownWords, now: dt.datetime) -> list[Request]:
    """The requests of a body, in order. Raises `BodyError` for the first fault found.

    `now` is an aware time; it decides what `today` is where no date is given.
    """
    if len(body) > MAX_BODY_BYTES:
        raise BodyError(f"the body has {len(body):,} bytes; send at most {MAX_BODY_BYTES:,}", 413)
    document = _json(body)
    if isinstance(document, dict) and "requests" not in document:
        return [_request(document, "", words, now)]
    return [_request(item, f"requests[{position}]", words, now) for position, item in enumerate(_items(document))]


def parse_line(line: bytes, words: KnownWords, now: dt.datetime) -> Request:
    """The request in a line of a file of questions, by the rules of a body that is one request. Raises `BodyError`."""
    document = _json(line, "the line")
    if not isinstance(document, dict):
        raise BodyError(f"the line is {_kind(document)}; write an object with {', '.join(REQUIRED)}")
    return _request(document, "", words, now)


def _json(body: bytes, what: str = "the body") -> Any:
    if not body.strip():
        raise BodyError(f"{what} is empty; send a JSON object with {', '.join(REQUIRED)}")
    try:
        return json.loads(body.decode("utf-8-sig"), parse_constant=_no_constant, object_pairs_hook=_no_repeats)
    except UnicodeDecodeError as error:
        raise BodyError(f"{what} is not UTF-8 (byte {error.start}); send JSON in UTF-8") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}" if what == "the body" else f"column {error.colno}"
        raise BodyError(
            f"{what} is not JSON: {error.msg} at {place}; send a JSON object with {', '.join(REQUIRED)}"
        ) from error
    except (RecursionError, ValueError) as error:  # too deep, or an integer of too many digits
        raise BodyError(f"{what} is not a request: it is nested too deeply or has a number too long") from error


def _no_constant(name: str) -> Any:
    raise BodyError(f"it holds {name}, which is not JSON; leave the field out instead")


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BodyError(f"field {_shown(twice)} is given twice in one object; give it once")
    return document


def _items(document: Any) -> list[Any]:
    if isinstance(document, dict):
        others = sorted(set(document) - {"requests"})
        if others:
            raise BodyError(f"unknown field {_shown(others[0])} beside 'requests'; put it into each request")
        document = document["requests"]
    if not isinstance(document, list):
        raise BodyError(f"the body holds {_kind(document)}; send a request object or a list of them under 'requests'")
    if not document:
        raise BodyError("'requests' is empty; ask for at least one customer")
    if len(document) > MAX_REQUESTS:
        raise BodyError(
            f"{len(document):,} requests in one call; send at most {MAX_REQUESTS:,} and split the rest, or use batch scoring",
            413,
        )
    return document


def _request(item: Any, place: str, words: KnownWords, now: dt.datetime) -> Request:
    if not isinstance(item, dict):
        raise BodyError(f"{place or 'the body'} is {_kind(item)}; send an object with {', '.join(REQUIRED)}")
    prefix = f"{place}." if place else ""
    fields = _fields(item, prefix)
    unit, weather = _text(fields, "region", prefix), _text(fields, "weather", prefix)
    known = words.units.get(unit.casefold())
    if known is None:
        raise BodyError(f"{prefix}region: {_shown(unit)} is unknown; use one of {words.unit_list}")
    if weather.casefold() not in words.weathers:
        raise BodyError(f"{prefix}weather: {_shown(weather)} is unknown; use one of {words.weather_list}")
    return Request(
        customer_id=_text(fields, "customer_id", prefix),
        business_unit=unit,
        weather=weather,
        date=_date(fields.get("date"), prefix) or now.astimezone(ZoneInfo(known.time_zone)).date(),
        daypart=_daypart(fields.get("daypart"), prefix),
        top=_top(fields.get("top"), prefix),
    )


def _fields(item: dict[str, Any], prefix: str) -> dict[str, Any]:
    """The fields under their one name. Raises for those that do not exist, are missing, or say the same thing twice."""
    fields: dict[str, Any] = {}
    for name, value in item.items():
        known = SYNONYMS.get(name, name)
        if known not in _FIELDS:
            raise BodyError(f"{prefix}{_shown(name)[1:-1]}: unknown field; a request has {', '.join(_FIELDS)}")
        if known in fields:
            raise BodyError(f"{prefix}{name}: says the same as another field; give region or business_unit, not both")
        fields[known] = value
    for name in REQUIRED:
        if fields.get(name) is None:
            raise BodyError(f"{prefix}{name}: is missing; a request needs {', '.join(REQUIRED)}")
    return fields


def _text(fields: dict[str, Any], name: str, prefix: str) -> str:
    value = fields[name]
    if not isinstance(value, str):
        raise BodyError(f"{prefix}{name}: is {_kind(value)}; send text")
    text = trimmed(value)
    if not text or len(text) > MAX_TEXT or not text.isprintable():
        raise BodyError(f"{prefix}{name}: {_shown(value)} is no name; send 1 to {MAX_TEXT} printable characters")
    return text


def _date(value: Any, prefix: str) -> dt.date | None:
    if value is None:
        return None
    if isinstance(value, str) and len(value) == len("2024-01-31"):
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            pass
    raise BodyError(f"{prefix}date: {_shown(value)} is no date; write it as YYYY-MM-DD, or leave it out for today")


def _daypart(value: Any, prefix: str) -> str | None:
    if value is None:
        return None
    if isinstance(value, str) and value.casefold() in DAYPARTS:
        return value.casefold()
    raise BodyError(
        f"{prefix}daypart: {_shown(value)} is unknown; use one of {', '.join(DAYPARTS)}, or leave it out for all hours"
    )


def _top(value: Any, prefix: str) -> int | None:
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    raise BodyError(f"{prefix}top: {_shown(value)} is no count; send a whole number from 1, or leave it out for all")


def _kind(value: Any) -> str:
    kinds = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}
    return kinds.get(type(value), "null")


def _shown(value: Any) -> str:
    """The caller's value, short enough for a message."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:55]}...{text[-1]}"
