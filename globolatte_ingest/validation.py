"""Validating rows: which of them can be loaded, why the others cannot, and whether a file has too many bad ones.

SQL over staged text columns. The queries work on two staged tables of a load transaction: `incoming` (text rows with `load_number`,
`row_number`) and `batch_loads` (one row per file). Bad rows are found first, with all checks; the good ones are then written without.
"""

import datetime as dt
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from globolatte_ingest.declarations import BRACKET, KINDS, SIGN_MARK, number_pattern
from globolatte_ingest.reading.sales import OPTIONAL_COLUMNS, SALES_TEXTS
from globolatte_ingest.reasons import ReasonCode, RowReason
from resources.warehouse.dialect import Dialect, literal


def sql_date(date: dt.date) -> str:
    """A date as a literal."""
    return f"cast({literal(date.isoformat())} as date)"


WEATHER_TYPES = ("Sunny", "Rainy", "Snowy", "Cloudy")

WHOLE_NUMBER = "[+-]?[0-9]{1,15}([.]0{1,15})?"
AMOUNT = "[+-]?[0-9]{1,15}([.][0-9]{1,2}0*)?"
LOCAL_TIME = "[0-9]{4}-[0-9]{2}-[0-9]{2}([T ]([01][0-9]|2[0-3]):[0-9]{2}(:[0-9]{2}([.][0-9]{1,9})?)?)?"
PRICE = "decimal(18, 2)"

TIME_DIRECTIVES = "%[HIMSpf]"
"""The parts of a declared date format that write the time of day."""

LOST_ID = "[0-9]([.,][0-9]+)?[eE][+][0-9]{1,3}"
"""How a spreadsheet writes a long id after it took it for a number: its digits are lost. A hexadecimal `12e4` has no plus."""

CURRENCY = "[A-Za-z]{3}"

NULL_TYPES = {"discount": PRICE, "refunded_date": "date"}
"""The types of what optional columns say, where they are no texts."""

IDS = ("transaction_id", "order_id", "customer_id", "store_id", "refunded_order_id")


def _one_of(column: str, words: Collection[str]) -> str:
    """An expression for the word that a text column holds in any case, NULL if it holds none of them."""
    return f"case lower({column}) {' '.join(f'when {literal(w.lower())} then {literal(w)}' for w in words)} end"


def _any_of(conditions: Collection[str]) -> str:
    return " or ".join(conditions) or "false"


ENDS_OF_OFFSETS = ("%:__Z", "%.%Z", "%:%UTC", "%:%+__:__", "%:%-__:__", "%:%+____", "%:%-____")
"""How a time may end that has an offset from UTC; some other forms do, too."""


def _no_date(column: str) -> str:
    ends = _any_of([f"{column}_text like {literal(end)}" for end in ENDS_OF_OFFSETS])
    return (
        f"'{column} ''' || {column}_text || ''' is no ' || coalesce(typed.moments_told, 'date like ' || typed.date_format, "
        f"'local ISO date and time') || case when typed.moments_told is null and ({ends}) then '; if it ends in an offset from UTC, "
        """declare times_in = "offset" in reference/units.toml, then `globolatte quarantine retry` this file' else '' end"""
    )


@dataclass(frozen=True)
class RowCheck:
    """A reason for quarantine: the condition and the detail to write, both in SQL. `of`: the optional column that it looks at."""

    reason: RowReason
    fails: str
    detail: str
    of: str | None = None


def _business_day(moment: str, row: str, *, ends_late: bool) -> str:
    day = f"cast({moment} as date)"
    if not ends_late:
        return day
    return (
        f"case when cast({moment} as time) < cast({row}.day_ends as time) "
        f"and case when {row}.date_format is null then {row}.transaction_date_text like '%:%' "
        f"else {row}.date_format like '%H%' or {row}.date_format like '%I%' end "
        f"then {day} - 1 else {day} end"
    )


BUSINESS_DAY = _business_day("typed.transaction_date", "typed", ends_late=False)
ENDS_LATE = _business_day("typed.transaction_date", "typed", ends_late=True)
"""The business day of a moment, where a file's unit may declare that its day ends after midnight. A date without a time is its own day."""

