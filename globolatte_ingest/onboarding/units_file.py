"""The unit's table in reference/units.toml: written or updated, while other units' tables, comments and the order of all stay."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tomlkit
from tomlkit.container import Container
from tomlkit.items import AoT, Item, Table

from globolatte_ingest.declarations import declarations_of

OWNED = (
    "encoding", "delimiter", "decimal_mark", "thousands_mark", "date_format", "times_in", "currency", "currency_signs", "day_ends",
    "lines_above_header", "lines_below_data", "decimal_quantity", "negative_in_brackets", "line_ids", "products", "columns", "nobody",
)  # fmt: skip
"""The keys that a look at files decides as a whole. `product_aliases` and `kinds` are added to; every other key stays."""

ADDED_TO = ("product_aliases", "kinds")

KEPT_UNLESS_TOLD = ("currency", "nobody", "day_ends", "decimal_quantity", "negative_in_brackets", "thousands_mark")
"""What one day's files need not show: it stays if the files that were looked at show nothing of it."""


class DeclaredOtherwiseError(ValueError):
    """The unit is declared already, for files of another form; `keys` are those in which they differ."""

    def __init__(self, unit: str, keys: Sequence[str]) -> None:
        super().__init__(
            f"{unit} is declared already, and for files of another form ({', '.join(keys)} differ). If its files are of the new form from "
            "now on, run this again with --replace; if files of both forms come, look at samples of both in one go, with --replace: each "
            "form then gets a pattern of file names of its own"
        )
        self.keys = tuple(keys)


def with_table(text: str, unit: str, table: Mapping[str, Any], *, replace: bool = False) -> str:
    """The file's text with this declaration of the unit, also in place of another one if `replace`.

    Raises `DeclaredOtherwiseError` if there is another one, and `ValueError` if the text, or what comes of it, is not valid.
    """
    declarations_of(text.encode())
    document = tomlkit.parse(text)
    if not replace:
        _refuse_other_forms(document.unwrap().get(unit, {}), unit, table)
    if not table and unit not in document:
        return text
    _update(document, unit, table)
    written = tomlkit.dumps(document)
    declarations_of(written.encode())
    return written


def _refuse_other_forms(present: Mapping[str, Any], unit: str, table: Mapping[str, Any]) -> None:
    other = [
        key
        for key in OWNED
        if key in present and present[key] != table.get(key) and (key in table or key not in KEPT_UNLESS_TOLD)
    ]
    if other:
        raise DeclaredOtherwiseError(unit, other)


def table_text(unit: str, table: Mapping[str, Any]) -> str:
    """The unit's table alone, as it stands in the file."""
    return with_table("", unit, table).strip()


def _update(document: Container, unit: str, table: Mapping[str, Any]) -> None:
    if unit not in document:
        if document.body:
            document.add(tomlkit.nl())
        document.add(unit, _table(table))
        return
    present: Any = document[unit]  # a table, or a stand-in for one whose parts lie apart in the file
    for key in OWNED:
        if key in present and key not in table and key not in KEPT_UNLESS_TOLD:
            present.remove(key)
    for key, value in table.items():
        if key in ADDED_TO and key in present:
            for name, meaning in value.items():
                present[key][name] = meaning
        elif key == "files":
            _add_families(present, value)
        else:
            present[key] = _item(key, value)


def _add_families(present: Any, families: Sequence[Mapping[str, Any]]) -> None:
    """Families with a pattern that is there already are replaced, the others stay before the new ones."""
    patterns = {family["pattern"] for family in families}
    others = [family for family in present.get("files", []) if family.get("pattern") not in patterns]
    found = tomlkit.aot()
    for family in (*others, *map(_table, families)):
        found.append(family)
    present["files"] = found


def _table(values: Mapping[str, Any]) -> Table:
    table = tomlkit.table()
    for key, value in values.items():
        table.add(key, _item(key, value))
    return table


def _item(key: str, value: object) -> Item | AoT:
    if isinstance(value, Mapping):
        return _table(value)
    if key == "files" and isinstance(value, list):
        families = tomlkit.aot()
        for family in value:
            families.append(_table(family))
        return families
    return tomlkit.item(value)


def replace_file(file: Path, text: str) -> None:
    """Writes the file as a whole or not at all; meanwhile under a hidden name, which the landing zone does not list."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        new.write_text(text, encoding="utf-8")
        new.replace(file)
    finally:
        new.unlink(missing_ok=True)


def pattern_of(names: Sequence[str]) -> str:
    """A pattern that matches these file names, dates and numbers in them left open: `items-2022-01-31.csv` → `items-*.csv`."""
    open_names = {re.sub(r"\d+(?:[-_. ]?\d+)*", "*", name) for name in names}
    if len(open_names) == 1:
        return open_names.pop()
    front = _common_start(names).rstrip("0123456789-_. ")
    return f"{front}*{_common_start([name[::-1] for name in names])[::-1]}"


def _common_start(names: Sequence[str]) -> str:
    start = names[0]
    while not all(name.startswith(start) for name in names):
        start = start[:-1]
    return start
