"""SQL written by Python: identifiers and constants, reading and replacing whole tables, and the text expressions in which DuckDB and
Snowflake differ.

All other SQL is the same for both. Names are checked, values are bound.
"""

import re
from collections.abc import Mapping, Sequence

STRPTIME_IN_SNOWFLAKE = {
    "d": "DD", "m": "MM", "b": "MON", "B": "MMMM", "Y": "YYYY",
    "y": "YY", "H": "HH24", "I": "HH12", "M": "MI", "S": "SS", "p": "AM", "f": "FF", "T": '"T"',
}  # fmt: skip
"""The `strptime` directives that a unit may declare, and the one letter that may stand between them."""


IDENTIFIER = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z_][a-z0-9_]*)?")


def checked(*identifiers: str) -> None:
    """Raises `ValueError` if one of these cannot be put into SQL as the name of a table or column."""
    for identifier in identifiers:
        if not IDENTIFIER.fullmatch(identifier):
            raise ValueError(f"{identifier!r} is not a table or column name; use lower-case letters, digits and '_'")


def literal(text: str) -> str:
    """`text` as an SQL constant. Raises `ValueError` for a backslash, which engines read differently; bind such a text instead."""
    if "\\" in text:
        raise ValueError(
            f"{text!r} has a backslash, which is no character of its own everywhere; bind it as a parameter"
        )
    return "'" + text.replace("'", "''") + "'"


def selection(
    table: str,
    columns: Sequence[str] = (),
    where: Mapping[str, object] | None = None,
    order_by: Sequence[str] = (),
    between: Mapping[str, tuple[object, object]] | None = None,
) -> tuple[str, list[object]]:
    """The query of `Warehouse.read`, and what is bound in it."""
    where, between = where or {}, between or {}
    checked(table, *columns, *where, *between, *order_by)
    sql = f"select {', '.join(columns) or '*'} from {table}"
    conditions = [*(f"{column} = ?" for column in where), *(f"{column} between ? and ?" for column in between)]
    if conditions:
        sql += f" where {' and '.join(conditions)}"
    if order_by:
        sql += f" order by {', '.join(order_by)}"
    return sql, [*where.values(), *(end for ends in between.values() for end in ends)]


def replacement(
    table: str, columns: Sequence[str], where: Mapping[str, object], source: str
) -> tuple[str, str, list[object]]:
    """What deletes the rows that match `where`, what inserts those of the relation `source`, and what the first one binds."""
    checked(table, source, *where, *columns)
    condition = " and ".join(f"{column} = ?" for column in where) or "true"
    names = ", ".join(columns)
    insertion = f"insert into {table} ({names}) select {names} from {source}"
    return f"delete from {table} where {condition}", insertion, list(where.values())


class Dialect:
    """Expressions that differ between engines, in DuckDB's form. `text` is an expression; patterns and formats are our constants."""

    def matches(self, text: str, pattern: str) -> str:
        """Whether the whole of a text matches a regular expression without backslashes."""
        return f"regexp_full_match({text}, {literal(pattern)})"

    def without(self, text: str, pattern: str) -> str:
        """The text without what matches a regular expression, wherever it stands."""
        return f"regexp_replace({text}, {literal(pattern)}, '', 'g')"

    def moment(self, text: str, date_format: str) -> str:
        """The timestamp that a text writes in this `strptime` format; NULL if it writes none."""
        return f"try_strptime({text}, {literal(date_format)})"


class SnowflakeDialect(Dialect):
    """The same expressions in Snowflake's form."""

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