CHECKS = (
    RowCheck(
        RowReason.EMPTY_KEY,
        "typed.transaction_id = '' or typed.product_id = ''",
        "case when transaction_id = '' then 'transaction_id' else 'product_id' end || ' is empty'",
    ),
    RowCheck(
        RowReason.BAD_NUMBER,
        "typed.quantity is null or typed.total_price is null",
        "case when quantity is null then 'quantity ''' || quantity_text || ''' is no whole number' "
        "else 'total_price ''' || total_price_text || ''' is no amount with at most two decimals' end",
    ),
    RowCheck(
        RowReason.BAD_DISCOUNT,
        "typed.discount_text is not null and typed.discount is null",
        "'discount ''' || discount_text || ''' is no amount with at most two decimals'",
        of="discount",
    ),
    RowCheck(
        RowReason.BAD_KIND,
        "typed.kind_text is not null and typed.told_kind is null",
        f"'kind ''' || kind_text || ''' is none of {', '.join(KINDS)}'",
        of="kind",
    ),
    RowCheck(
        RowReason.REFUND_NOT_NEGATIVE,
        "typed.total_price > 0 and (typed.quantity < 0 or typed.told_kind = 'refund')"
        " or typed.told_kind = 'refund' and typed.quantity >= 0 and typed.total_price = 0",
        "'quantity ' || quantity_text || ', total_price ' || total_price_text || ': what is refunded is not below zero'",
    ),
    RowCheck(
        RowReason.SALE_NOT_POSITIVE,
        "typed.told_kind = 'sale' and (typed.quantity < 0 or typed.total_price < 0)",
        "'kind is sale, but quantity ' || quantity_text || ' or total_price ' || total_price_text || ' is below zero'",
        of="kind",
    ),
    RowCheck(
        RowReason.NON_POSITIVE_QUANTITY,
        "typed.quantity = 0 and typed.total_price >= 0 and coalesce(typed.told_kind, 'sale') = 'sale'",
        "'quantity ' || quantity_text || ' is not above zero'",
    ),
    RowCheck(RowReason.BAD_DATE, "typed.transaction_date is null", _no_date("transaction_date")),
    RowCheck(
        RowReason.BAD_REFUNDED_DATE,
        "typed.refunded_date_text is not null and typed.refunded_date is null",
        _no_date("refunded_date"),
        of="refunded_date",
    ),
    RowCheck(
        RowReason.DATE_NOT_OF_FOLDER,
        f"{BUSINESS_DAY} <> typed.business_date",
        "'transaction_date ' || transaction_date_text || case when typed.moments_told is null then '' else ' (local time)' end "
        "|| ' is not on the folder''s date'",
    ),
    RowCheck(
        RowReason.UNKNOWN_BUSINESS_UNIT,
        "units.business_unit_id is null and (typed.business_unit_text is not null or typed.business_unit is null)",
        "coalesce('no business unit is called ''' || business_unit_text "
        "|| '''; add it to reference/business_units.csv, then `globolatte quarantine retry` this file', "
        "'neither the row nor the path of the file names the business unit; write it into the row')",
        of="business_unit",
    ),
    RowCheck(
        RowReason.UNKNOWN_PRODUCT,
        "products.product_id is null",
        "'reference/products.csv has no product ''' || typed.product_id "
        "|| '''; add it there, then `globolatte quarantine retry` this file'",
    ),
    RowCheck(
        RowReason.UNKNOWN_WEATHER,
        "typed.weather_text is not null and typed.weather is null",
        f"'weather ''' || weather_text || ''' is none of {', '.join(WEATHER_TYPES)}'",
        of="weather",
    ),
    RowCheck(
        RowReason.BAD_CURRENCY,
        "typed.currency_text is not null and typed.currency is null",
        "'currency ''' || currency_text || ''' is no code of three letters'",
        of="currency",
    ),
)
"""If a row has several faults, the first in this order is its reason; a lost id comes after the empty ones."""


