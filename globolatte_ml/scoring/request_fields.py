"""The one definition of a request: its fields with type, bounds, levels and words, of which requests are read and schemas are made."""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

from globolatte_ml.data.blanks import trimmed
from globolatte_ml.data.vocabulary import DAYPARTS
from globolatte_ml.scoring.state_bundle import KnownWords

MAX_TEXT = 200
BLANK = " \t-\r\x1c-\x1f\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
"""What `blanks.trimmed` takes away, as the inside of a pattern's brackets."""
INVISIBLE = "\x00-\x1f\x7f-\xa0\xad\u1680\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff\ufff9-\ufffb\ufffe\uffff"
"""Control characters, blanks other than the space, and what has no width."""
YEAR = "(?:[0-9]{3}[1-9]|[0-9]{2}[1-9]0|[0-9][1-9]00|[1-9]000)"
DATE = re.compile(f"{YEAR}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])")
CASED_BELOW = 0x20000
"""No character from here on has another case."""

Levels = Mapping[str, tuple[str, ...]]
"""By field: what it may say, in the chain's own spelling. A field that is not in it may say anything, as far as a schema can tell."""


class FieldError(Exception):
    """A value that its field does not take: the fault and the remedy, without the field's name."""


class FieldType(Protocol):
    """What a field takes: `read` and `schema` are made from the same attributes."""

    def read(self, value: Any, words: KnownWords, /) -> Any:
        """The value as the scorer takes it. Raises `FieldError`."""

    def schema(self, levels: tuple[str, ...] | None, /) -> dict[str, Any]:
        """The JSON schema of exactly what `read` takes."""


@dataclass(frozen=True)
class Text:
    """A name: printable, not blank; blanks around it are no part of it, as in the load."""

    longest: int = MAX_TEXT

    @property
    def pattern(self) -> str:
        """The pattern of the whole value."""
        more = f"(?:[^{INVISIBLE}]{{0,{self.longest - 2}}}[^ {INVISIBLE}])?"
        return f"[{BLANK}]*[^ {INVISIBLE}]{more}[{BLANK}]*"

    def read(self, value: Any, _words: KnownWords) -> str:
        """The name without blanks around it."""
        if not isinstance(value, str):
            raise FieldError(f"is {kind(value)}; send text")
        if not re.fullmatch(self.pattern, value):
            raise FieldError(f"{shown(value)} is no name; send 1 to {self.longest} printable characters")
        return trimmed(value)

    def schema(self, _levels: tuple[str, ...] | None) -> dict[str, Any]:
        """Text with a pattern."""
        return {"type": "string", "pattern": anchored(self.pattern)}


@dataclass(frozen=True)
class Level:
    """One of some names, in any case. `of`: which of the words that a deployment knows; or else `fixed` says which."""

    of: str = ""
    fixed: tuple[str, ...] = ()
    text: Text = Text()

    def read(self, value: Any, words: KnownWords) -> str:
        """The name; a fixed one in lower case, any other as it was written."""
        name = self.text.read(value, words)
        if name.casefold() not in (words.known(self.of) if self.of else self.fixed):
            listed = words.listed(self.of) if self.of else ", ".join(self.fixed)
            raise FieldError(f"{shown(name)} is unknown; use one of {listed}")
        return name if self.of else name.casefold()

    def schema(self, levels: tuple[str, ...] | None) -> dict[str, Any]:
        """Text with a pattern for the names in any case, so that no `enum` can be said; any text where they are not known."""
        names = self.fixed or levels
        if not names:
            return self.text.schema(None)
        folded = dict.fromkeys(name.casefold() for name in names)
        spelled = "|".join(map(in_any_case, folded))
        return {**self.text.schema(None), "pattern": f"^[{BLANK}]*(?:{spelled})[{BLANK}]*$", "x-levels": list(names)}


