"""How units write their sales files, as they declare it: in reference/units.toml, or in columns of reference/business_units.csv.

What is not declared has to be certain from the file itself, or be written the usual way: our header names, a decimal point, no
thousands mark, ISO dates, a day that ends at midnight.
"""

import datetime as dt
import difflib
import json
import re
import tomllib
import unicodedata
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any

from resources.warehouse.warehouse import Transaction

ENCODINGS = {
    "utf-8": "utf-8",
    "utf8": "utf-8",
    "utf-16": "utf-16",
    "utf16": "utf-16",
    "utf-16-le": "utf-16-le",
    "utf-16-be": "utf-16-be",
    "latin-1": "latin-1",
    "latin1": "latin-1",
    "iso-8859-1": "latin-1",
    "windows-1252": "cp1252",
    "cp1252": "cp1252",
}
"""What may be declared, and Python's name for it."""

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
WORDS = {
    "encoding": ENCODINGS,
    "delimiter": DELIMITERS,
    "decimal_mark": {"point": ".", "comma": ","},
    "thousands_mark": {"point": ".", "comma": ",", "space": " ", "apostrophe": "'"},
}
"""What may be declared for each of these, by a word or, where the words stand for characters, by the character."""

BRACKET = "("
"""In a number format: amounts below zero stand in brackets."""

DATE_DIRECTIVES = "dmbBYyHIMSpf"
DATE_FORMAT = re.compile(rf"(?:%[{DATE_DIRECTIVES}]|[-/. :,T])+")

FORMAT_COLUMNS = (*WORDS, "date_format")
"""The optional columns of reference/business_units.csv that declare a format."""

COLUMNS = (
    "transaction_id",
    "order_id",
    "business_unit",
    "product_id",
    "customer_id",
    "quantity",
    "total_price",
    "transaction_date",
    "payment_method",
    "weather",
    "store_id",
    "discount",
    "promotion",
    "currency",
    "kind",
    "refunded_order_id",
    "refunded_date",
)
"""The columns that a header may be declared for, and `required` may name."""

REQUIRED = ("transaction_id", "product_id", "quantity", "total_price", "transaction_date")
"""What every sales file says, in columns or as declared."""

UNIT_PRICE, DATE, TIME = "unit_price", "date", "time"
PARTS = (UNIT_PRICE, DATE, TIME)
"""What a header may be declared for as well: `total_price` is made of the first, `transaction_date` of the others."""

KINDS = ("sale", "refund", "void")
OFFSET, UTC = "offset", "utc"
TIMES = {
    OFFSET: "with its offset from UTC, such as -05:00, -0500 or Z",
    UTC: "in UTC",
}
"""In which time a file may write its moments, if not in the local time of its unit, and how that is said."""
RECEIPT = "receipt"
NAME = "name"

CURRENCY = re.compile("[A-Z]{3}")
TIME_OF_DAY = re.compile("([01][0-9]|2[0-3]):([0-5][0-9])(:00)?")
SIGN = re.compile(r"[^\d\s+\-.,'\\()\[\]^]{1,8}")
SIGN_MARK = "\t"
LATEST_END = dt.time(12)
MOST_LINES = 1000
"""More lines than these above a header or below the data are no heading and no total."""


class DeclarationError(ValueError):
    """A declaration is wrong. The message says which, what is wrong, and how it is written."""


