"""Proposes how a source's files are to be declared, from samples of them: which column means what, how dates and amounts are written.

Pure analysis of what `sheet` read: each decision is a finding with its evidence, and what the files cannot tell is a question.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Any

from globolatte_ingest.onboarding.dates import find_dates, find_day
from globolatte_ingest.onboarding.meanings import find_customer, find_ids, find_kind, find_product, find_words
from globolatte_ingest.onboarding.money import find_money
from globolatte_ingest.onboarding.sheet import Column, Sheet
from globolatte_ingest.onboarding.study import Known, Study, named
from globolatte_ingest.onboarding.values import date_in
from globolatte_ingest.onboarding.words import plain

DELIMITER_WORDS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
PARTS = ("unit_price", "date", "time")
"""What ours are made of: these always have to be declared, also where the header is the same word."""


@dataclass(frozen=True)
class Proposal:
    """How a file is to be declared: its unit's table, what it was told from, and what nobody can tell from the file.

    `meanings` has the header, or headers, of each of our columns; `unmapped` the headers that are left out.
    """

    path: str
    unit: str
    table: dict[str, Any]
    meanings: dict[str, str]
    unmapped: tuple[str, ...]
    findings: tuple[str, ...]
    questions: tuple[str, ...]
    faults: tuple[str, ...]
    """What keeps the file from being loaded, whatever is declared."""
    date: dt.date | None
    """The date that its path or name tells."""
    usual_date: dt.date | None
    """The business date that most of its rows are of."""
    has_several_dates: bool
    rows: int
    examples: dict[str, str]
    """A value of each of our columns, as the file writes it."""

    @property
    def name(self) -> str:
        """The file's name without its folders."""
        return self.path.rpartition("/")[2]


def propose(path: str, folder: str, sheet: Sheet, known: Known) -> Proposal:
    """The declaration of a file under this path, or of this name, of the unit with this landing folder."""
    study = Study(path, folder, sheet, known)
    _describe_form(study)
    _find_unit(study)
    find_dates(study)
    find_product(study)
    find_money(study)
    find_words(study)
    find_kind(study)
    find_ids(study)
    find_customer(study)
    find_day(study)
    return _proposal(study)


def _proposal(study: Study) -> Proposal:
    columns = {
        meaning: column.header
        for meaning, column in study.taken.items()
        if column.header.strip().lower() != meaning or meaning in PARTS
    }
    table = {key: study.table[key] for key in KEY_ORDER if key in study.table}
    if columns:
        table["columns"] = columns
    for key in ("product_aliases", "kinds"):
        if study.table.get(key):
            table[key] = study.table[key]
    used = {column.place for column in study.taken.values()}
    rest = tuple(column.header for column in study.sheet.columns if column.place not in used and column.header)
    return Proposal(
        study.path,
        study.known.units.get(study.folder, study.folder),
        table,
        {meaning: column.header for meaning, column in study.taken.items()},
        rest,
        tuple(study.findings),
        tuple(study.questions),
        tuple(study.faults),
        date_in(study.path),
        study.usual_date,
        study.has_several_dates,
        study.sheet.table.num_rows,
        {meaning: next(iter(column.few), "") for meaning, column in study.taken.items()},
    )


KEY_ORDER = (
    "encoding", "delimiter", "decimal_mark", "thousands_mark", "date_format", "times_in", "currency", "currency_signs", "day_ends",
    "lines_above_header", "lines_below_data", "decimal_quantity", "negative_in_brackets", "line_ids", "products", "nobody",
)  # fmt: skip


def _describe_form(study: Study) -> None:
    sheet = study.sheet
    if sheet.encoding:
        study.table["encoding"] = sheet.encoding
        odd = next((value for column in sheet.columns for value in column.few if not value.isascii()), None)
        look = f" Is {odd!r} written as it should be?" if odd else ""
        study.questions.append(f"The text is no UTF-8; it is read as {sheet.encoding}.{look}")
    if sheet.delimiter and sheet.delimiter != ",":
        study.table["delimiter"] = DELIMITER_WORDS[sheet.delimiter]
    if sheet.lines_above:
        study.table["lines_above_header"] = sheet.lines_above
        study.findings.append(f"lines above the header: {sheet.lines_above}")
    if sheet.lines_below:
        study.table["lines_below_data"] = sheet.lines_below
        study.findings.append(f"lines below the data that are no sales: {named(sheet.below)}")
    if sheet.odd_rows:
        study.findings.append(
            f"{sheet.odd_rows} rows have more or fewer values than the header: they go into quarantine"
        )
    if not sheet.table.num_rows:
        study.faults.append("the file has no rows; take a day with sales as a sample")


def _find_unit(study: Study) -> None:
    units = set(study.known.units.values())

    def holds_units(column: Column) -> bool:
        hits = sum(count for value, count in column.counts.items() if value in units)
        return hits > 0 and hits >= 0.5 * sum(column.counts.values())

    column = next((column for column in study.free() if holds_units(column)), None)
    if column is None:
        named_so = next((column for column in study.free() if plain(column.header) == "business unit"), None)
        if named_so is not None:
            study.take("business_unit", named_so)
            study.faults.append(
                f"column {named_so.header!r} names units that reference/business_units.csv does not have: {named(named_so.few)}; "
                "add them there, with these ids"
            )
        return
    study.take("business_unit", column)
    own = study.known.units.get(study.folder)
    several = [value for value in column.few if value in units]
    if len(several) > 1:
        study.findings.append(f"a chain file: it has rows of {named(several)}, and each row goes to its own unit")
    elif several and own and several != [own]:
        study.questions.append(f"All rows are of {several[0]}, the file is for {own}: is it in the right folder?")
    if unknown := [value for value in column.few if value not in units]:
        study.questions.append(
            f"No business unit is called {named(unknown)}: its rows wait until reference/business_units.csv has it. Is it one of the "
            "chain's?"
        )
