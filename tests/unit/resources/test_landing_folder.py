"""What a folder has that other landing zones have not: hidden files, unfinished copies, links, names in any encoding."""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from resources.landing.folder import FolderLandingZone
from resources.landing.landing_zone import NoFile, SupersededError
from tests.builders import deliver, landed


def paths(zone: FolderLandingZone, prefix: str = "") -> list[str]:
    return [file.path for file in zone.files(prefix)]


NOT_THERE_YET = [
    "sales/usa/.hidden.csv",
    "sales/.hidden/",
    ".DS_Store",
    "sales/usa/a.csv.part",
    "sales/usa/a.csv.tmp",
    "sales/usa/a.csv.crdownload",
    "sales/usa/a.csv~",
    "sales/usa/a.csv.filepart",  # WinSCP
    "sales/usa/a.csv.1f2e3d4c.partial",  # rclone
    "sales/usa/.a.csv.Xy12Zz",  # rsync
    "sales/usa/.in.a.csv",  # lftp
    "sales/usa/.azDownload-2d0c8f3e-a.csv",  # AzCopy
    "sales/usa/a.csv._COPYING_",  # HDFS
    "sales/usa/A.CSV.FILEPART",
]


def left(landing: FolderLandingZone, name: str) -> Path:
    """A file at this path, or one in the folder of this path."""
    file = Path(landing.folder, name, "a.csv") if name.endswith("/") else Path(landing.folder, name)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"x")
    return Path(landing.folder, name)


@pytest.mark.parametrize("name", NOT_THERE_YET)
def test_a_hidden_file_or_unfinished_copy_is_not_there_yet(landing: FolderLandingZone, name: str) -> None:
    deliver(landing, "sales/usa/a.csv", b"x")
    left(landing, name)
    assert paths(landing) == ["sales/usa/a.csv"]


@pytest.mark.parametrize("name", NOT_THERE_YET)
def test_a_copy_that_nobody_has_written_to_for_an_hour_is_named_and_not_read(
    landing: FolderLandingZone, name: str
) -> None:
    file = left(landing, name)
    hour_ago = time.time() - 3601
    os.utime(file, (hour_ago, hour_ago))
    [listed] = landing.files()
    assert listed.path == name
    assert listed.etag == (NoFile.HIDDEN if Path(name).name.startswith(".") else NoFile.UNFINISHED)
    with pytest.raises(SupersededError), landing.open(listed):
        pass


def test_an_empty_hidden_folder_is_not_worth_a_word(landing: FolderLandingZone) -> None:
    empty = Path(landing.folder, ".stfolder")
    empty.mkdir()
    os.utime(empty, (0, 0))
    assert paths(landing) == []


@pytest.mark.parametrize("closed", ["sales/mexico", "."])
def test_a_folder_that_may_not_be_looked_into_is_named_and_stops_no_other(
    landing: FolderLandingZone, monkeypatch: pytest.MonkeyPatch, closed: str
) -> None:
    deliver(landing, "sales/usa/a.csv", b"x")
    deliver(landing, "sales/mexico/a.csv", b"x")
    place, scan = str(Path(landing.folder, closed)), os.scandir

    def refuse(folder: str) -> Iterator[os.DirEntry[str]]:
        """What the operating system does for everyone but root."""
        if folder == place:
            raise PermissionError(13, "Permission denied", folder)
        return scan(folder)

    monkeypatch.setattr(os, "scandir", refuse)
    if closed == ".":
        with pytest.raises(PermissionError):
            list(landing.files())
    else:
        found = list(landing.files())
        assert [file.path for file in found] == ["sales/mexico/", "sales/usa/a.csv"]
        assert found[0].etag == NoFile.UNREADABLE


def test_a_file_appears_when_its_copy_is_finished(landing: FolderLandingZone) -> None:
    copy = Path(landing.folder, "a.csv.part")
    copy.write_bytes(b"whole")
    assert paths(landing) == []
    copy.rename(Path(landing.folder, "a.csv"))
    assert paths(landing) == ["a.csv"]