@dataclass(frozen=True)
class RowFormats:
    """How the incoming rows are written: the declared formats among them, and which optional columns any of them has.

    A number format is a decimal mark, then a thousands mark if there is one. `dialect` is that of the engine that reads the rows.
    """

    dialect: Dialect
    number_formats: Collection[str] = ()
    date_formats: Collection[str] = ()
    told: Collection[str] = OPTIONAL_COLUMNS
    """The optional columns that a row may have a value in. The others cost nothing."""
    gaps: Collection[str] = OPTIONAL_COLUMNS
    """Those of them in which a value may be empty."""
    may_be_negative: bool = True
    """Whether a quantity or an amount may be below zero."""
    ends_late: bool = False
    """Whether a day of some of the files ends after midnight."""
    is_dated_by_rows: bool = False
    """Whether the path of some of the files does not tell the unit or the date."""
    first_date: dt.date | None = None
    last_dates: Mapping[str, dt.date] = field(default_factory=dict)
    """The first business date, and the last one of each unit; where they are not known, rows may have any date."""
    is_corrected: bool = False
    """Whether people corrected the rows: one that was rejected after it was read lies in quarantine, and in its sheet, in the usual form,
    whatever its file declares."""

    def quantity(self) -> str:
        """An expression for the whole number that `quantity_text` writes, NULL where it is none."""
        return self._number("quantity_text", WHOLE_NUMBER, "bigint")

    def amount(self, column: str) -> str:
        """An expression for the amount that a text column writes, NULL where it is none."""
        return self._number(column, AMOUNT, PRICE)

    def moment(self, column: str) -> str:
        """An expression for the time that a text column writes, NULL where it is none."""
        usual = self._cast_if(column, LOCAL_TIME, column, "timestamp")
        return self._by_format(
            "date_format", usual, {form: self.dialect.moment(column, form) for form in self.date_formats}
        )

    def date(self, column: str) -> str:
        """An expression for the date that a text column writes, with or without the time of its format; NULL where it writes none."""
        usual = self._cast_if(column, LOCAL_TIME, column, "timestamp")
        declared = {}
        for form in self.date_formats:
            date_alone = re.sub(TIME_DIRECTIVES, "", form).strip("-/. :,T")
            moments = [self.dialect.moment(column, form), self.dialect.moment(column, date_alone)]
            declared[form] = f"coalesce({', '.join(moments)})"
        return f"cast({self._by_format('date_format', usual, declared)} as date)"

    def named(self) -> str:
        """A common table expression: the incoming rows with the columns of their file."""
        values = {column: f"incoming.{column}" for column in SALES_TEXTS}
        for column in OPTIONAL_COLUMNS:
            if column not in self.told:
                values[column] = "cast(null as varchar)"
            elif column in self.gaps:
                values[column] = f"nullif({values[column]}, '')"
        texts = ", ".join(f"{values[column]} as {text}" for column, text in SALES_TEXTS.items())
        return f"""
with named as (
    select
        incoming.load_number, incoming.row_number, {texts},
        loads.load_id, loads.business_unit, loads.business_date, loads.number_format, loads.date_format,
        loads.day_ends, loads.moments_told
    from incoming
    inner join batch_loads as loads on incoming.load_number = loads.load_number
)
"""

    def told_values(self) -> dict[str, str]:
        """An expression for the value of each optional column that is typed or checked, by its name; NULL where its text is no good."""
        values = {
            "weather": _one_of("weather_text", WEATHER_TYPES),
            "discount": self.amount("discount_text"),
            "currency": f"case when {self.dialect.matches('currency_text', CURRENCY)} then upper(currency_text) end",
            "told_kind": _one_of("kind_text", KINDS),
            "refunded_date": self.date("refunded_date_text"),
        }
        return {
            name: value
            if name.removeprefix("told_") in self.told
            else f"cast(null as {NULL_TYPES.get(name, 'varchar')})"
            for name, value in values.items()
        }

    def lost_ids(self) -> RowCheck:
        """The check for ids that a spreadsheet made numbers of."""
        ids = [column for column in IDS if column not in OPTIONAL_COLUMNS or column in self.told]
        lost = {
            column: f"typed.{column} like '%+%' and {self.dialect.matches(f'typed.{column}', LOST_ID)}"
            for column in ids
        }
        which = " ".join(f"when {fails} then '{column} ''' || typed.{column}" for column, fails in lost.items())
        return RowCheck(
            RowReason.LOST_ID,
            _any_of([f"({fails})" for fails in lost.values()]),
            f"case {which} end || ''' is what a spreadsheet leaves of a long number; export the ids as text'",
        )

    def checks(self) -> list[RowCheck]:
        """The checks of rows that have no other columns than these."""
        looked_at = [check for check in CHECKS if check.of is None or check.of in self.told]
        if self.is_dated_by_rows and self.first_date is not None and self.last_dates:
            looked_at.append(self._date_out_of_range(self.first_date))
        if self.ends_late:
            looked_at = [
                replace(
                    check,
                    fails=check.fails.replace(BUSINESS_DAY, ENDS_LATE),
                    detail=check.detail.replace(BUSINESS_DAY, ENDS_LATE),
                )
                for check in looked_at
            ]
        return [looked_at[0], self.lost_ids(), *looked_at[1:]]

    def _date_out_of_range(self, first: dt.date) -> RowCheck:
        """The check for dates of rows that a path could not have, either."""
        last = max(self.last_dates.values())
        earlier = [(unit, date) for unit, date in sorted(self.last_dates.items()) if date != last]
        latest = sql_date(last)
        if earlier:
            own = " ".join(f"when {self.unit()} = {literal(unit)} then {sql_date(date)}" for unit, date in earlier)
            latest = f"case {own} else {latest} end"
        return RowCheck(
            RowReason.DATE_OUT_OF_RANGE,
            f"typed.business_date is null and ({BUSINESS_DAY} < {sql_date(first)} or {BUSINESS_DAY} > {latest})",
            f"'business date ' || {BUSINESS_DAY} || case when {BUSINESS_DAY} < {sql_date(first)} "
            f"then ' is before the first one, {first}; correct the row, or set GLOBOLATTE_FIRST_BUSINESS_DATE' "
            "else ' lies in the future; correct the row, or `globolatte quarantine retry` this file after that day' end",
        )

    def unit(self) -> str:
        """An expression for the unit of a row in the query for bad rows, the path's unless it names a known one; NULL if neither does."""
        has_units = "business_unit" in self.told
        return "coalesce(units.business_unit_id, typed.business_unit)" if has_units else "typed.business_unit"

    def date_of_bad_row(self) -> str:
        """An expression for the date of a row that cannot be loaded, the path's or its own; NULL if neither is one."""
        if not self.is_dated_by_rows:
            return "business_date"
        day = ENDS_LATE if self.ends_late else BUSINESS_DAY
        if self.first_date is None or not self.last_dates:
            return f"coalesce(typed.business_date, {day})"
        bounds = f"{sql_date(self.first_date)} and {sql_date(max(self.last_dates.values()))}"
        return f"coalesce(typed.business_date, case when {day} between {bounds} then {day} end)"

    def _number(self, column: str, usual: str, sql_type: str) -> str:
        declared = {marks: self._declared_number(column, marks, sql_type) for marks in self.number_formats}
        return self._by_format("number_format", self._cast_if(column, usual, column, sql_type), declared)

    def _declared_number(self, column: str, marks: str, sql_type: str) -> str:
        fraction = "0{1,15}" if sql_type == "bigint" else "[0-9]{1,2}0*"
        pattern, removed = number_pattern(marks, f"([{marks[0]}]{fraction})?")
        plain = self.dialect.without(column, removed) if removed else column
        if marks.partition(SIGN_MARK)[0].endswith(BRACKET):
            plain = f"replace({plain}, {literal(BRACKET)}, '-')"
        return self._cast_if(column, pattern, f"replace({plain}, {literal(marks[0])}, '.')", sql_type)

    def _cast_if(self, column: str, pattern: str, value: str, sql_type: str) -> str:
        return f"case when {self.dialect.matches(column, pattern)} then try_cast({value} as {sql_type}) end"

    def _by_format(self, format_column: str, usual: str, declared: dict[str, str]) -> str:
        """The usual expression, or that of the format that a row's file declares; of a corrected row, of the declared one first."""
        if not declared:
            return usual
        branches = " ".join(
            f"when {format_column} = {literal(form)} then {declared[form]}" for form in sorted(declared)
        )
        chosen = f"case when {format_column} is null then {usual} {branches} end"
        return f"coalesce({chosen}, {usual})" if self.is_corrected else chosen


