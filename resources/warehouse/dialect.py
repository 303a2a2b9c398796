"""How Python writes SQL: identifiers and constants, and the expressions over text that DuckDB and Snowflake say differently.

The rest is one SQL for both.
"""

import re
from typing import Protocol

STRPTIME_IN_SNOWFLAKE = {
    "d": "DD", "m": "MM", "Y": "YYYY", "y": "YY", "H": "HH24", "I": "HH12", "M": "MI", "S": "SS", "p": "AM", "f": "FF", "T": '"T"',
}  # fmt: skip
"""The `strptime` directives that a unit may declare, and the one letter that may stand between them."""


IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?")


def checked(*identifiers: str) -> None:
    """Raises `ValueError` if one of these cannot be put into SQL as the name of a table or column."""
    for identifier in identifiers:
        if not IDENTIFIER.fullmatch(identifier):
            raise ValueError(f"{identifier!r} is not a table or column name; use lower-case letters, digits and '_'")


def literal(text: str) -> str:
    """`text` as a constant in SQL. Raises `ValueError` for a backslash, which engines read differently: bind such a text."""
    if "\\" in text:
        raise ValueError(
            f"{text!r} has a backslash, which is no character of its own everywhere; bind it as a parameter"
        )
    return "'" + text.replace("'", "''") + "'"


class Dialect(Protocol):
    """Expressions that engines write differently. `text` is an expression, patterns and formats are constants of ours."""

    def matches(self, text: str, pattern: str) -> str:
        """Whether the whole of a text matches a regular expression without backslashes."""
        ...

    def without(self, text: str, pattern: str) -> str:
        """The text without what matches a regular expression, wherever it stands."""
        ...

    def moment(self, text: str, date_format: str) -> str:
        """The timestamp that a text writes in this `strptime` format; NULL if it writes none."""
        ...


class DuckDBDialect:
    """DuckDB's way."""

    def matches(self, text: str, pattern: str) -> str:
        """Whether the whole of a text matches a regular expression."""
        return f"regexp_full_match({text}, {literal(pattern)})"

    def without(self, text: str, pattern: str) -> str:
        """The text without what matches a regular expression."""
        return f"regexp_replace({text}, {literal(pattern)}, '', 'g')"

    def moment(self, text: str, date_format: str) -> str:
        """The timestamp that a text writes, or NULL."""
        return f"try_strptime({text}, {literal(date_format)})"


class SnowflakeDialect:
    """Snowflake's way."""

    def matches(self, text: str, pattern: str) -> str:
        """Whether the whole of a text matches a regular expression: Snowflake's `regexp_like` is anchored at both ends."""
        return f"regexp_like({text}, {literal(pattern)})"

    def without(self, text: str, pattern: str) -> str:
        """The text without what matches a regular expression."""
        return f"regexp_replace({text}, {literal(pattern)}, '')"

    def moment(self, text: str, date_format: str) -> str:
        """The timestamp that a text writes, or NULL."""
        written = re.sub("%(.)|(T)", lambda found: STRPTIME_IN_SNOWFLAKE[found[1] or found[2]], date_format)
        return f"try_to_timestamp_ntz({text}, {literal(written)})"