def test_links_are_not_followed(landing: FolderLandingZone, tmp_path: Path) -> None:
    secret = tmp_path / "elsewhere"
    secret.mkdir()
    (secret / "a.csv").write_bytes(b"x")
    root = Path(landing.folder)
    (root / "sales").mkdir()
    (root / "sales" / "file.csv").symlink_to(secret / "a.csv")
    (root / "sales" / "folder").symlink_to(secret)
    (root / "sales" / "gone.csv").symlink_to(secret / "not there")
    assert [(file.path, file.etag) for file in landing.files()] == [
        ("sales/file.csv", NoFile.LINK),
        ("sales/folder", NoFile.LINK),
        ("sales/gone.csv", NoFile.LINK),
    ]
    for file in landing.files():
        with pytest.raises(SupersededError), landing.open(file):
            pass
    assert paths(landing, "sales/folder/") == []
    assert paths(landing, "sales/folder/a") == []


def test_what_is_no_regular_file_is_named_and_not_opened(landing: FolderLandingZone) -> None:
    os.mkfifo(Path(landing.folder, "a.csv"))
    [listed] = landing.files()
    assert listed.etag == NoFile.SPECIAL
    with pytest.raises(SupersededError), landing.open(listed):
        pass


def test_the_landing_folder_itself_may_be_a_link(landing: FolderLandingZone, tmp_path: Path) -> None:
    deliver(landing, "sales/a.csv", b"x")
    (tmp_path / "link").symlink_to(landing.folder)
    assert paths(FolderLandingZone(folder=str(tmp_path / "link")), "sales/") == ["sales/a.csv"]


def test_a_landing_folder_that_is_not_there_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="create or mount it"):
        paths(FolderLandingZone(folder=str(tmp_path / "none")))


def test_a_replaced_file_is_refused_before_a_byte_is_read(landing: FolderLandingZone) -> None:
    listed = deliver(landing, "a.csv", b"one")
    deliver(landing, "a.csv", b"two")
    with pytest.raises(SupersededError), landing.open(listed):
        pytest.fail("the file was opened")


def test_a_file_that_grows_while_it_is_read_is_not_taken(landing: FolderLandingZone) -> None:
    listed = deliver(landing, "a.csv", b"one")

    def read_while_it_grows() -> None:
        with landing.open(listed) as stream:
            stream.read()
            with Path(landing.folder, "a.csv").open("ab") as more:
                more.write(b" and a half")

    with pytest.raises(SupersededError):
        read_while_it_grows()


def test_a_file_whose_folder_became_a_file_is_superseded(landing: FolderLandingZone) -> None:
    listed = deliver(landing, "b/a.csv", b"x")
    Path(landing.folder, "b/a.csv").unlink()
    Path(landing.folder, "b").rmdir()
    Path(landing.folder, "b").write_bytes(b"now a file")
    with pytest.raises(SupersededError), landing.open(listed):
        pass


def test_a_file_that_became_a_folder_is_superseded(landing: FolderLandingZone) -> None:
    listed = deliver(landing, "a.csv", b"x")
    Path(landing.folder, "a.csv").unlink()
    Path(landing.folder, "a.csv").mkdir()
    with pytest.raises(SupersededError), landing.open(listed):
        pass


def test_an_edit_in_place_that_keeps_the_size_changes_the_etag(landing: FolderLandingZone) -> None:
    before = deliver(landing, "a.csv", b"one")
    Path(landing.folder, "a.csv").write_bytes(b"two")
    assert landed(landing, "a.csv").etag != before.etag


def test_a_name_that_is_not_utf_8_is_listed_as_text_that_can_be_written_down(landing: FolderLandingZone) -> None:
    Path(os.fsdecode(os.fsencode(landing.folder) + b"/caf\xe9.csv")).write_bytes(b"x")
    assert paths(landing) == [r"caf\xe9.csv"]
    paths(landing)[0].encode("utf-8")


def test_it_says_which_folder_it_is(landing: FolderLandingZone) -> None:
    assert landing.describe() == f"folder {landing.folder}"