def bad_rows(formats: RowFormats) -> str:
    """The query for the incoming rows that cannot be loaded, with their text, the first reason and its detail."""
    checks = formats.checks()
    told = ", ".join(f"{value} as {name}" for name, value in formats.told_values().items())
    has_units = "business_unit" in formats.told
    units = "left join sales_data.business_units as units on typed.business_unit_text = units.business_unit_id"

    return f"""
{formats.named()},

typed as (
    select
        *, {formats.quantity()} as quantity, {formats.amount("total_price_text")} as total_price,
        {formats.moment("transaction_date_text")} as transaction_date, {told}
    from named
),

checked as (
    select
        typed.*, {formats.unit()} as unit,
        case {" ".join(f"when {check.fails} then {literal(check.reason)}" for check in checks)} end as reason
    from typed
    {units if has_units else ""}
    left join sales_data.products as products on typed.product_id = products.product_id
)

select
    load_number, load_id, row_number, unit as business_unit, {formats.date_of_bad_row()} as business_date,
    {", ".join(SALES_TEXTS.values())}, reason,
    case reason {" ".join(f"when {literal(check.reason)} then {check.detail}" for check in checks)} end as detail
from checked as typed
where reason is not null
"""


def good_rows(formats: RowFormats) -> dict[str, str]:
    """The expressions for the values of the incoming rows once the bad ones were taken out, by column: typed, not validated again.

    To be selected from `named`. A value that cannot be converted after all is NULL, which no column that has to be told accepts. What
    is refunded or voided has no positive quantity: some tills write how many pieces, and the sign with the amount alone. A void that
    stands for its own cancelled line, its values above zero, is booked as nothing.
    """
    quantity, price, when = (
        declared if has_declared else f"try_cast({column} as {sql_type})"
        for declared, has_declared, column, sql_type in (
            (formats.quantity(), formats.number_formats, "quantity_text", "bigint"),
            (formats.amount("total_price_text"), formats.number_formats, "total_price_text", PRICE),
            (formats.moment("transaction_date_text"), formats.date_formats, "transaction_date_text", "timestamp"),
        )
    )
    told = formats.told_values()
    by_sign = f"case when {quantity} < 0 or {price} < 0 then 'refund' else 'sale' end"
    kind = f"coalesce({told['told_kind']}, {by_sign})" if "kind" in formats.told else by_sign
    is_own_void = f"{told['told_kind']} = 'void' and {quantity} >= 0 and {price} >= 0"
    values = {
        "business_unit": "coalesce(business_unit_text, business_unit)"
        if "business_unit" in formats.told
        else "business_unit",
        "business_date": f"coalesce(business_date, {_business_day(when, 'named', ends_late=formats.ends_late)})"
        if formats.is_dated_by_rows
        else "business_date",
        **{column: column for column in ("transaction_id", "product_id")},
        "quantity": quantity,
        "total_price": price,
        "transaction_date": when,
        **{column: text for column, text in SALES_TEXTS.items() if column in formats.told and column == text},
        **{column: value for column, value in told.items() if column in formats.told},
        "load_id": "load_id",
        "row_number": "row_number",
    }
    if formats.may_be_negative:
        values["quantity"] = f"case when {quantity} < 0 or {price} < 0 then -abs({quantity}) else {quantity} end"
    if formats.may_be_negative or "kind" in formats.told:  # else all of them are sales, which is the column's default
        values["kind"] = kind
    if "kind" in formats.told:
        values["quantity"] = f"case when {is_own_void} then 0 else {values['quantity']} end"
        values["total_price"] = f"case when {is_own_void} then 0 else {price} end"
    return values


