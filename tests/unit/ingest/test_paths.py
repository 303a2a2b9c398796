"""What a path means: a table of paths."""

import datetime as dt

import pytest

from globolatte_ingest.paths import MisplacedFile, PathRules, SalesFile
from resources.landing.landing_zone import LandedFile, NoFile
from tests.builders import DAY, RULES, sales_path


@pytest.mark.parametrize(
    ("path", "folder", "date"),
    [
        ("sales/usa/2022/01/31/sales.csv", "usa", "2022-01-31"),
        ("sales/canada/2022/01/01/a.csv.gz", "canada", "2022-01-01"),
        ("sales/mexico/2022/02/10/a.parquet", "mexico", "2022-02-10"),
        ("sales/usa/2022/01/31/;DROP TABLE x;--.csv", "usa", "2022-01-31"),
        ("sales/usa/2022/01/31/two words ☕ 100%.csv", "usa", "2022-01-31"),
        ("sales/usa/2022/01/31/new\nline.csv", "usa", "2022-01-31"),
        ("sales/usa/2022/01/31/a.b.csv", "usa", "2022-01-31"),
    ],
)
def test_a_well_placed_file_belongs_to_its_folder_s_unit_and_date(path: str, folder: str, date: str) -> None:
    file = LandedFile(path, "etag", 1)
    assert RULES.place(file) == SalesFile(file, folder, dt.date.fromisoformat(date))


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("sales/usa/2022/01/31/sales.xlsx", "file type is none of .csv, .csv.gz, .parquet; export the sales as one of these"),
        ("sales/usa/2022/01/31/sales", "file type is none of"),
        ("sales/usa/2022/01/31/sales.CSVX", "file type is none of"),
        ("sales/usa/2022/01/31/sales.csv.zip", "file type is none of"),
        ("sales/sales.csv", "path is not sales/<folder>/<yyyy>/<mm>/<dd>/<file>; move the file there"),
        ("sales/usa/2022-01-31/sales.csv", "path is not sales/"),
        ("sales/usa/2022/1/31/sales.csv", "path is not sales/"),
        ("sales/usa/22/01/31/sales.csv", "path is not sales/"),
        ("sales/usa/2022/01/31/deeper/sales.csv", "path is not sales/"),
        ("sales//2022/01/31/sales.csv", "path is not sales/"),
        ("sales/usa/٢٠٢٢/01/31/sales.csv", "path is not sales/"),
        ("reference/prices.csv", "is none of reference/business_units.csv, reference/customers.csv, reference/products.csv"),
        ("sales/france/2022/01/31/sales.csv", "no business unit has the folder 'france' (known: canada, mexico, usa)"),
        ("sales/USA/2022/01/31/sales.csv", "no business unit has the folder 'USA'"),
        ("sales/usa/2022/02/30/sales.csv", "the path's year/month/day is no date; move the file to its business date"),
        ("sales/usa/2022/13/01/sales.csv", "is no date"),
        ("sales/usa/0000/01/01/sales.csv", "is no date"),
        ("sales/usa/2021/12/31/sales.csv", "business date 2021-12-31 is before the first one, 2022-01-01"),
        ("sales/usa/2022/02/11/sales.csv", "business date 2022-02-11 lies in the future; it is looked at again on that day"),
        ("sales/usa/9999/12/31/sales.csv", "lies in the future"),
        (r"sales/usa/2022/01/31/caf\xe9.csv", "name holds a backslash or bytes that are not UTF-8; rename the file"),
        (r"sales\usa\2022\01\31\sales.csv", "name holds a backslash"),
    ],
)  # fmt: skip
def test_a_misplaced_file_says_what_is_wrong_with_its_path(path: str, reason: str) -> None:
    file = LandedFile(path, "etag", 1)
    placed = RULES.place(file)
    assert isinstance(placed, MisplacedFile)
    assert placed.file == file
    assert reason in placed.reason


@pytest.mark.parametrize(
    ("kind", "reason"),
    [
        (NoFile.UNFINISHED, "has the name of an unfinished copy"),
        (NoFile.HIDDEN, "is hidden (its name begins with a dot), so it is not read; rename it, or remove it"),
        (NoFile.LINK, "is a link, and links are not followed; put the file itself there"),
        (NoFile.SPECIAL, "is no regular file"),
        (NoFile.UNREADABLE, "permission denied"),
    ],
)
def test_what_is_not_read_says_why_whatever_its_path(kind: NoFile, reason: str) -> None:
    for path in ("sales/usa/2022/01/31/sales.csv", "reference/products.csv", "notes.txt"):
        placed = RULES.place(LandedFile(path, kind, 1))
        assert isinstance(placed, MisplacedFile)
        assert reason in placed.reason


def test_the_future_is_judged_by_the_units_own_clock() -> None:
    rules = PathRules({"japan", "usa"}, RULES.first_business_date, DAY, {"japan": DAY + dt.timedelta(days=1)})
    tomorrow = DAY + dt.timedelta(days=1)
    assert isinstance(rules.place(LandedFile(sales_path("a.csv", "japan", tomorrow), "1", 1)), SalesFile)
    future = rules.place(LandedFile(sales_path("a.csv", "usa", tomorrow), "1", 1))
    assert isinstance(future, MisplacedFile)
    assert "lies in the future" in future.reason
