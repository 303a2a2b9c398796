"""Writing a declaration: the unit's table comes or changes, everything else in the file stays as it is."""

from pathlib import Path

import pytest

from globolatte_ingest.declarations import declarations_of
from globolatte_ingest.onboarding.units_file import (
    DeclaredOtherwiseError,
    pattern_of,
    replace_file,
    table_text,
    with_table,
)

PRESENT = """# How our units write their files

[BU_CA]  # the bakery's till
delimiter = "semicolon"

[BU_MX]
date_format = "%d/%m/%Y"   # said by Ana
currency = "MXN"
required = ["customer_id"]
[BU_MX.product_aliases]
"Café" = "P001"
[[BU_MX.files]]
pattern = "*_web.csv"
delimiter = "tab"
"""


def test_a_new_unit_is_added_and_everything_else_stays() -> None:
    written = with_table(PRESENT, "BU_US", {"delimiter": "tab", "columns": {"order_id": "Check #"}})
    assert written.startswith(PRESENT)
    assert set(declarations_of(written.encode())) == {"BU_CA", "BU_MX", "BU_US"}


def test_a_unit_is_updated_where_it_stands() -> None:
    table = {"date_format": "%d/%m/%Y", "columns": {"order_id": "Folio"}, "product_aliases": {"Té": "P002"}}
    written = with_table(PRESENT, "BU_MX", table)
    for line in PRESENT.splitlines():
        assert line in written
    assert '"Té" = "P002"' in written
    found = declarations_of(written.encode())["BU_MX"]
    assert found.usual.headers["order_id"] == ("folio",)
    assert found.usual.required == ("customer_id",)


def test_a_declaration_of_another_form_is_replaced_only_if_that_is_meant() -> None:
    table = {"date_format": "%d.%m.%Y", "delimiter": "tab"}
    with pytest.raises(DeclaredOtherwiseError, match=r"BU_MX is declared already.*date_format differ.*--replace"):
        with_table(PRESENT, "BU_MX", table)
    written = with_table(PRESENT, "BU_MX", table, replace=True)
    assert 'date_format = "%d.%m.%Y"' in written
    assert 'required = ["customer_id"]' in written
    assert 'pattern = "*_web.csv"' in written


def test_what_replaces_a_form_takes_its_keys_away_but_for_what_a_day_need_not_show() -> None:
    written = with_table(PRESENT, "BU_MX", {"delimiter": "tab"}, replace=True)
    assert "date_format" not in written
    assert 'currency = "MXN"' in written


def test_families_are_added_beside_those_that_are_there() -> None:
    families = [
        {"pattern": "*_web.csv", "delimiter": "pipe"},
        {"pattern": "till-*.csv", "columns": {"date": "Fecha", "time": "Hora"}},
    ]
    written = with_table(PRESENT, "BU_MX", {"files": families}, replace=True)
    found = declarations_of(written.encode())["BU_MX"]
    assert [pattern for pattern, _ in found.families] == ["*_web.csv", "till-*.csv"]
    assert found.for_file("a_web.csv").delimiter == "|"


def test_a_table_whose_parts_lie_apart_is_updated_too() -> None:
    apart = '[BU_MX]\ndelimiter = "tab"\n[BU_CA]\ndelimiter = "pipe"\n[BU_MX.kinds]\n"Cancelada" = "void"\n'
    written = with_table(apart, "BU_MX", {"delimiter": "tab", "kinds": {"Devolución": "refund"}, "line_ids": "receipt"})
    found = declarations_of(written.encode())
    assert dict(found["BU_MX"].usual.kinds) == {"Cancelada": "void", "Devolución": "refund"}
    assert (found["BU_MX"].usual.line_ids, found["BU_CA"].usual.delimiter) == ("receipt", "|")


def test_writing_the_same_again_changes_nothing() -> None:
    table = {"delimiter": "tab", "columns": {"order_id": "Check #"}, "kinds": {"Devolución": "refund"}}
    once = with_table(PRESENT, "BU_US", table)
    assert with_table(once, "BU_US", table) == once


@pytest.mark.parametrize("text", ["[BU_US\n", "BU_US = 1\n"])
def test_a_file_that_is_not_valid_is_left_alone_and_said_to_be_so(text: str) -> None:
    with pytest.raises(ValueError, match=r"is no TOML|is no table|outside of"):
        with_table(text, "BU_US", {"delimiter": "tab"})


def test_the_table_alone_is_what_stands_in_the_file() -> None:
    assert table_text("BU_US", {"delimiter": "tab"}) == '[BU_US]\ndelimiter = "tab"'


def test_a_file_is_replaced_as_a_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "reference" / "units.toml"
    replace_file(file, PRESENT)
    assert file.read_text() == PRESENT
    assert [item.name for item in file.parent.iterdir()] == ["units.toml"]


@pytest.mark.parametrize(
    ("names", "pattern"),
    [
        (["items-2022-01-31.csv"], "items-*.csv"),
        (["ventas 31-01-2022.csv", "ventas 01-02-2022.csv"], "ventas *.csv"),
        (["north.csv", "south.csv"], "*th.csv"),
        (["orders.csv"], "orders.csv"),
    ],
)
def test_a_pattern_leaves_dates_and_numbers_open(names: list[str], pattern: str) -> None:
    assert pattern_of(names) == pattern
