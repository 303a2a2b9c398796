"""The contract of every `LandingZone`. An implementation joins by a shore of its own in `SHORES`.

What only one implementation has (hidden files, links, containers) is tested beside that implementation.
"""

from pathlib import Path
from typing import Protocol

import pytest

from resources.landing.landing_zone import LandedFile, LandingZone, SupersededError
from tests.blob_builders import Bay
from tests.builders import deliver, landing_in
from tests.emulators.azurite_server import Azurite


class Shore(Protocol):
    """A landing zone, seen from where the files come from."""

    zone: LandingZone

    def put(self, path: str, content: bytes) -> LandedFile: ...
    def append(self, path: str, content: bytes) -> None: ...
    def remove(self, path: str) -> None: ...


class FolderShore:
    def __init__(self, request: pytest.FixtureRequest) -> None:
        self.zone = landing_in(request.getfixturevalue("tmp_path"))

    def put(self, path: str, content: bytes) -> LandedFile:
        return deliver(self.zone, path, content)

    def append(self, path: str, content: bytes) -> None:
        with Path(self.zone.folder, path).open("ab") as stream:
            stream.write(content)

    def remove(self, path: str) -> None:
        Path(self.zone.folder, path).unlink()


def blob_shore(request: pytest.FixtureRequest) -> Shore:
    azurite: Azurite = request.getfixturevalue("azurite")
    return Bay.new(azurite)


SHORES = [FolderShore, blob_shore]

ODD_NAMES = [
    "sales/usa/2022/01/31/two words.csv",
    "sales/usa/2022/01/31/ leading and trailing .csv ",
    'sales/usa/2022/01/31/it\'s "quoted".csv',
    "sales/usa/2022/01/31/100%25 ?&#+.csv",
    "sales/usa/2022/01/31/;DROP TABLE load_ledger;--.csv",
    "sales/usa/2022/01/31/☕ café ñandú 日本.csv",
    "sales/usa/2022/01/31/comma,semicolon;.csv",
    "sales/usa/2022/01/31/glob[*]?.csv",
    "sales/usa/2022/01/31/" + "x" * 200 + ".csv",
]


@pytest.fixture(params=SHORES, ids=lambda shore: shore.__name__)
def shore(request: pytest.FixtureRequest) -> Shore:
    return request.param(request)


def paths(zone: LandingZone, prefix: str = "") -> list[str]:
    return [file.path for file in zone.files(prefix)]


def content(zone: LandingZone, file: LandedFile) -> bytes:
    with zone.open(file) as stream:
        return stream.read()


def test_an_empty_landing_zone_lists_nothing(shore: Shore) -> None:
    assert paths(shore.zone) == []
    assert paths(shore.zone, "sales/usa/2022/01/") == []


def test_files_are_listed_in_path_order_whatever_the_order_of_arrival(shore: Shore) -> None:
    for path in ("b/2.csv", "a.csv", "b/10.csv", "b.csv", "a/z/1.csv", "B.csv"):
        shore.put(path, b"x")
    assert paths(shore.zone) == ["B.csv", "a.csv", "a/z/1.csv", "b.csv", "b/10.csv", "b/2.csv"]


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [
        ("sales/", ["sales/usa/2022/01/30/a.csv", "sales/usa/2022/01/31/a.csv", "sales/usa_east/2022/01/31/a.csv"]),
        ("sales/usa", ["sales/usa/2022/01/30/a.csv", "sales/usa/2022/01/31/a.csv", "sales/usa_east/2022/01/31/a.csv"]),
        ("sales/usa/", ["sales/usa/2022/01/30/a.csv", "sales/usa/2022/01/31/a.csv"]),
        ("sales/usa/2022/01/31/", ["sales/usa/2022/01/31/a.csv"]),
        ("sales/usa/2022/01/31/a.csv", ["sales/usa/2022/01/31/a.csv"]),
        ("sales/usa/2022/02/", []),
        ("ales/", []),
    ],
)
def test_a_prefix_is_the_beginning_of_the_path(shore: Shore, prefix: str, expected: list[str]) -> None:
    for path in (
        "reference/products.csv",
        "sales/usa/2022/01/31/a.csv",
        "sales/usa/2022/01/30/a.csv",
        "sales/usa_east/2022/01/31/a.csv",
    ):
        shore.put(path, b"x")
    assert paths(shore.zone, prefix) == expected


