"""How a business unit writes its files, as reference/business_units.csv declares it. Words and checks; nothing is read here.

Whatever is not declared has to be certain from the file itself (`encodings`, `delimited`), or be written the usual way: a decimal
point, no thousands mark, ISO dates.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

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
DECIMAL_MARKS = {"point": ".", "comma": ","}
THOUSANDS_MARKS = {"point": ".", "comma": ",", "space": " ", "apostrophe": "'"}

DATE_DIRECTIVES = "dmYyHIMSpf"
DATE_FORMAT = re.compile(rf"(?:%[{DATE_DIRECTIVES}]|[-/. :,T])+")

COLUMNS = ("encoding", "delimiter", "decimal_mark", "thousands_mark", "date_format")
"""The optional columns of reference/business_units.csv that declare a format."""


@dataclass(frozen=True)
class FileFormat:
    """One unit's way of writing files; none where nothing is declared.

    `encoding` is Python's name of it, `delimiter`, `decimal_mark` and `thousands_mark` are single characters, `date_format` is
    made of `strptime` directives.
    """

    encoding: str | None = None
    delimiter: str | None = None
    decimal_mark: str | None = None
    thousands_mark: str | None = None
    date_format: str | None = None

    @property
    def number_format(self) -> str | None:
        """Decimal mark, then thousands mark if there is one; none for the usual way of writing numbers."""
        marks = (self.decimal_mark or ".") + (self.thousands_mark or "")
        return None if marks == "." else marks


USUAL = FileFormat()


def declared(values: Mapping[str, str | None]) -> FileFormat:
    """The format that a row of business_units.csv declares. Raises `ValueError` that names the column, the fault and the remedy."""
    given = {column: value for column in COLUMNS if (value := values.get(column)) not in (None, "")}
    found = FileFormat(
        encoding=_one_of(given, "encoding", ENCODINGS),
        delimiter=_one_of(given, "delimiter", DELIMITERS),
        decimal_mark=_one_of(given, "decimal_mark", DECIMAL_MARKS),
        thousands_mark=_one_of(given, "thousands_mark", THOUSANDS_MARKS),
        date_format=_date_format(given.get("date_format")),
    )
    if found.thousands_mark is not None and found.thousands_mark == (found.decimal_mark or "."):
        raise ValueError(f"thousands_mark and decimal_mark are both {found.thousands_mark!r}; declare different ones")
    return found


def _one_of(given: Mapping[str, str | None], column: str, words: Mapping[str, str]) -> str | None:
    """The value behind the word, or behind the character itself where the words stand for characters."""
    value = given.get(column)
    if value is None:
        return None
    if value.lower() in words:
        return words[value.lower()]
    if value in words.values():
        return value
    raise ValueError(f"{column} {value!r} is none of {', '.join(words)}; declare one of these, or leave it empty")


def _date_format(value: str | None) -> str | None:
    if value is None:
        return None
    directives = re.findall(r"%(.)", value)
    if not DATE_FORMAT.fullmatch(value) or any(directives.count(name) > 1 for name in directives):
        raise ValueError(
            f"date_format {value!r} is not made of %{', %'.join(DATE_DIRECTIVES)}, each once, and - / . : , T or blanks; "
            "write it like %d/%m/%Y %H:%M"
        )
    if not {"d", "m"} <= set(directives) or not {"Y", "y"} & set(directives):
        raise ValueError(f"date_format {value!r} has no day, month or year; write it like %d/%m/%Y %H:%M")
    if ("I" in directives) != ("p" in directives):
        raise ValueError(
            f"date_format {value!r} has %I without %p or the other way round; write it like %d/%m/%Y %I:%M %p"
        )
    return value
