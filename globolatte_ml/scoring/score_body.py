"""What a caller of the endpoint may say: the body of `POST /score`; its fields are those of `request_fields`.

A body is one request, a list of requests, or `{"requests": [...]}`. A request is

    {"customer_id": "C0001", "region": "Canada", "weather": "Snowy",
     "date": "2024-01-31", "daypart": "morning", "top": 3}

`region` is a business unit by its id, country, name or folder (`business_unit` is another word for it); `date` is by default
today in the unit's time zone, `daypart` by default averages over the customer's hours, `top` is by default everything.
"""

from __future__ import annotations

import datetime as dt
import json
import re
from typing import Any
from zoneinfo import ZoneInfo

from globolatte_ml.scoring.recommendations import Request
from globolatte_ml.scoring.request_fields import REQUIRED, FieldError, kind, read_fields, shown
from globolatte_ml.scoring.state_bundle import KnownWords

MAX_REQUESTS = 1_000
HALF_CHARACTER = re.compile("[\ud800-\udfff]")
MAX_BODY_BYTES = 4 * 1024 * 1024


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
        raise BodyError(f"the line is {kind(document)}; write an object with {', '.join(REQUIRED)}")
    return _request(document, "", words, now)


def _json(body: bytes, what: str = "the body") -> Any:
    if not body.strip():
        raise BodyError(f"{what} is empty; send a JSON object with {', '.join(REQUIRED)}")
    try:
        document = json.loads(body.decode("utf-8-sig"), parse_constant=_no_constant, object_pairs_hook=_no_repeats)
        if b"\\u" in body and (half := HALF_CHARACTER.search(json.dumps(document, ensure_ascii=False))):
            raise BodyError(f"{what} holds {half[0]!r}, half of a character; send text in UTF-8, or both halves")
    except UnicodeDecodeError as error:
        raise BodyError(f"{what} is not UTF-8 (byte {error.start}); send JSON in UTF-8") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}" if what == "the body" else f"column {error.colno}"
        raise BodyError(
            f"{what} is not JSON: {error.msg} at {place}; send a JSON object with {', '.join(REQUIRED)}"
        ) from error
    except (RecursionError, ValueError) as error:  # too deep, or an integer of too many digits
        raise BodyError(f"{what} is not a request: it is nested too deeply or has a number too long") from error
    return document


def _no_constant(name: str) -> Any:
    raise BodyError(f"it holds {name}, which is not JSON; leave the field out instead")


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise BodyError(f"field {shown(twice)} is given twice in one object; give it once")
    return document


def _items(document: Any) -> list[Any]:
    if isinstance(document, dict):
        others = sorted(set(document) - {"requests"})
        if others:
            raise BodyError(f"unknown field {shown(others[0])} beside 'requests'; put it into each request")
        document = document["requests"]
    if not isinstance(document, list):
        raise BodyError(f"the body holds {kind(document)}; send a request object or a list of them under 'requests'")
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
        raise BodyError(f"{place or 'the body'} is {kind(item)}; send an object with {', '.join(REQUIRED)}")
    try:
        fields = read_fields(item, words)
    except FieldError as error:
        raise BodyError(f"{place}.{error}" if place else str(error)) from None
    zone = words.units[fields["region"].casefold()].time_zone
    return Request(
        customer_id=fields["customer_id"],
        business_unit=fields["region"],
        weather=fields["weather"],
        date=fields["date"] or now.astimezone(ZoneInfo(zone)).date(),
        daypart=fields["daypart"],
        top=fields["top"],
    )
