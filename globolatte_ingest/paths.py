"""What a path in the landing zone means. Pure: no file is opened here."""

import datetime as dt
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from resources.landing.landing_zone import REFERENCE_PREFIX, SALES_PREFIX, LandedFile, NoFile
from resources.landing.path_patterns import SALES_SUFFIXES, SETTING, USUAL_PATTERN, PathPattern
from resources.settings.settings import Settings

BUSINESS_UNITS_PATH = f"{REFERENCE_PREFIX}business_units.csv"
CUSTOMERS_PATH = f"{REFERENCE_PREFIX}customers.csv"
PRODUCTS_PATH = f"{REFERENCE_PREFIX}products.csv"
UNIT_DECLARATIONS_PATH = f"{REFERENCE_PREFIX}units.toml"
EXCHANGE_RATES_PATH = f"{REFERENCE_PREFIX}exchange_rates.csv"
REFERENCE_PATHS = (BUSINESS_UNITS_PATH, CUSTOMERS_PATH, PRODUCTS_PATH, UNIT_DECLARATIONS_PATH, EXCHANGE_RATES_PATH)
WEATHER_PREFIX = f"{REFERENCE_PREFIX}weather/"
WEATHER_PATH = re.compile(rf"{WEATHER_PREFIX}[^/\\]+\.(?i:csv)")


@dataclass(frozen=True)
class SalesFile:
    """A landed sales file with the partition under which it is loaded: that of its unit and date.

    Of a file whose path does not tell its unit, or its date, it is the home partition's (`SalesLayout`): its rows tell where they belong.
    """

    file: LandedFile
    folder: str
    date: dt.date
    tells_unit: bool = True
    tells_date: bool = True

    @property
    def is_placed(self) -> bool:
        """Whether its path tells unit and date."""
        return self.tells_unit and self.tells_date


@dataclass(frozen=True)
class MisplacedFile:
    """A file that belongs to no partition and is not a reference file, with the reason."""

    file: LandedFile
    reason: str


def is_weather(path: str) -> bool:
    """Whether the path is that of a weather file, of which there may be any number."""
    return WEATHER_PATH.fullmatch(path) is not None


def is_reference(path: str) -> bool:
    """Whether the path is that of a reference file."""
    return path in REFERENCE_PATHS or is_weather(path)


def needs_a_place(file: LandedFile) -> bool:
    """Whether the path has to name a partition: every path does that is not a reference file's."""
    return not is_reference(file.path) or file.etag in NO_FILES


@dataclass(frozen=True)
class SalesLayout:
    """Where the sales files of a deployment lie: the patterns of their paths, of which the first that matches counts.

    `home_folder` and `home_date` are the partition under which files are loaded whose path does not tell one: the first of the units'
    folders, and the first business date.
    """

    patterns: tuple[PathPattern, ...] = (PathPattern(USUAL_PATTERN),)
    home_folder: str = ""
    home_date: dt.date = dt.date.min

    @cached_property
    def is_usual(self) -> bool:
        """Whether nothing is declared."""
        return [pattern.text for pattern in self.patterns] == [USUAL_PATTERN]

    @cached_property
    def has_undated(self) -> bool:
        """Whether some paths tell no date."""
        return not all(pattern.tells_date for pattern in self.patterns)

    @cached_property
    def is_listed_by_date(self) -> bool:
        """Whether all files can be listed by their date."""
        return all(pattern.is_listed_by_date for pattern in self.patterns)

    def lists_by_date(self, path: str) -> bool:
        """Whether a prefix lists the file of this path with the others of its date."""
        return next((one.is_listed_by_date for one in self.patterns if one.told(path) is not None), False)

    @cached_property
    def roots(self) -> tuple[str, ...]:
        """The folders of the landing zone's first level that all sales files lie in; none if some lie elsewhere, or in any folder."""
        starts = [pattern.prefix(None) for pattern in self.patterns]
        if not all("/" in start for start in starts):
            return ()
        return tuple(dict.fromkeys(start.partition("/")[0] + "/" for start in starts))

    def told(self, path: str) -> tuple[str | None, dt.date | str | None] | None:
        """What a path tells by the first pattern that it matches (see `PathPattern.told`); none if it matches none."""
        return next((told for pattern in self.patterns if (told := pattern.told(path)) is not None), None)

    def partition(self, path: str) -> tuple[str, dt.date] | None:
        """The landing folder and the date under which a sales path is loaded, known unit or not; none if it belongs to none."""
        told = self.told(path)
        if told is None or isinstance(told[1], str):
            return None
        return told[0] or self.home_folder, told[1] or self.home_date

    def is_home(self, first: dt.date, last: dt.date) -> bool:
        """Whether a range of dates is the one under which files without a date are loaded, in a deployment that has such files."""
        return self.has_undated and first == last == self.home_date

    def prefixes(self, folder: str) -> list[str]:
        """What the paths of a unit's files begin with."""
        return list(dict.fromkeys(pattern.prefix(folder) for pattern in self.patterns if pattern.tells_unit))