@pytest.mark.parametrize(
    ("prefix", "folders", "files"),
    [
        ("", ["reference/", "sales/"], ["a.csv"]),
        ("sales/", ["sales/usa/", "sales/☕ usa/"], ["sales/b.csv"]),
        ("sales/usa/", ["sales/usa/2022/"], []),
        ("sales/usa/2022/01/31/", [], ["sales/usa/2022/01/31/a.csv", "sales/usa/2022/01/31/b.csv"]),
        ("sales/nowhere/", [], []),
    ],
)
def test_a_level_is_what_lies_directly_in_a_place(
    shore: Shore, prefix: str, folders: list[str], files: list[str]
) -> None:
    for path in (
        "a.csv",
        "reference/products.csv",
        "sales/b.csv",
        "sales/usa/2022/01/31/b.csv",
        "sales/usa/2022/01/31/a.csv",
        "sales/☕ usa/2022/01/31/a.csv",
    ):
        shore.put(path, b"x")
    level = shore.zone.level(prefix)
    assert (list(level.folders), [file.path for file in level.files]) == (folders, files)
    assert set(level.files) <= set(shore.zone.files(prefix))


def test_an_untouched_file_keeps_its_etag_and_a_replaced_one_gets_another(shore: Shore) -> None:
    first = shore.put("a.csv", b"one")
    assert list(shore.zone.files()) == [first]
    second = shore.put("a.csv", b"two")
    third = shore.put("a.csv", b"one")
    assert len({first.etag, second.etag, third.etag}) == 3


def test_size_is_in_bytes(shore: Shore) -> None:
    assert shore.put("a.csv", "☕".encode()).size == 3
    assert shore.put("empty.csv", b"").size == 0


def test_a_file_is_read_as_it_was_written(shore: Shore) -> None:
    written = bytes(range(256)) + b"\r\n\x00" * 100_000
    assert content(shore.zone, shore.put("a.csv.gz", written)) == written


def test_a_file_replaced_since_the_listing_is_not_read(shore: Shore) -> None:
    listed = shore.put("a.csv", b"one")
    shore.put("a.csv", b"two")
    with pytest.raises(SupersededError, match=r"a\.csv: was replaced or removed"):
        content(shore.zone, listed)


def test_a_file_removed_since_the_listing_is_not_read(shore: Shore) -> None:
    listed = shore.put("b/a.csv", b"one")
    shore.remove("b/a.csv")
    with pytest.raises(SupersededError) as superseded:
        content(shore.zone, listed)
    assert superseded.value.path == "b/a.csv"


def test_a_file_that_grows_while_it_is_read_gives_the_listed_version_or_none(shore: Shore) -> None:
    listed = shore.put("a.csv", b"one")
    read = b""
    try:
        with shore.zone.open(listed) as stream:
            shore.append("a.csv", b" and a half")
            read = stream.read()
    except SupersededError:
        return
    assert read == b"one"


def test_a_file_replaced_while_it_is_read_gives_the_listed_version_or_none(shore: Shore) -> None:
    listed = shore.put("a.csv", b"one" * 1000)
    read = b""
    try:
        with shore.zone.open(listed) as stream:
            read = stream.read(10)
            shore.put("a.csv", b"two" * 1000)
            read += stream.read()
    except SupersededError:
        return
    assert read == b"one" * 1000


def test_a_reader_s_own_error_stays_its_own(shore: Shore) -> None:
    listed = shore.put("a.csv", b"one")
    with pytest.raises(FileNotFoundError, match="something else"), shore.zone.open(listed):
        raise FileNotFoundError("something else")


@pytest.mark.parametrize("path", ODD_NAMES)
def test_odd_names_come_back_as_they_are(shore: Shore, path: str) -> None:
    file = shore.put(path, path.encode())
    assert paths(shore.zone) == [path]
    assert paths(shore.zone, path.rpartition("/")[0] + "/") == [path]
    assert content(shore.zone, file) == path.encode()


def test_it_says_where_it_is(shore: Shore) -> None:
    assert shore.zone.describe()