def days_of_good_rows(formats: RowFormats) -> str:
    """The query for what the incoming rows tell of each file once the bad ones were taken out: its first day, and its last one with a unit
    that has rows on it.
    """
    values = good_rows(formats)
    return f"""
{formats.named()}
select load_number, min(business_date) as first_date, max(cast(business_date as varchar) || ' ' || business_unit) as last_part
from (
    select load_number, {values["business_date"]} as business_date, {values["business_unit"]} as business_unit from named
) as days
group by load_number
"""


def insert_good_rows(formats: RowFormats) -> str:
    """The statement that loads the incoming rows once the bad ones were taken out."""
    values = good_rows(formats)
    return f"""
insert into sales_data.sales_transactions ({", ".join(values)})
{formats.named()}
select {", ".join(f"{value} as {column}" for column, value in values.items())}
from named
"""


# What is held -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class HoldLimits:
    """The shares of a part's rows that may be bad, or be taken away by a correction, before a person is asked."""

    max_bad_share: float = 1.0
    max_take_away: float = 1.0


@dataclass(frozen=True)
class FilePart:
    """What a new version has of one unit and date: rows that are good by themselves, and bad ones. Of the bad, how many name a unit that
    is not known; of all, how many name this one, by themselves or by the folder. `before`: good rows of the version that is loaded now.
    """

    business_unit: str
    business_date: dt.date
    good: int = 0
    bad: int = 0
    unknown: int = 0
    named: int = 0
    before: int = 0
    conflicts: int = 0
    """Good rows whose id a file delivered before has with other values."""