@dataclass(frozen=True)
class Date:
    """A date."""

    def read(self, value: Any, _words: KnownWords) -> dt.date:
        """The date."""
        if isinstance(value, str) and DATE.fullmatch(value):
            try:
                return dt.date.fromisoformat(value)
            except ValueError:  # February 30
                pass
        raise FieldError(f"{shown(value)} is no date; write it as YYYY-MM-DD")

    def schema(self, _levels: tuple[str, ...] | None) -> dict[str, Any]:
        """Text in the format `date`; years run from 0001, as the pattern says."""
        return {"type": "string", "format": "date", "pattern": anchored(DATE.pattern)}


@dataclass(frozen=True)
class Count:
    """A whole number; `3.0` is one, as JSON makes no difference."""

    least: int = 1
    most: int = 2**31 - 1

    def read(self, value: Any, _words: KnownWords) -> int:
        """The number."""
        whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        if whole and not isinstance(value, bool) and self.least <= value <= self.most:
            return int(value)
        raise FieldError(f"{shown(value)} is no count; send a whole number from {self.least}")

    def schema(self, _levels: tuple[str, ...] | None) -> dict[str, Any]:
        """A bounded integer."""
        return {"type": "integer", "format": "int32", "minimum": self.least, "maximum": self.most}


@dataclass(frozen=True)
class Field:
    """A field of a request.

    Attributes:
        name: under which the scorer knows it.
        type: what it takes.
        description: for who writes a request.
        example: a value.
        otherwise: what is assumed where it is left out or null; empty for a field that is required.
        synonyms: other names for it; a request gives one of them.
    """

    name: str
    type: FieldType
    description: str
    example: Any
    otherwise: str = ""
    synonyms: tuple[str, ...] = ()

    @property
    def required(self) -> bool:
        """Whether it must be there. One that need not be there may be null."""
        return not self.otherwise

    @property
    def names(self) -> tuple[str, ...]:
        """All of its names."""
        return self.name, *self.synonyms


REQUEST = (
    Field(
        "customer_id",
        Text(),
        "The customer. One who is not known gets the answer for the region, season and weather.",
        "C0001",
    ),
    Field(
        "region",
        Level("region"),
        "A business unit by its id, country, name or folder, in any case.",
        "Canada",
        synonyms=("business_unit",),
    ),
    Field(
        "weather",
        Level("weather"),
        "One of the chain's weather types, in any case, or Unknown for the season's mixture of them.",
        "Snowy",
    ),
    Field("date", Date(), "The business date, in the region.", "2024-01-31", "today"),
    Field(
        "daypart",
        Level(fixed=DAYPARTS),
        f"One of {', '.join(DAYPARTS)}, in any case. Without it: the mean over the hours at which the customer comes.",
        "morning",
        "all hours",
    ),
    Field("top", Count(), "How many products to answer with. Without it: all.", 3, "all"),
)
REQUIRED = tuple(field.name for field in REQUEST if field.required)
_BY_NAME = {name: field for field in REQUEST for name in field.names}


def read_fields(item: Mapping[str, Any], words: KnownWords) -> dict[str, Any]:
    """A request's values by the name of their field, None where nothing is said. Raises `FieldError` naming the field."""
    given: dict[str, Any] = {}
    for name, value in item.items():
        field = _BY_NAME.get(name)
        if field is None:
            every = ", ".join(field.name for field in REQUEST)
            raise FieldError(f"{shown(name)[1:-1]}: unknown field; a request has {every}")
        if field.name in given:
            names = " or ".join(field.names)
            raise FieldError(f"{name}: says the same as another field; give {names}, not both")
        given[field.name] = value
    for name in REQUIRED:
        if given.get(name) is None:
            raise FieldError(f"{name}: is missing; a request needs {', '.join(REQUIRED)}")
    return {field.name: _read(field, given.get(field.name), words) for field in REQUEST}


def _read(field: Field, value: Any, words: KnownWords) -> Any:
    if value is None:
        return None
    try:
        return field.type.read(value, words)
    except FieldError as error:
        instead = "" if field.required else f", or leave it out for {field.otherwise}"
        raise FieldError(f"{field.name}: {error}{instead}") from None