@dataclass(frozen=True)
class Declaration:
    """How some files are written; the empty value where nothing is declared.

    `encoding` is Python's name of it, `delimiter`, `decimal_mark` and `thousands_mark` are single characters, `date_format` is made of
    `strptime` directives, `day_ends` is `HH:MM`, `times_in` one of `TIMES`. `columns` has header names, in lower case, by our name;
    `product_aliases` product ids by what the file calls the product; `kinds` ours by what the file calls them; `nobody` what it calls a
    customer whom it does not know.
    """

    encoding: str | None = None
    delimiter: str | None = None
    decimal_mark: str | None = None
    thousands_mark: str | None = None
    date_format: str | None = None
    currency: str | None = None
    currency_signs: tuple[str, ...] = ()
    day_ends: str | None = None
    lines_above_header: int = 0
    lines_below_data: int = 0
    decimal_quantity: bool = False
    negative_in_brackets: bool = False
    line_ids: str | None = None
    products: str | None = None
    required: tuple[str, ...] = ()
    columns: tuple[tuple[str, tuple[str, ...]], ...] = ()
    product_aliases: tuple[tuple[str, str], ...] = ()
    kinds: tuple[tuple[str, str], ...] = ()
    nobody: tuple[str, ...] = ()
    times_in: str | None = None
    time_zone: str | None = None
    """Where times are not local: the unit's time zone, and that of each unit that a row may name."""
    time_zones: tuple[tuple[str, str], ...] = ()
    moments_told: str | None = None
    """How the moments were to be written that became local ISO times; only of what was read."""

    @cached_property
    def as_read(self) -> "Declaration":
        """How the rows are written once they were read: times that were not local became local ISO times."""
        if self.times_in is None:
            return self
        written = f"date like {self.date_format}" if self.date_format else "ISO date and time"
        return replace(self, date_format=None, moments_told=f"{written} {TIMES[self.times_in]}")

    @cached_property
    def number_format(self) -> str | None:
        """Decimal mark, then thousands mark if there is one, then `BRACKET` if brackets stand for a minus, then each currency sign after a
        `SIGN_MARK`; none for the usual way of writing numbers.
        """
        marks = (self.decimal_mark or ".") + (self.thousands_mark or "") + BRACKET * self.negative_in_brackets
        signs = "".join(f"{SIGN_MARK}{sign}" for sign in self.currency_signs)
        return None if marks == "." and not signs else marks + signs

    @cached_property
    def headers(self) -> dict[str, tuple[str, ...]]:
        """The declared header names, by our name of the column."""
        return dict(self.columns)


USUAL = Declaration()


@dataclass(frozen=True)
class UnitDeclaration:
    """How a unit writes its files: the usual way of it, and that of each file family, by the pattern of its file names."""

    usual: Declaration = USUAL
    families: tuple[tuple[str, Declaration], ...] = ()

    def with_names(self, names: Mapping[str, str]) -> "UnitDeclaration":
        """This declaration; where the files say products by name, with the product ids by `names` of the catalogue."""
        return UnitDeclaration(
            _with_names(self.usual, names),
            tuple((pattern, _with_names(found, names)) for pattern, found in self.families),
        )

    def with_zones(self, own: str, zones: Mapping[str, str]) -> "UnitDeclaration":
        """This declaration; where the times of files are not local, with the time zones of the unit itself and of all units, by id."""
        return UnitDeclaration(
            _with_zones(self.usual, own, zones),
            tuple((pattern, _with_zones(found, own, zones)) for pattern, found in self.families),
        )

    def for_file(self, path: str) -> Declaration:
        """The declaration of this file: that of the first family whose pattern matches its name, in any case."""
        return self.of_family(path) or self.usual

    def of_family(self, path: str) -> Declaration | None:
        """What the family of this file declares; none if it belongs to none."""
        if not self.families:
            return None
        name = path.rpartition("/")[2].lower()
        return next((found for pattern, found in self.families if fnmatchcase(name, pattern.lower())), None)


UNDECLARED = UnitDeclaration()


def _with_names(found: Declaration, names: Mapping[str, str]) -> Declaration:
    if found.products != NAME:
        return found
    return replace(found, product_aliases=(*found.product_aliases, *names.items()))


def _with_zones(found: Declaration, own: str, zones: Mapping[str, str]) -> Declaration:
    if found.times_in is None:
        return found
    return replace(found, time_zone=own, time_zones=tuple(zones.items()))


SPACES = " \u00a0\u202f"
"""The characters of a declared thousands mark `space`, and those beside a currency sign: usual, no-break and narrow no-break."""


