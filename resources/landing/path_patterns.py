"""Patterns of the paths under which sales files lie: how they are written, which paths they match, and which prefixes list their files.

Pure: what a path means for a deployment (known unit, possible date) is decided in `globolatte_ingest.paths`.
"""

import datetime as dt
import re
from dataclasses import dataclass
from functools import cached_property

from resources.landing.landing_zone import REFERENCE_PREFIX

SETTING = "GLOBOLATTE_SALES_PATHS"
USUAL_PATTERN = "sales/{unit}/{date:%Y/%m/%d}/*"
SALES_SUFFIXES = (".csv", ".csv.gz", ".parquet")

PIECE = re.compile(r"\{(?P<field>[^{}]*)\}|(?P<wild>[*?])|(?P<text>[^{}*?]+)")
DIGITS = {"Y": r"\d{4}", "y": r"\d{2}", "m": r"\d{2}", "d": r"\d{2}"}
DATE_PIECE = re.compile(r"%(?P<directive>.)|(?P<text>[^%]+)")
USUAL_DATE = "%Y-%m-%d"


class PatternError(ValueError):
    """A pattern is wrong. The message names it, the fault and the remedy."""

    def __init__(self, pattern: str, fault: str) -> None:
        super().__init__(f"{SETTING}: pattern {pattern!r} {fault}")


@dataclass(frozen=True)
class Piece:
    """A part of a pattern: text, a wildcard (`*`, `?`), `unit`, or a directive of the date (`Y`, `y`, `m`, `d`)."""

    kind: str
    text: str = ""


