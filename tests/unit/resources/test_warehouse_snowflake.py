"""What can be tested of the warehouse on Snowflake without an account."""

import re

import pytest

from resources.warehouse.dialect import SnowflakeDialect, literal
from resources.warehouse.schema import MIGRATIONS, statements
from resources.warehouse.snowflake import repeatable


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("create table a.b (c varchar)", "create table if not exists a.b (c varchar)"),
        ("create table if not exists a.b (c varchar)", "create table if not exists a.b (c varchar)"),
        ("alter table a.b add column d varchar", "alter table a.b add column if not exists d varchar"),
        ("create schema if not exists a", "create schema if not exists a"),
    ],
)
def test_a_statement_of_a_migration_may_run_again(statement: str, expected: str) -> None:
    assert repeatable(statement) == expected


def test_every_statement_of_every_migration_may_run_again() -> None:
    for migration in MIGRATIONS:
        for statement in statements(migration):
            fills_gaps = re.match(r"update \S+ set (\w+) = .*\swhere \1 is null\b", statement, re.DOTALL)
            is_once = any(word in repeatable(statement) for word in ("if not exists", "drop not null", "not exists"))
            assert fills_gaps or is_once, statement


@pytest.mark.parametrize(
    ("declared", "written"),
    [
        ("%d/%m/%Y %H:%M", "DD/MM/YYYY HH24:MI"),
        ("%Y-%m-%dT%H:%M:%S.%f", 'YYYY-MM-DD"T"HH24:MI:SS.FF'),
        ("%m.%d.%y, %I:%M %p", "MM.DD.YY, HH12:MI AM"),
        ("%d %b %Y %H:%M", "DD MON YYYY HH24:MI"),
        ("%B %d, %Y", "MMMM DD, YYYY"),
    ],
)
def test_a_declared_date_format_is_written_in_snowflake_s_form(declared: str, written: str) -> None:
    assert SnowflakeDialect().moment("t", declared) == f"try_to_timestamp_ntz(t, '{written}')"


def test_a_backslash_is_never_a_part_of_our_sql() -> None:
    assert literal("it's") == "'it''s'"
    with pytest.raises(ValueError, match="bind it as a parameter"):
        literal("a\\b")