def number_pattern(number_format: str, fraction: str, digits: str = "[0-9]{1,15}") -> tuple[str, str]:
    """Regular expressions for a number in a declared format: of the whole text, and of what is taken out of it to leave the plain number,
    in which a `BRACKET` may be left in place of the minus.

    `fraction` is that of what follows the whole digits. Both are free of backslashes and of anchors; the second is empty if nothing is
    taken out.
    """
    marks, *signs = number_format.split(SIGN_MARK)
    if marks.endswith(BRACKET):
        without = SIGN_MARK.join([marks.removesuffix(BRACKET), *signs])
        pattern, inner = number_pattern(without, fraction, digits)
        unsigned = pattern.replace("[+-]?", "")
        return f"({pattern}|[(]{unsigned}[)])", f"({inner}|[)])" if inner else "[)]"
    whole, removed = digits, []
    if thousands := marks[1:]:
        some = f"[{SPACES}]" if thousands == " " else f"[{thousands}]"
        whole, removed = f"({digits}|[0-9]{{1,3}}({some}[0-9]{{3}}){{1,4}})", [some]
    number = f"{whole}{fraction}"
    if not signs:
        return f"[+-]?{number}", "".join(removed)
    sign, blank = f"({'|'.join(map(_escaped, signs))})", f"[{SPACES}]?"
    removed += [sign, f"[{SPACES}]"]
    return (
        f"([+-]?{blank}|[+-]?{blank}{sign}{blank}|{sign}{blank}[+-]?){number}({blank}{sign})?",
        f"({'|'.join(removed)})",
    )


def plain_name(name: str) -> str:
    """A name as names are compared: without regard to case, blanks around it and how accents are written."""
    return unicodedata.normalize("NFC", name).lower().strip()


def _escaped(sign: str) -> str:
    return "".join(letter if letter.isalnum() else f"[{letter}]" for letter in sign)


# In columns of business_units.csv -----------------------------------------------------------------------------------------


def declared(values: Mapping[str, str | None]) -> Declaration:
    """The format that a row of business_units.csv declares. Raises `DeclarationError` that names the column, the fault and the remedy."""
    given = {column: value for column in FORMAT_COLUMNS if (value := values.get(column))}
    found: dict[str, Any] = {column: _format(column, value) for column, value in given.items()}
    return _checked(Declaration(**found))


def _checked(found: Declaration) -> Declaration:
    if found.thousands_mark is not None and found.thousands_mark == (found.decimal_mark or "."):
        raise DeclarationError(
            f"thousands_mark and decimal_mark are both {found.thousands_mark!r}; declare different ones"
        )
    return found


def _format(column: str, value: str) -> str:
    if column not in WORDS:
        return _date_format(value)
    words = WORDS[column]
    if value.lower() in words:
        return words[value.lower()]
    if value in words.values():
        return value
    raise DeclarationError(f"{column} {value!r} is none of {', '.join(words)}; declare one of these, or leave it empty")


def _date_format(value: str) -> str:
    directives = re.findall(r"%(.)", value)
    if not DATE_FORMAT.fullmatch(value) or any(directives.count(name) > 1 for name in directives):
        raise DeclarationError(
            f"date_format {value!r} is not made of %{', %'.join(DATE_DIRECTIVES)}, each once, and - / . : , T or blanks; "
            "write it like %d/%m/%Y %H:%M"
        )
    months = [name for name in directives if name in "mbB"]
    if len(months) > 1:
        raise DeclarationError(f"date_format {value!r} has the month {len(months)} times; write it like %d %b %Y %H:%M")
    if "d" not in directives or not months or not {"Y", "y"} & set(directives):
        raise DeclarationError(f"date_format {value!r} has no day, month or year; write it like %d/%m/%Y %H:%M")
    if ("I" in directives) != ("p" in directives):
        raise DeclarationError(
            f"date_format {value!r} has %I without %p or the other way round; write it like %d/%m/%Y %I:%M %p"
        )
    return value


# In units.toml ------------------------------------------------------------------------------------------------------------


def declarations_of(content: bytes) -> dict[str, UnitDeclaration]:
    """What units.toml declares, by business unit. Raises `DeclarationError` that names unit, key and value, the fault and the remedy."""
    return {unit: unit_declaration(unit, table) for unit, table in tables_of(content).items()}


def tables_of(content: bytes) -> dict[str, dict[str, Any]]:
    """The tables of units.toml as they stand there, by business unit; valid if `unit_declaration` takes them. Raises `DeclarationError`."""
    try:
        found = tomllib.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError as fault:
        line = content[: fault.start].count(b"\n") + 1
        raise DeclarationError(
            f"line {line} is not text in UTF-8; save the file as UTF-8 and upload it again"
        ) from fault
    except tomllib.TOMLDecodeError as fault:
        raise DeclarationError(f"is no TOML: {fault}; correct it and upload the file again") from fault
    for unit, table in found.items():
        if not isinstance(table, dict):
            raise DeclarationError(
                f"{unit} = {table!r} stands outside of a unit's table; put it under a line with the unit's id, such as [BU_MX]"
            )
    return found