def field_schemas(levels: Levels) -> Iterator[tuple[Field, dict[str, Any]]]:
    """Each field with the schema of its values; null is not in it."""
    for field in REQUEST:
        yield field, {"description": field.description, **field.type.schema(levels.get(field.name))}


def kind(value: Any) -> str:
    """What a JSON value is, for messages."""
    kinds = {bool: "true or false", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}
    return kinds.get(type(value), "null")


def shown(value: Any) -> str:
    """The caller's value, short enough for a message."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:55]}...{text[-1]}"


def anchored(pattern: str) -> str:
    """The pattern for the whole text, as a schema says it."""
    return f"^{pattern}$"


def in_any_case(folded: str) -> str:
    """A pattern for exactly those texts that `str.casefold` makes equal to `folded`: `[cC][aA]…`; of `ss`, also `ß`."""
    pieces, start, longest = [], 0, max(map(len, _spellings()))
    while start < len(folded):
        end = start + 1
        position = start
        while position < end:  # as long as a character that folds to several reaches over the piece's end
            reach = (n for n in range(2, longest + 1) if folded[position : position + n] in _spellings())
            end = max(end, *(position + n for n in reach if position + n <= len(folded)), end)
            position += 1
        pieces.append(_alternatives(folded[start:end]))
        start = end
    return "".join(pieces)


def _alternatives(piece: str) -> str:
    found = ["".join(map(_one_of, cut)) for cut in _cuts(piece)]
    return found[0] if len(found) == 1 else f"(?:{'|'.join(found)})"


def _cuts(text: str) -> Iterator[list[str]]:
    """The ways to cut a text into what single characters fold to."""
    if not text:
        yield []
    for n in range(1, len(text) + 1):
        if n == 1 or text[:n] in _spellings():
            yield from ([text[:n], *rest] for rest in _cuts(text[n:]))


def _one_of(fold: str) -> str:
    characters = _spellings().get(fold, fold)
    return f"[{''.join(characters)}]" if len(characters) > 1 else re.escape(characters)


@cache
def _spellings() -> Mapping[str, str]:
    """The characters that fold to a text, the usual ones first; only where there is more than the text itself."""
    found: dict[str, list[str]] = {}
    for character in map(chr, range(CASED_BELOW)):
        if (fold := character.casefold()) != character:
            found.setdefault(fold, [fold] if len(fold) == 1 else []).append(character)
    return {fold: "".join(characters) for fold, characters in found.items()}


def request_schema(levels: Levels, nullable: Any, *, synonyms: bool = True) -> dict[str, Any]:
    """The schema of a request.

    Args:
        levels: what fields may say.
        nullable: makes the schema of something that may also be null, as its dialect says that.
        synonyms: whether other names of fields are told, which takes a dialect with `oneOf`.
    """
    properties: dict[str, Any] = {}
    for field, schema in field_schemas(levels):
        properties[field.name] = {**(schema if field.required else nullable(schema)), "example": field.example}
        for other in field.synonyms if synonyms else ():
            properties[other] = {**properties[field.name], "description": f"The same as `{field.name}`."}
    plain = [field.name for field in REQUEST if field.required and not (synonyms and field.synonyms)]
    made: dict[str, Any] = {
        "type": "object",
        "properties": properties,
        "required": plain,
        "additionalProperties": False,
    }
    ways = [field.names for field in REQUEST if field.required and field.synonyms]
    if synonyms and ways:
        made["oneOf"] = [{"required": list(names)} for names in itertools.product(*ways)]
    return made


def example_of(fields: Iterable[Field] = REQUEST) -> dict[str, Any]:
    """A request."""
    return {field.name: field.example for field in fields}


def levels_of(regions: Collection[str], weathers: Collection[str]) -> Levels:
    """What a deployment's fields may say; nothing where it does not tell."""
    return {name: tuple(said) for name, said in (("region", regions), ("weather", weathers)) if said}
