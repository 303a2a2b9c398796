"""What a path in the landing zone means. Pure: no file is opened here."""

import datetime as dt
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from resources.landing.landing_zone import REFERENCE_PREFIX, SALES_PREFIX, LandedFile, NoFile

SALES_PATH = re.compile(r"sales/(?P<folder>[^/]+)/(?P<year>\d{4})/(?P<month>\d{2})/(?P<day>\d{2})/[^/]+", re.ASCII)
SALES_SUFFIXES = (".csv", ".csv.gz", ".parquet")

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
    """A landed file that belongs to one business unit's one business date."""

    file: LandedFile
    folder: str
    date: dt.date


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


def folder_and_date(path: str) -> tuple[str, dt.date] | None:
    """The landing folder and the business date that a sales path names, known unit or not; none if it names none."""
    match = SALES_PATH.fullmatch(path)
    try:
        return (match["folder"], dt.date(int(match["year"]), int(match["month"]), int(match["day"]))) if match else None
    except ValueError:
        return None


@dataclass(frozen=True)
class PathRules:
    """What makes a sales path belong to a partition."""

    folders: Collection[str]
    first_business_date: dt.date
    last_business_date: dt.date
    last_by_folder: Mapping[str, dt.date] = field(default_factory=dict)
    """The last business date of the units whose date is known by their own clock."""

    def place(self, file: LandedFile) -> SalesFile | MisplacedFile:
        """The partition that the file's path names, or why there is none."""
        placed = _fault_of(file) or self._partition_of(file.path)
        return MisplacedFile(file, placed) if isinstance(placed, str) else SalesFile(file, *placed)

    def _partition_of(self, path: str) -> tuple[str, dt.date] | str:
        """The landing folder and the business date, or why the path names no partition."""
        match = SALES_PATH.fullmatch(path)
        if match is None:
            return f"path is not {SALES_PREFIX}<folder>/<yyyy>/<mm>/<dd>/<file>; move the file there"
        if (folder := match["folder"]) not in self.folders:
            return (
                f"no business unit has the folder {folder!r} (known: {', '.join(sorted(self.folders))}); "
                "correct the folder, or add the unit to GLOBOLATTE_BUSINESS_UNITS and reference/business_units.csv"
            )
        named = folder_and_date(path)
        if named is None:
            return "the path's year/month/day is no date; move the file to its business date"
        if named[1] < self.first_business_date:
            return (
                f"business date {named[1]} is before the first one, {self.first_business_date}; "
                "correct the folder, or set GLOBOLATTE_FIRST_BUSINESS_DATE"
            )
        if named[1] > self.last_by_folder.get(folder, self.last_business_date):
            return f"business date {named[1]} lies in the future; it is looked at again on that day"
        return named


NO_FILES = {
    NoFile.UNFINISHED: "has the name of an unfinished copy, and nothing was written to it for an hour; finish the upload, or remove it",
    NoFile.HIDDEN: "is hidden (its name begins with a dot), so it is not read; rename it, or remove it",
    NoFile.LINK: "is a link, and links are not followed; put the file itself there",
    NoFile.SPECIAL: "is no regular file; remove it",
    NoFile.UNREADABLE: "cannot be looked into: permission denied; give GloboLatte the right to read it",
}
"""What is wrong with something that lies in the landing zone and is not read."""


def _fault_of(file: LandedFile) -> str | None:
    """What is wrong with a file whatever its partition."""
    if file.etag in NO_FILES:
        return NO_FILES[NoFile(file.etag)]
    if "\\" in file.path:
        return "name holds a backslash or bytes that are not UTF-8; rename the file"
    if file.path.startswith(REFERENCE_PREFIX):
        return f"is none of {', '.join(REFERENCE_PATHS)}, {WEATHER_PREFIX}*.csv; correct the name, or remove the file"
    if not file.path.startswith(SALES_PREFIX):
        return f"lies neither under {SALES_PREFIX} nor under {REFERENCE_PREFIX}; move the file there, or remove it"
    if not file.path.lower().endswith(SALES_SUFFIXES):
        return f"file type is none of {', '.join(SALES_SUFFIXES)}; export the sales as one of these"
    return None