def as_json(table: Mapping[str, Any]) -> str:
    """A unit's table as text, for the warehouse."""
    return json.dumps(table, default=str, ensure_ascii=False)


def unit_declaration(unit: str, table: Mapping[str, Any]) -> UnitDeclaration:
    """What the unit's table declares. Raises `DeclarationError` that names unit, key and value, the fault and the remedy."""
    own = {key: value for key, value in table.items() if key != "files"}
    usual = _declaration(unit, USUAL, own)
    families = table.get("files", [])
    if not isinstance(families, list) or not all(isinstance(family, dict) for family in families):
        raise DeclarationError(f"{unit}: files {families!r} is no table; begin each file family with [[{unit}.files]]")
    found = []
    for family in families:
        pattern = family.get("pattern")
        if not isinstance(pattern, str) or not pattern or "/" in pattern:
            raise DeclarationError(
                f'{unit}.files: pattern {pattern!r} is no pattern of file names; write it like pattern = "*_web.csv"'
            )
        rest = {key: value for key, value in family.items() if key != "pattern"}
        found.append((pattern, _declaration(f"{unit}.files {pattern}", usual, rest)))
    return UnitDeclaration(usual, tuple(found))


def _declaration(where: str, base: Declaration, table: Mapping[str, Any]) -> Declaration:
    """`base` with what the table declares instead."""
    for key in table:
        if key not in KEYS:
            alike = difflib.get_close_matches(key, [*KEYS, "files"], 1)
            meant = f"did you mean {alike[0]!r}?" if alike else f"known are {', '.join([*KEYS, 'files'])}"
            raise DeclarationError(f"{where}: there is no key {key!r}; {meant}")
    try:
        given = {key: KEYS[key](key, value) for key, value in table.items()}
        return _checked(replace(base, **given))
    except DeclarationError as fault:
        raise DeclarationError(f"{where}: {fault}") from fault


