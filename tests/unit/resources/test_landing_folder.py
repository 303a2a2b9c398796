"""What a folder has that other landing zones have not: hidden files, unfinished copies, links, names in any encoding."""

import os
from pathlib import Path

import pytest

from resources.landing.folder import FolderLandingZone
from resources.landing.landing_zone import SupersededError
from tests.builders import deliver, landed


def paths(zone: FolderLandingZone, prefix: str = "") -> list[str]:
    return [file.path for file in zone.files(prefix)]


@pytest.mark.parametrize(
    "name",
    [
        "sales/usa/.hidden.csv",
        "sales/.hidden/a.csv",
        ".DS_Store",
        "sales/usa/a.csv.part",
        "sales/usa/a.csv.tmp",
        "sales/usa/a.csv.crdownload",
        "sales/usa/a.csv~",
    ],
)
def test_hidden_files_and_unfinished_copies_are_not_there_yet(landing: FolderLandingZone, name: str) -> None:
    deliver(landing, "sales/usa/a.csv", b"x")
    file = Path(landing.folder, name)
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(b"x")
    assert paths(landing) == ["sales/usa/a.csv"]


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
    assert paths(landing) == []
    assert paths(landing, "sales/folder/") == []
    assert paths(landing, "sales/folder/a") == []


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