USUAL_LAYOUT = SalesLayout()


def layout_of(settings: Settings) -> SalesLayout:
    """The layout of a deployment."""
    patterns = tuple(PathPattern(text) for text in settings.sales_paths)
    return SalesLayout(patterns, min(settings.business_units), settings.first_business_date)


@dataclass(frozen=True)
class PathRules:
    """What makes a sales path belong to a partition."""

    folders: Collection[str]
    first_business_date: dt.date
    last_business_date: dt.date
    last_by_folder: Mapping[str, dt.date] = field(default_factory=dict)
    """The last business date of the units whose date is known by their own clock."""
    layout: SalesLayout = USUAL_LAYOUT

    def last_of(self, folder: str | None) -> dt.date:
        """The last business date of a unit by its own clock; without a unit, the latest of all."""
        if folder is None:
            return max([self.last_business_date, *self.last_by_folder.values()])
        return self.last_by_folder.get(folder, self.last_business_date)

    def place(self, file: LandedFile) -> SalesFile | MisplacedFile:
        """The partition that the file's path names, or why there is none."""
        placed = self._fault_of(file) or self._partition_of(file)
        return MisplacedFile(file, placed) if isinstance(placed, str) else placed

    def _partition_of(self, file: LandedFile) -> SalesFile | str:
        """The file with its landing folder and business date, or why its path names no partition."""
        told = self.layout.told(file.path)
        if told is None:
            if self.layout.is_usual:
                return f"path is not {SALES_PREFIX}<folder>/<yyyy>/<mm>/<dd>/<file>; move the file there"
            patterns = "; ".join(pattern.text for pattern in self.layout.patterns)
            return f"path is none of {patterns}; move the file, or add a pattern to {SETTING}"
        folder, date = told
        if folder is not None and folder not in self.folders:
            return (
                f"no business unit has the folder {folder!r} (known: {', '.join(sorted(self.folders))}); "
                "correct the folder, or add the unit to GLOBOLATTE_BUSINESS_UNITS and reference/business_units.csv"
            )
        if isinstance(date, str):
            return "the path's year/month/day is no date; move the file to its business date"
        if date is not None and date < self.first_business_date:
            return (
                f"business date {date} is before the first one, {self.first_business_date}; "
                "correct the folder, or set GLOBOLATTE_FIRST_BUSINESS_DATE"
            )
        if date is not None and date > self.last_of(folder):
            return f"business date {date} lies in the future; it is looked at again on that day"
        return SalesFile(
            file,
            self.layout.home_folder if folder is None else folder,
            self.layout.home_date if date is None else date,
            tells_unit=folder is not None,
            tells_date=date is not None,
        )

    def _fault_of(self, file: LandedFile) -> str | None:
        """What is wrong with a file whatever its partition."""
        if file.etag in NO_FILES:
            return NO_FILES[NoFile(file.etag)]
        if "\\" in file.path:
            return "name holds a backslash or bytes that are not UTF-8; rename the file"
        if file.path.startswith(REFERENCE_PREFIX):
            return (
                f"is none of {', '.join(REFERENCE_PATHS)}, {WEATHER_PREFIX}*.csv; correct the name, or remove the file"
            )
        roots = self.layout.roots
        if roots and not file.path.startswith(roots):
            places = [SALES_PREFIX] if self.layout.is_usual else roots
            return f"lies neither under {', '.join(places)} nor under {REFERENCE_PREFIX}; move the file there, or remove it"
        if not file.path.lower().endswith(SALES_SUFFIXES):
            return f"file type is none of {', '.join(SALES_SUFFIXES)}; export the sales as one of these"
        return None


NO_FILES = {
    NoFile.UNFINISHED: "has the name of an unfinished copy, and nothing was written to it for an hour; finish the upload, or remove it",
    NoFile.HIDDEN: "is hidden (its name begins with a dot), so it is not read; rename it, or remove it",
    NoFile.LINK: "is a link, and links are not followed; put the file itself there",
    NoFile.SPECIAL: "is no regular file; remove it",
    NoFile.UNREADABLE: "cannot be looked into: permission denied; give GloboLatte the right to read it",
}
"""What is wrong with something that lies in the landing zone and is not read."""
