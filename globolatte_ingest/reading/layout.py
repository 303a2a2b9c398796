"""From a file's own columns to ours: which header means which column, and how its values become the texts that are validated.

Whole columns at a time; files that are written the usual way pass through unchanged.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from pyarrow import compute

from globolatte_ingest.declarations import (
    BRACKET,
    COLUMNS,
    DATE,
    PARTS,
    REQUIRED,
    TIME,
    UNIT_PRICE,
    Declaration,
    number_pattern,
    plain_name,
)
from globolatte_ingest.reading.local_times import local_dates, local_moments, zones_of_rows
from globolatte_ingest.reasons import ReasonCode, RefusedError
from globolatte_ml.data.blanks import trimmed_column

MADE_OF = {"total_price": (UNIT_PRICE, "quantity"), "transaction_date": (DATE,)}
"""Columns of ours that may be made of others, where the file does not have them."""

NAMES_SHOWN = 12

PART = pa.decimal128(18, 6)
"""A unit price or a quantity while they are multiplied."""
CENTS = pa.decimal128(38, 2)

POINT_ZERO = r"^(\s*[-+]?[0-9]+)[.]0{1,2}(\s*)$"
"""A whole number with one or two zeros after a point; three could be thousands."""

ISO_DATE = "%Y-%m-%d"
SEPARATOR = "\x1f"
ONLY_DECLARED = (*PARTS, "weight")
"""Columns that are ours only where a header is declared for them: a till may call something else so."""


@dataclass(frozen=True)
class Layout:
    """Where a file has our columns: their places in its header by our name, `PARTS` among them, and the `extra` columns left out."""

    declaration: Declaration
    places: Mapping[str, int]
    extra: tuple[str, ...]

    @property
    def is_plain(self) -> bool:
        """Whether every value is taken as it stands."""
        declared = self.declaration
        return not (
            declared.product_aliases
            or declared.kinds
            or declared.nobody
            or self.mixes_marks
            or declared.line_ids
            or declared.times_in
            or declared.decimal_quantity
            or any(part in self.places for part in PARTS)
        )

    @property
    def mixes_marks(self) -> bool:
        """Whether a quantity may have a point beside amounts with a comma: 1.0 is what programs make of whole numbers."""
        return self.declaration.decimal_mark == "," and self.declaration.thousands_mark != "."

    def shaped(self, table: pa.Table, numbering: "Numbering | None" = None) -> pa.Table:
        """Our columns in their usual order, NULL where the file has none, from a table with the file's columns.

        `numbering` counts the lines of receipts over all parts of a file.
        """
        absent = pa.nulls(table.num_rows, pa.string())
        found = {column: table.column(place) for column, place in self.places.items()}
        if not self.is_plain:
            found = self._converted({column: _whole(values) for column, values in found.items()}, numbering)
        return pa.Table.from_arrays([found.get(column, absent) for column in COLUMNS], names=list(COLUMNS))

    def _converted(self, found: dict[str, pa.Array], numbering: "Numbering | None") -> dict[str, pa.Array]:
        declared = self.declaration
        if "transaction_date" not in found:
            found["transaction_date"] = _joined(found[DATE], found.get(TIME))
        if declared.times_in:
            zones = zones_of_rows(found.get("business_unit"), len(found["transaction_date"]), declared)
            found["transaction_date"] = local_moments(found["transaction_date"], zones, declared)
            if "refunded_date" in found:
                found["refunded_date"] = local_dates(found["refunded_date"], zones, declared)
            declared = declared.as_read
        if self.mixes_marks:
            found["quantity"] = compute.replace_substring_regex(found["quantity"], POINT_ZERO, r"\1\2")
        if "total_price" not in found:
            found["total_price"] = multiplied(found[UNIT_PRICE], found["quantity"], declared)
        if declared.decimal_quantity:
            found["quantity"], weight = in_pieces(found["quantity"], declared)
            found.setdefault("weight", weight)
        nobody = tuple((name, "") for name in declared.nobody)
        for column, words in (
            ("product_id", declared.product_aliases),
            ("kind", declared.kinds),
            ("customer_id", nobody),
        ):
            if words and column in found:
                found[column] = translated(found[column], words)
        if declared.line_ids:
            found["transaction_id"] = (numbering or Numbering()).line_ids(found, declared)
        return found


def layout_of(names: Sequence[str], declaration: Declaration) -> Layout:
    """The layout of a file with these header names, in lower case. Raises `RefusedError` if a column that is needed is missing, or one
    of ours stands twice.
    """
    places: dict[str, int] = {}
    twice: list[str] = []
    for column in (*COLUMNS, *PARTS):
        declared = declaration.headers.get(column, ())
        name = next((name for name in (*declared, column) if name in names), None)
        if name is not None and (declared or column not in ONLY_DECLARED):
            places[column] = names.index(name)
            twice += [name] if names.count(name) > 1 else []
    if declaration.line_ids:
        places.pop("transaction_id", None)
    _refuse_if_missing(names, places, declaration)
    if twice:
        raise RefusedError(
            ReasonCode.REPEATED_COLUMN,
            f"column {', '.join(map(repr, sorted(dict.fromkeys(twice))))} stands more than once; keep one and upload the file again",
        )
    used = set(places.values())
    return Layout(declaration, places, tuple(name for place, name in enumerate(names) if place not in used))


def _refuse_if_missing(names: Sequence[str], places: Mapping[str, int], declaration: Declaration) -> None:
    needed = [*REQUIRED, *(column for column in declaration.required if column not in REQUIRED)]
    if declaration.line_ids:
        needed[needed.index("transaction_id")] = "order_id"
    missing = [
        column
        for column in dict.fromkeys(needed)
        if column not in places and not all(part in places for part in MADE_OF.get(column, (column,)))
    ]
    if not missing:
        return
    known = {column: declaration.headers[column] for column in missing if column in declaration.headers}
    declared = "".join(
        f"; {column} is declared as {' or '.join(map(repr, names_))}" for column, names_ in known.items()
    )
    shown = ", ".join(map(repr, names[:NAMES_SHOWN])) + (", …" if len(names) > NAMES_SHOWN else "")
    raise RefusedError(
        ReasonCode.MISSING_COLUMN,
        f"column {', '.join(map(repr, missing))} is missing{declared}; the header has {shown}: add it and upload the file again, or "
        "declare under which header it stands in reference/units.toml (docs/declarations.md), then `globolatte quarantine retry` this file",
    )


def _whole(values: pa.ChunkedArray) -> pa.Array:
    found = values.combine_chunks()
    return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


# What values become -------------------------------------------------------------------------------------------------------


def translated(values: pa.Array, words: Sequence[tuple[str, str]]) -> pa.Array:
    """The values, those that are among the words replaced by what they stand for; each distinct value is looked up once."""
    encoded = values.dictionary_encode()
    known = {plain_name(name): meant for name, meant in reversed(words)}
    meant = [known.get(plain_name(value), value) for value in encoded.dictionary.to_pylist()]
    return pa.array(meant, pa.string()).take(encoded.indices)


def _joined(date: pa.Array, time: pa.Array | None) -> pa.Array:
    if time is None:
        return date
    return trimmed_column(compute.binary_join_element_wise(date, time, " "))


def multiplied(price: pa.Array, quantity: pa.Array, declared: Declaration) -> pa.Array:
    """Unit price times quantity as the unit writes amounts, rounded to the cent, half away from zero; where one of them cannot be read, the
    price as it stands.
    """
    product = compute.multiply(_number(price, declared), _number(quantity, declared))
    cents = compute.round(product, 2, "half_towards_infinity").cast(CENTS).cast(pa.string())
    mark = declared.decimal_mark or "."
    return compute.coalesce(compute.replace_substring(cents, ".", mark) if mark != "." else cents, price)


def in_pieces(quantity: pa.Array, declared: Declaration) -> tuple[pa.Array, pa.Array]:
    """Quantities of goods by weight as pieces, and the weights: one with decimals is one piece of that weight, sold or given back; the
    others stay as they stand, without a weight.
    """
    number, mark = _number(quantity, declared), declared.decimal_mark or "."
    is_weight = compute.fill_null(compute.not_equal(compute.floor(number), number), fill_value=False)
    piece = compute.if_else(compute.less(number, pa.scalar(0, PART)), "-1", "1")
    rounded = compute.round(number, 3, "half_towards_infinity").cast(pa.decimal128(18, 3)).cast(pa.string())
    weight = compute.replace_substring(rounded, ".", mark) if mark != "." else rounded
    return compute.if_else(is_weight, piece, quantity), compute.if_else(is_weight, weight, pa.scalar("", pa.string()))


def _number(values: pa.Array, declared: Declaration) -> pa.Array:
    """The numbers that texts write as declared; NULL for what is none."""
    marks = declared.number_format or "."
    pattern, removed = number_pattern(marks, f"([{marks[0]}][0-9]{{0,6}})?", "[0-9]{1,12}")
    trimmed = trimmed_column(values)
    is_one = compute.match_substring_regex(trimmed, f"^(?:{pattern})$")
    bare = compute.replace_substring_regex(trimmed, removed, "") if removed else trimmed
    signed = compute.replace_substring(bare, BRACKET, "-") if declared.negative_in_brackets else bare
    pointed = compute.replace_substring(signed, marks[0], ".") if marks[0] != "." else signed
    return compute.if_else(is_one, pointed, pa.scalar(None, pa.string())).cast(PART)


# Line ids of receipts -----------------------------------------------------------------------------------------------------


@dataclass
class Numbering:
    """Counts the lines of each order over the parts of a file, in the order in which they stand there."""

    orders: pa.Array = field(default_factory=lambda: pa.array([], pa.string()))
    lines: np.ndarray = field(default_factory=lambda: np.array([], dtype=np.int64))

    def line_ids(self, found: Mapping[str, pa.Array], declared: Declaration) -> pa.Array:
        """The id of each line: that of its order, and its place in it. Empty where no order is named.

        Orders are those of a store's day, where the file tells both: the ids are the same however its days are cut into files.
        """
        order_id = trimmed_column(found["order_id"])
        keys = [order_id, *(found[column] for column in ("store_id",) if column in found)]
        if (day := _day(found["transaction_date"], declared)) is not None:
            keys.append(day)
        of_order = compute.binary_join_element_wise(*keys, SEPARATOR) if len(keys) > 1 else order_id
        places = pa.array(self._places(of_order)).cast(pa.string())
        ids = compute.binary_join_element_wise(order_id, places, "-")
        return compute.if_else(compute.equal(order_id, ""), order_id, ids)

    def _places(self, orders: pa.Array) -> np.ndarray:
        """The place of each line in its order, from 1; counts on from the parts before."""
        encoded = orders.dictionary_encode()
        codes = encoded.indices.to_numpy()
        known = compute.fill_null(compute.index_in(encoded.dictionary, value_set=self.orders), -1).to_numpy()
        before = np.where(known >= 0, self.lines[known], 0) if len(self.lines) else np.zeros(len(known), np.int64)
        by_order = np.argsort(codes, kind="stable")
        counts = np.bincount(codes, minlength=len(known))
        firsts = np.cumsum(counts) - counts
        places = np.empty(len(codes), np.int64)
        places[by_order] = np.arange(len(codes)) - np.repeat(firsts, counts)
        places += before[codes] + 1
        is_new = known < 0
        self.lines[known[~is_new]] += counts[~is_new]
        self.lines = np.concatenate([self.lines, counts[is_new]])
        self.orders = pa.concat_arrays([self.orders, encoded.dictionary.filter(pa.array(is_new))])
        return places


def _day(moments: pa.Array, declared: Declaration) -> pa.Array | None:
    """The business day of each moment, as text; none where the date does not stand before the time."""
    whole = declared.date_format or f"{ISO_DATE} %H"
    last = max(found.end() for found in re.finditer("%[dmbBYy]", whole))
    end = next((place for place in range(last, len(whole)) if whole[place] in " T"), len(whole))
    date_format, time_format = whole[:end], whole[end + 1 :].strip()
    if re.search("%[HIMSpf]", date_format):
        return None
    ends = (
        " T" if declared.date_format is None else whole[end : end + 1] or " "
    )  # an ISO date may be followed by either
    words = f"[^{ends}]*" + f" [^{ends}]*" * date_format.count(" ")
    parts = compute.extract_regex(trimmed_column(moments), f"^(?P<day>{words})[ T]*(?P<time>.*)$")
    day, time = parts.field("day"), parts.field("time")
    if declared.day_ends is None:
        return day
    if not time_format.startswith("%H"):
        return None
    parsed = compute.strptime(day, date_format, "s", error_is_null=True).cast(pa.date32())
    earlier = compute.subtract(parsed, pa.scalar(86400, pa.duration("s"))).cast(pa.date32())
    is_early = compute.less(compute.utf8_slice_codeunits(time, 0, len(declared.day_ends)), declared.day_ends)
    is_told = compute.match_substring_regex(time, "^[0-9]{2}:[0-9]{2}")
    shifted = compute.if_else(compute.and_(is_told, is_early), earlier, parsed)
    return compute.coalesce(shifted.cast(pa.string()), day)
