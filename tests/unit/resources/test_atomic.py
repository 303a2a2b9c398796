"""Files and folders are there whole or not at all; folders named by their content, behind a pointer."""

import os
from pathlib import Path

import pytest

from resources import atomic
from resources.content_store import ABANDONED_SECONDS, ContentStore, content_hash


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    file = tmp_path / "new folder" / "a.txt"
    atomic.write_text(file, "old")
    with atomic.replacing(file) as new, new.open("w") as stream:
        stream.write("half")
        assert file.read_text() == "old"
        stream.write(" and half")
    assert file.read_text() == "half and half"
    assert [one.name for one in file.parent.iterdir()] == ["a.txt"]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    atomic.write_text(file, "old")
    with pytest.raises(ZeroDivisionError), atomic.replacing(file) as new:
        new.write_text(str(1 / 0))
    assert {one.name: one.read_text() for one in tmp_path.iterdir()} == {"a.txt": "old"}


def test_a_folder_is_filled_once_and_has_its_name_only_when_all_is_in_it(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "folder"

    def half(new: Path) -> None:
        (new / "one").write_text("1")
        raise OSError("cut off")

    with pytest.raises(OSError, match="cut off"):
        atomic.filled_once(folder, half)
    assert not folder.exists()
    atomic.filled_once(folder, lambda new: (new / "two").touch())
    atomic.filled_once(folder, lambda new: (new / "three").touch())
    assert [one.name for one in folder.iterdir()] == ["two"]


def test_of_two_that_fill_a_folder_the_first_wins(tmp_path: Path) -> None:
    folder = tmp_path / "folder"

    def slow(new: Path) -> None:
        (new / "slow").touch()
        folder.mkdir()
        (folder / "fast").touch()

    assert [one.name for one in atomic.filled_once(folder, slow).iterdir()] == ["fast"]
    assert [one.name for one in tmp_path.iterdir()] == ["folder"]


def test_what_killed_runs_began_goes_after_a_day(tmp_path: Path) -> None:
    store = ContentStore(tmp_path, tmp_path / "latest")
    long_ago, lately = store.staging("long ago"), store.staging("lately")
    then = long_ago.stat().st_mtime - ABANDONED_SECONDS - 60
    os.utime(long_ago, (then, then))
    store.staging("now")
    assert not long_ago.exists()
    assert lately.exists()


def test_the_same_files_have_the_same_name_wherever_they_lie(tmp_path: Path) -> None:
    for folder in ("a", "b", "c"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "x").write_text("one")
        (tmp_path / folder / "y").write_text("two" if folder != "c" else "other")
    first, second, other = (content_hash(tmp_path / folder) for folder in "abc")
    assert first == second != other
    assert first == "0713a0755bcdf968"