@dataclass(frozen=True)
class PathPattern:
    """One pattern, such as `sales/{unit}/{date:%Y/%m/%d}/*`; raises `PatternError` if it is wrong.

    `*` is any text within a name, `?` one character of it. The type of file at its end is matched in any case.
    """

    text: str

    def __post_init__(self) -> None:
        fault = self._fault()
        if fault is not None:
            raise PatternError(self.text, fault)

    @cached_property
    def pieces(self) -> tuple[Piece, ...]:
        """The parts in order. Raises `PatternError` for a field that there is not."""
        found: list[Piece] = []
        for piece in PIECE.finditer(self.text):
            field = piece["field"]
            if field is None:
                found.append(Piece("wild", piece["wild"]) if piece["wild"] else Piece("text", piece["text"]))
            elif field == "unit":
                found.append(Piece("unit"))
            elif field == "date" or field.startswith("date:"):
                found += self._date(field.partition(":")[2] or USUAL_DATE)
            else:
                raise PatternError(
                    self.text,
                    f"has {{{field}}}; what a path may tell is {{unit}} and {{date:%Y-%m-%d}}, anything else is *",
                )
        return tuple(found)

    def _date(self, form: str) -> list[Piece]:
        pieces = [Piece(one["directive"] or "text", one["text"] or "") for one in DATE_PIECE.finditer(form)]
        wrong = [piece.kind for piece in pieces if piece.kind != "text" and piece.kind not in DIGITS]
        if wrong or form.count("%") > sum(piece.kind != "text" for piece in pieces):
            raise PatternError(
                self.text,
                f"has {'%' + wrong[0] if wrong else 'a % at the end'} in its date; write the date with %Y (or %y), %m and %d, and * for a "
                "time beside it",
            )
        return pieces

    def _fault(self) -> str | None:
        text = self.text
        if "".join(piece[0] for piece in PIECE.finditer(text)) != text:
            return "has a brace that is not closed or opened; write {unit} and {date:%Y-%m-%d}"
        if text.startswith("/") or "\\" in text or {"", ".", ".."} & set(text.split("/")):
            return "is no path within the landing zone; write it with single slashes between names, like sales/{unit}/*.csv"
        if text.startswith(REFERENCE_PREFIX):
            return (
                f"lies under {REFERENCE_PREFIX}, where the reference files are; put sales elsewhere, like sales/*.csv"
            )
        if "**" in text:
            return "has **; one * is any text within one name, so write a folder as /*/"
        kinds = [piece.kind for piece in self.pieces]
        if kinds.count("unit") > 1:
            return "has {unit} twice; put * for the second"
        told = "".join(sorted(kind for kind in kinds if kind in DIGITS))
        if told not in ("", "Ydm", "dmy"):
            return f"tells no whole date ({', '.join('%' + one for one in told)}); its date needs %Y (or %y), %m and %d, each once"
        if self.pieces[-1] != Piece("wild", "*") and not text.lower().endswith(SALES_SUFFIXES):
            return f"ends like no sales file; end it with * or one of {', '.join(SALES_SUFFIXES)}"
        return None

    @cached_property
    def tells_unit(self) -> bool:
        """Whether the path names the unit."""
        return any(piece.kind == "unit" for piece in self.pieces)

    @cached_property
    def tells_date(self) -> bool:
        """Whether the path names the date."""
        return any(piece.kind in DIGITS for piece in self.pieces)

    @cached_property
    def suffix(self) -> str:
        """The type of file at the end, in lower case; empty if the pattern leaves it open."""
        by_length = sorted(SALES_SUFFIXES, key=len, reverse=True)
        return next((one for one in by_length if self.text.lower().endswith(one)), "")

    @cached_property
    def expression(self) -> re.Pattern[str]:
        """The regular expression of the paths."""
        parts = []
        for piece in self.pieces:
            if piece.kind == "wild":
                parts.append("[^/]*?" if piece.text == "*" else "[^/]")
            elif piece.kind == "unit":
                parts.append("(?P<unit>[^/]+?)")
            elif piece.kind in DIGITS:
                parts.append(f"(?P<{piece.kind}>{DIGITS[piece.kind]})")
            else:
                parts.append(re.escape(piece.text))
        if self.suffix:
            parts[-1] = f"{re.escape(self.pieces[-1].text[: -len(self.suffix)])}(?i:{re.escape(self.suffix)})"
        return re.compile("".join(parts), re.ASCII | re.DOTALL)

    def told(self, path: str) -> tuple[str | None, dt.date | str | None] | None:
        """The unit's folder and the date that a path tells, each none if the pattern tells it not; the digits where they are no date.

        None if the path does not match.
        """
        found = self.expression.fullmatch(path)
        if found is None:
            return None
        values = found.groupdict()
        if not self.tells_date:
            return values.get("unit"), None
        year = int(values["Y"]) if "Y" in values else 2000 + int(values["y"])
        try:
            return values.get("unit"), dt.date(year, int(values["m"]), int(values["d"]))
        except ValueError:
            return values.get("unit"), f"{year}-{values['m']}-{values['d']}"

    def prefix(self, folder: str | None, date: dt.date | None = None, *, whole_month: bool = False) -> str:
        """What the paths of a unit's date begin with, up to the first part that is not known; with `whole_month`, of all its days.

        The type of file at the end is not part of it: paths have that in any case.
        """
        found = ""
        for place, piece in enumerate(self.pieces, start=1):
            if piece.kind == "text" and place == len(self.pieces):
                found += piece.text[: -len(self.suffix)]
            elif piece.kind == "text":
                found += piece.text
            elif piece.kind == "unit" and folder is not None:
                found += folder
            elif piece.kind in DIGITS and date is not None and not (whole_month and piece.kind == "d"):
                found += f"{date:%{piece.kind}}" if piece.kind != "Y" else f"{date.year:04d}"
            else:
                break
        return found

    @cached_property
    def is_listed_by_date(self) -> bool:
        """Whether a prefix lists the files of one date."""
        before = [piece.kind for piece in self.pieces]
        known = before[: before.index("wild")] if "wild" in before else before
        return self.tells_date and sum(kind in DIGITS for kind in known) == 3

    @cached_property
    def is_listed_by_month(self) -> bool:
        """Whether a prefix lists the files of one month: the day comes last of the date."""
        return self.is_listed_by_date and [piece.kind for piece in self.pieces if piece.kind in DIGITS][-1] == "d"