@dataclass(frozen=True)
class Hold:
    """Why a part waits for approval. `counts_conflicts`: it is held for its conflicts, which are quarantined with its bad rows."""

    code: ReasonCode
    reason: str
    counts_conflicts: bool = False


def too_many_bad_rows(part: FilePart, limits: HoldLimits) -> Hold | None:
    """A part with too many rows that are bad by themselves."""
    reason = held_for(part.good + part.bad, part.bad, limits.max_bad_share)
    return Hold(ReasonCode.TOO_MANY_BAD_ROWS, reason) if reason else None


def too_many_conflicts(part: FilePart, limits: HoldLimits) -> Hold | None:
    """A part with too many rows that are bad by themselves or conflict with other files."""
    reason = held_for(part.good + part.bad, part.bad + part.conflicts, limits.max_bad_share) if part.conflicts else None
    return Hold(ReasonCode.TOO_MANY_BAD_ROWS, reason, counts_conflicts=True) if reason else None


def takes_away_too_much(part: FilePart, limits: HoldLimits) -> Hold | None:
    """A part that lacks too much of what is loaded of it."""
    reason = held_for_taking_away(part.before, part.good, limits.max_take_away)
    return Hold(ReasonCode.TAKES_AWAY_TOO_MUCH, reason) if reason else None


REMEDY_OF_OTHER_DATES = (
    "give each day's file a name of its own, and declare {date} in GLOBOLATTE_SALES_PATHS if the name tells it; or, if this version does "
    "replace what is loaded, `globolatte retract` the file, then `globolatte quarantine retry` it"
)


def brings_other_dates(parts: Sequence[FilePart], limits: HoldLimits) -> Hold | None:
    """A version, under a path that does not tell the date, that takes too much of every date away and has rows of others: each delivery
    overwrites the one before. It is held as a whole: a part that waits for each date, one more a day, helps nobody.
    """
    loaded = [part for part in parts if part.before]
    dates = {part.business_date for part in loaded}
    others = sorted({part.business_date for part in parts if part.good} - dates)
    if not loaded or not others or not all(takes_away_too_much(part, limits) for part in loaded):
        return None
    return Hold(
        ReasonCode.OTHER_DATES,
        f"takes away more than {limits.max_take_away:.0%} (GLOBOLATTE_MAX_TAKE_AWAY) of each date that is loaded from this path "
        f"({_dates_of(sorted(dates))}), and has rows of {_dates_of(others)}. What is loaded stays, and nothing of this version is loaded: "
        f"{REMEDY_OF_OTHER_DATES}",
    )


def _dates_of(dates: Sequence[dt.date]) -> str:
    return str(dates[0]) if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"


MOST_PARTS_NAMED = 3
PART_RULES = (too_many_bad_rows, too_many_conflicts, takes_away_too_much)
"""The first one that holds a part is its reason."""


def parts_to_decide_on(parts: Sequence[FilePart]) -> list[FilePart]:
    """The parts, where a file has rows of several units without the rows of a unit that is not known yet: these wait for it, and are no
    fault of the others.
    """
    if len({part.business_unit for part in parts if part.named}) < 2:
        return list(parts)
    return [replace(part, bad=part.bad - part.unknown) for part in parts]