def _text(key: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise DeclarationError(f"{key} {value!r} is no text; write it in quotes")
    return value


def _of_format(key: str, value: object) -> str:
    return _format(key, _text(key, value))


def _currency(key: str, value: object) -> str:
    if not isinstance(value, str) or not CURRENCY.fullmatch(value):
        raise DeclarationError(f'{key} {value!r} is no ISO 4217 code; write it like {key} = "MXN"')
    return value


def _signs(key: str, value: object) -> tuple[str, ...]:
    """The longest first, so that `MX$` is taken off before `$`."""
    found = _names(key, value)
    for sign in found:
        if not SIGN.fullmatch(sign):
            raise DeclarationError(
                f'{key} {sign!r} has digits, blanks or marks of numbers, or more than 8 characters; write it like {key} = ["€"]'
            )
    return tuple(sorted(found, key=lambda sign: (-len(sign), sign)))


def _names(key: str, value: object) -> tuple[str, ...]:
    """One text, or several."""
    found = [value] if isinstance(value, str) else value
    if not isinstance(found, list) or not found or not all(isinstance(one, str) and one.strip() for one in found):
        raise DeclarationError(
            f'{key} {value!r} is neither a text nor a list of texts; write it like {key} = ["one", "other"]'
        )
    return tuple(one.strip() for one in found)


def _day_ends(key: str, value: object) -> str:
    found = TIME_OF_DAY.fullmatch(str(value))
    if found is None or not dt.time(0) < dt.time(int(found[1]), int(found[2])) <= LATEST_END:
        raise DeclarationError(
            f'{key} {value!r} is no time after midnight and up to {LATEST_END:%H:%M}; write it like {key} = "04:00"'
        )
    return f"{found[1]}:{found[2]}"


def _lines(key: str, value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST_LINES:
        raise DeclarationError(f"{key} {value!r} is no number of lines from 0 to {MOST_LINES}; write it like {key} = 2")
    return value


def _flag(key: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise DeclarationError(f"{key} {value!r} is neither true nor false; write it like {key} = true")
    return value


def _times_in(key: str, value: object) -> str:
    if value not in TIMES:
        raise DeclarationError(
            f"{key} {value!r} is none of {', '.join(TIMES)}; declare one of these, or leave it out if times are the unit's local ones"
        )
    return str(value)


def _only(word: str) -> Callable[[str, object], str]:
    def check(key: str, value: object) -> str:
        if value != word:
            raise DeclarationError(
                f"{key} {value!r} is not {word!r}, the only value that it may have; leave it out otherwise"
            )
        return word

    return check


def _required(key: str, value: object) -> tuple[str, ...]:
    found = _names(key, value)
    for column in found:
        _known(key, column, COLUMNS)
    return found


def _known(key: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        alike = difflib.get_close_matches(name, known, 1)
        meant = f"did you mean {alike[0]!r}?" if alike else f"known are {', '.join(known)}"
        raise DeclarationError(f"{key} {name!r} is none of our columns; {meant}")


def _columns(key: str, value: object) -> tuple[tuple[str, tuple[str, ...]], ...]:
    found = _table(key, value)
    for column in found:
        _known(key, column, (*COLUMNS, *PARTS))
    if TIME in found and DATE not in found:
        raise DeclarationError(f"{key} has {TIME!r} without {DATE!r}; declare the header of the date as well")
    for parts, whole in (((DATE, TIME), "transaction_date"), ((UNIT_PRICE,), "total_price")):
        if whole in found and (twice := [part for part in parts if part in found]):
            raise DeclarationError(f"{key} has both {whole!r} and {twice[0]!r}; declare one of them")
    return tuple(
        (column, tuple(name.lower() for name in _names(f"{key}.{column}", names))) for column, names in found.items()
    )


def _pairs(key: str, value: object) -> tuple[tuple[str, str], ...]:
    return tuple((name, _text(f"{key}.{name!r}", mapped)) for name, mapped in _table(key, value).items())


def _kinds(key: str, value: object) -> tuple[tuple[str, str], ...]:
    found = _pairs(key, value)
    for name, kind in found:
        if kind not in KINDS:
            raise DeclarationError(f"{key}.{name!r} is {kind!r}, none of {', '.join(KINDS)}; declare one of these")
    return found


def _table(key: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise DeclarationError(f"{key} {value!r} is no table; write it under a line of its own, such as [BU_MX.{key}]")
    return value


KEYS: dict[str, Callable[[str, Any], Any]] = {
    **dict.fromkeys(FORMAT_COLUMNS, _of_format),
    "currency": _currency,
    "currency_signs": _signs,
    "day_ends": _day_ends,
    "times_in": _times_in,
    "lines_above_header": _lines,
    "lines_below_data": _lines,
    "decimal_quantity": _flag,
    "negative_in_brackets": _flag,
    "line_ids": _only(RECEIPT),
    "products": _only(NAME),
    "required": _required,
    "columns": _columns,
    "product_aliases": _pairs,
    "kinds": _kinds,
    "nobody": _names,
}
"""What may be declared: what checks and converts the value of each key. Raises `DeclarationError`."""


# In the warehouse ---------------------------------------------------------------------------------------------------------


def unit_declarations(transaction: Transaction) -> dict[str, UnitDeclaration]:
    """How each business unit writes its files: by its table in units.toml, else by its row in business_units.csv."""
    units = transaction.fetch(
        f"select business_unit_id, time_zone, {', '.join(FORMAT_COLUMNS)} from sales_data.business_units"
    ).to_pylist()
    tables = transaction.fetch("select business_unit_id, declaration from sales_data.unit_declarations").to_pylist()
    catalogue = "select product_name, product_id from sales_data.products"
    is_needed = any('"products"' in table["declaration"] for table in tables)
    names = product_names(transaction.fetch(catalogue).to_pylist()) if is_needed else {}
    zones = {unit["business_unit_id"]: unit["time_zone"] for unit in units}
    found = {unit["business_unit_id"]: UnitDeclaration(declared(unit)) for unit in units}
    for table in tables:
        unit = table["business_unit_id"]
        by_table = unit_declaration(unit, json.loads(table["declaration"])).with_names(names)
        found[unit] = by_table.with_zones(zones.get(unit, "UTC"), zones)
    return found


def product_names(products: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Product ids by the catalogue's names; a name that several products have leads to none."""
    times = Counter(plain_name(product["product_name"]) for product in products)
    return {
        product["product_name"]: product["product_id"]
        for product in products
        if times[plain_name(product["product_name"])] == 1
    }
