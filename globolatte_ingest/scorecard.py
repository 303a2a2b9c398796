"""The scorecard of a business unit: what it delivered week by week, how late, and what could not be taken up, as a page to send to it.

It is made of `marts.mart_supplier_weeks` and `marts.mart_supplier_faults`, which add up to the ledger. There is nothing about customers
in it: counts, codes, and the places of faulty lines.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from globolatte_ml.figures import ACCENT, COFFEE, CREAM, INK, MUTED, finish_axes, new_figure, png_bytes
from globolatte_ml.pages import html_page, literal, picture, table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

WEEKS_TABLE, FAULTS_TABLE = "marts.mart_supplier_weeks", "marts.mart_supplier_faults"
WEEKS_SHOWN = 26
"""Weeks that have a row of their own; those before them are summed in one."""
ALARM = "#b3261e"

Row = Mapping[str, Any]

KINDS = {
    "refused": "files refused",
    "held": "files held",
    "held_rows": "faulty rows of held files",
    "quarantined": "rows quarantined",
}

WORDS: Mapping[str, str] = {
    "empty_file": "the file is empty",
    "too_large": "the file is too large",
    "not_text": "the file is no text in its encoding",
    "office_file": "a workbook, zip or PDF instead of CSV",
    "encrypted_file": "the file is encrypted",
    "wrong_file_type": "another type of file than its name says",
    "damaged_gzip": "the packed file is cut off or damaged",
    "decompression_bomb": "the file unpacks to far too much",
    "damaged_parquet": "the Parquet file is cut off or damaged",
    "no_plain_values": "a needed Parquet column holds no plain values",
    "missing_header": "the header is missing",
    "missing_column": "a needed column is missing",
    "repeated_column": "a column stands twice",
    "unclosed_quote": "a quote is never closed",
    "unreadable_csv": "the file cannot be split into rows",
    "too_many_bad_rows": "too many of its rows are faulty; it waits for approval or a correction",
    "takes_away_too_much": "it takes away a large part of what it corrects; it waits for approval",
    "another_unit": "all its rows name another unit; it waits for approval, or for the right folder",
    "other_dates": "it lies in the place of other dates' sales; it waits for a name of its own",
    "wrong_field_count": "more or fewer fields than the header",
    "unparseable_row": "the row cannot be read with certainty",
    "empty_key": "an id that is needed is empty",
    "lost_id": "an id that a spreadsheet turned into a number, such as 2.40301E+11",
    "bad_number": "a quantity or an amount is no number as declared",
    "bad_discount": "the discount is no amount as declared",
    "bad_weight": "the weight is no number as declared",
    "bad_currency": "the currency is none that is known",
    "bad_kind": "the kind of line is none as declared",
    "non_positive_quantity": "the quantity is not above zero",
    "negative_price": "the amount is below zero",
    "sale_not_positive": "a sale whose quantity or amount is below zero",
    "refund_not_negative": "a refund whose quantity and amount are not below zero",
    "bad_refunded_date": "the date of the refunded order is none as declared",
    "bad_date": "the date is none as declared",
    "date_not_of_folder": "the date is of another day than the file",
    "date_out_of_range": "the date is before the first business date, or in the future",
    "unknown_business_unit": "the business unit is unknown",
    "business_unit_not_of_folder": "the business unit is another than the file's",
    "unknown_product": "the product is not in the catalogue",
    "unknown_weather": "the weather is none of the types",
    "duplicate_in_file": "the line stands twice in the file",
    "duplicate_across_files": "another file delivered the line before",
    "conflict_in_file": "two lines of the file have the same id and other values",
    "conflict_across_files": "another file delivered a line of the same id with other values",
    "order_of_several_customers": "the lines of the order name several customers",
}
"""What the unit is told of a reason code of a file or a row (`globolatte_ingest.reasons`); a code without words of its own is told as it
is, with blanks. `negative_price` and `business_unit_not_of_folder` are given no more: rows quarantined by an earlier release have them."""


@dataclass(frozen=True)
class Scorecard:
    """What the marts have of one unit: rows by week, oldest first; faults by week, kind and reason."""

    business_unit: str
    name: str
    weeks: Sequence[Row]
    faults: Sequence[Row]

    @property
    def title(self) -> str:
        """The heading of the page."""
        return f"Scorecard: {self.name} ({self.business_unit})"

    def total(self, column: str) -> int:
        """A column summed over all weeks."""
        return sum(week[column] for week in self.weeks)


def scorecards(units: Iterable[Row], weeks: Iterable[Row], faults: Iterable[Row]) -> list[Scorecard]:
    """The scorecards of the units that have delivered something; `units` with `business_unit_id` and `unit_name`."""
    weeks, faults = sorted(weeks, key=lambda week: week["week_start"]), list(faults)
    cards = [
        Scorecard(
            unit["business_unit_id"],
            unit["unit_name"],
            [week for week in weeks if week["business_unit"] == unit["business_unit_id"]],
            [fault for fault in faults if fault["business_unit"] == unit["business_unit_id"]],
        )
        for unit in units
    ]
    return [card for card in cards if card.weeks]


# The page ---------------------------------------------------------------------------------------------------------------


def as_html(card: Scorecard, delivery_hours: float, plot: bytes | None = None) -> str:
    """The self-contained page; without a plot, what it would show stands in the table alone."""
    return html_page(card.title, as_markdown(card, delivery_hours, plot))


def as_markdown(card: Scorecard, delivery_hours: float, plot: bytes | None = None) -> str:
    """The same as Markdown."""
    first = card.weeks[0]["week_start"]
    last = card.weeks[-1]["week_start"] + dt.timedelta(days=6)
    return "\n\n".join(
        [
            f"# {literal(card.title)}",
            f"What was delivered for the weeks from {first} to {last}: {card.total('file_versions'):,} files and corrections, "
            f"{card.total('rows_loaded'):,} rows loaded, {card.total('rows_quarantined'):,} rows that could not be.",
            *([picture(plot, "late and missing days, and faulty rows, by week")] if plot else []),
            "## Week by week",
            _weeks_table(card),
            "## What could not be taken up, and why",
            _faults_table(card.faults),
            "## What is counted",
            "\n".join(f"- {line}" for line in _legend(delivery_hours)),
            "",
        ]
    )


HEAD = ("week from", "days", "missing", "late", "hours after the day", "files", "corrections", "refused", "held")
ROWS_HEAD = ("rows loaded", "rows quarantined", "rows held")


def _weeks_table(card: Scorecard) -> str:
    earlier, shown = card.weeks[:-WEEKS_SHOWN], card.weeks[-WEEKS_SHOWN:]
    rows = [_line(str(week["week_start"]), [week]) for week in reversed(shown)]
    if earlier:
        rows.append(_line(f"the {len(earlier)} before", earlier))
    return table((*HEAD, *ROWS_HEAD), [*rows, _line("**all**", card.weeks)])


def _line(name: str, weeks: Sequence[Row]) -> tuple[str, ...]:
    def total(column: str) -> int:
        return sum(week[column] for week in weeks)

    timed = total("days_timed")
    hours = sum(week["hours_after_day"] * week["days_timed"] for week in weeks if week["days_timed"])
    most = max((week["most_hours_after_day"] for week in weeks if week["days_timed"]), default=0.0)
    return (
        name,
        f"{total('days_delivered'):,}",
        f"{total('days_expected') - total('days_delivered'):,}",
        f"{total('days_late'):,}" if timed else "–",
        f"{hours / timed:.1f}, at most {most:.1f}" if timed else "–",
        *(
            f"{total(column):,}"
            for column in (
                "file_versions",
                "corrections",
                "files_refused",
                "files_held",
                "rows_loaded",
                "rows_quarantined",
                "rows_held",
            )
        ),
    )


def _faults_table(faults: Sequence[Row]) -> str:
    if not faults:
        return "Nothing: every file and every row was taken up."
    rows = []
    for kind, words in KINDS.items():
        of_kind = [fault for fault in faults if fault["kind"] == kind]
        for reason in sorted({fault["reason"] for fault in of_kind}):
            mine = sorted(
                (fault for fault in of_kind if fault["reason"] == reason), key=lambda fault: fault["week_start"]
            )
            line = mine[-1]["example_line"]
            rows.append(
                (
                    words,
                    literal(WORDS.get(reason, reason.replace("_", " "))),
                    f"{sum(fault['file_count'] for fault in mine):,}",
                    f"{sum(fault['row_count'] for fault in mine):,}",
                    str(mine[-1]["week_start"]),
                    literal(mine[-1]["example_file"]) + (f", line {line}" if line is not None else ""),
                )
            )
    return table(("what", "why", "files", "rows", "last in the week from", "such as"), rows)


def _legend(delivery_hours: float) -> list[str]:
    return [
        "Weeks begin on Monday and go by the business date of the sales, not by the day on which they arrived.",
        "*Days*: business dates for which a file came, and dates without sales amid those of a file that has rows on most of them. "
        "*Missing*: the other dates between the first and the last.",
        f"*Late*: the first file of a date was taken up more than {delivery_hours:g} hours after the date had ended, by the unit's clock. "
        "Dates that were over when the unit's first file was taken up came as its history and are not timed.",
        "*Files*: every version of every file. *Corrections*: those that came with other content under the same path. *Refused* files "
        "cannot be used at all; *held* ones wait, since too many of their rows are faulty.",
        "*Rows loaded* and *quarantined* are those of the versions that are valid now; *rows held* wait with their file.",
    ]


# The plot ---------------------------------------------------------------------------------------------------------------


def plot_of_weeks(card: Scorecard) -> bytes:
    """Late and missing days, and below them the rows quarantined or held, of the last weeks, as a PNG image."""
    weeks = card.weeks[-WEEKS_SHOWN:]
    labels = [f"{week['week_start']:%d %b}" for week in weeks]
    figure = new_figure(4.2, card.title, f"by week, from {weeks[0]['week_start']}")
    days, rows = figure.subplots(2, 1, sharex=True)
    missing = [week["days_expected"] - week["days_delivered"] for week in weeks]
    _bars(days, "days", {"late": (ACCENT, [week["days_late"] for week in weeks]), "missing": (ALARM, missing)})
    of_rows = {
        "quarantined": (COFFEE, [week["rows_quarantined"] for week in weeks]),
        "held": (CREAM, [week["rows_held"] for week in weeks]),
    }
    _bars(rows, "rows", of_rows)
    step = -(-len(labels) // 9)
    rows.set_xticks(range(0, len(labels), step), labels[::step], fontsize=8.5)
    return png_bytes(figure)


def _bars(axes: "Axes", label: str, stacked: Mapping[str, tuple[str, Sequence[int]]]) -> None:
    """Bars on top of each other, one for each week."""
    below = [0] * len(next(iter(stacked.values()))[1])
    for name, (colour, values) in stacked.items():
        axes.bar(range(len(values)), values, bottom=below, color=colour, width=0.8, label=name)
        below = [start + value for start, value in zip(below, values, strict=True)]
    axes.set_ylim(0, max(*below, 1) * 1.15)
    axes.set_ylabel(label, color=MUTED, fontsize=9)
    axes.locator_params(axis="y", integer=True)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8.5, labelcolor=INK)
    finish_axes(axes, "", grid="y")