def holds(
    parts: Sequence[FilePart], own_unit: str, limits: HoldLimits, *, tells_date: bool = True
) -> list[Hold | None]:
    """Why each part of a file is held that nobody approved; none where it is not.

    A file whose rows all name one other unit than its folder's is held as a whole, and so is one that brings other dates where its path
    does not tell the date. `parts` come from `parts_to_decide_on`.
    """
    if not tells_date and (whole_file := brings_other_dates(parts, limits)):
        return [whole_file] * len(parts)
    named = {part.business_unit for part in parts if part.named}
    good = sum(part.good for part in parts)
    if good and len(named) == 1 and named != {own_unit}:
        whole = replace(
            parts[0],
            good=good,
            bad=sum(part.bad for part in parts),
            conflicts=sum(part.conflicts for part in parts),
        )
        reason = (
            f"all its rows name {named.pop()}, its folder belongs to {own_unit}; nothing is loaded: move the file to that unit's folder, "
            "or, if this is right, load it by `globolatte quarantine release`"
        )
        hold = too_many_bad_rows(whole, limits) or too_many_conflicts(whole, limits)
        return [hold or Hold(ReasonCode.ANOTHER_UNIT, reason)] * len(parts)
    decided = [next(filter(None, (rule(part, limits) for rule in PART_RULES)), None) for part in parts]
    has_any = [bool(part.good or part.bad or part.before) for part in parts]
    is_whole = any(decided) and all(hold for hold, has in zip(decided, has_any, strict=True) if has)
    return [hold or next(filter(None, decided)) for hold in decided] if is_whole else decided


def may_have_too_many_conflicts(parts: Sequence[FilePart], possible: Sequence[int], limits: HoldLimits) -> bool:
    """Whether it matters how many conflicts there are, if each part has at most as many as `possible`."""
    most = [replace(part, conflicts=number) for part, number in zip(parts, possible, strict=True)]
    whole = FilePart(
        "", dt.date.min, sum(part.good for part in parts), sum(part.bad for part in parts), conflicts=sum(possible)
    )
    return any(too_many_conflicts(part, limits) for part in (*most, whole))


def reason_of_file(parts: Sequence[FilePart], decided: Sequence[Hold | None]) -> str:
    """What a file says whose parts are held, all or some of them."""
    held = [(part, hold) for part, hold in zip(parts, decided, strict=True) if hold is not None]
    whole = len(held) == len(parts)
    if whole and len({hold.reason for _, hold in held}) == 1:
        return held[0][1].reason
    several_dates = len({part.business_date for part in parts}) > 1
    reasons = [
        f"its part of {part.business_unit}{f' on {part.business_date}' if several_dates else ''}: {hold.reason}"
        for part, hold in held
    ]
    more = f"; and {len(reasons) - MOST_PARTS_NAMED} parts more" if len(reasons) > MOST_PARTS_NAMED else ""
    return ("" if whole else "held in part: ") + "; ".join(reasons[:MOST_PARTS_NAMED]) + more


def held_for(rows: int, bad: int, max_bad_share: float) -> str | None:
    """Why a file with so many rows, and bad ones among them, is held until someone approves it; none if it is not.

    A file whose share equals `max_bad_share` is not held, nor is a file without rows. A row that another file delivered before with equal
    values is not bad: it is valid, and loaded already.
    """
    if not rows or bad / rows <= max_bad_share:
        return None
    return (
        f"{bad} of {rows} rows are bad, more than {max_bad_share:.0%} (GLOBOLATTE_MAX_BAD_SHARE); nothing of it is loaded: "
        "see `globolatte quarantine show`, then upload the file corrected, or load its good rows by `globolatte quarantine release`; if "
        "its unit writes all files so, declare how (docs/declarations.md), then `globolatte quarantine retry`"
    )


def held_for_taking_away(before: int, rows: int, max_take_away: float) -> str | None:
    """Why a version with so many good rows is held that is to replace one with `before` of them; none if it is not.

    A version that takes away exactly the share `max_take_away` is not held, nor is a first delivery, whatever it lacks.
    """
    if not before or 1 - rows / before <= max_take_away:
        return None
    return (
        f"has {rows} good rows, the version loaded before has {before}: that takes away more than {max_take_away:.0%} of it "
        "(GLOBOLATTE_MAX_TAKE_AWAY). The version before stays: upload the file complete, or, if this is right, load it by "
        "`globolatte quarantine release`"
    )
