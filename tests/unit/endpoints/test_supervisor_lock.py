"""The lock of an endpoint's folder: held for this folder and no other, also where a copy shares its file."""

import json
import os
import shutil
from pathlib import Path

import pytest

from resources.endpoint.endpoint import EndpointError
from resources.endpoint.local.endpoint import LocalEndpoint
from resources.endpoint.local.files import EndpointFiles, rotate_log
from resources.endpoint.local.supervisor import AlreadyRunningError, Lock
from resources.processes import ProcessId, is_held, this_process


@pytest.fixture
def original(tmp_path: Path) -> EndpointFiles:
    (tmp_path / "home" / "endpoints").mkdir(parents=True)
    return EndpointFiles(tmp_path / "home" / "endpoints")


def hard_links(files: EndpointFiles) -> EndpointFiles:
    """As `cp -al` copies a home."""
    copy = files.folder.parent.with_name("copy")
    shutil.copytree(files.folder.parent, copy, copy_function=os.link)
    return EndpointFiles(copy / "endpoints")


def test_a_copy_by_hard_links_has_no_supervisor_and_may_have_its_own(original: EndpointFiles) -> None:
    lock = Lock(original)
    with lock:
        copy = hard_links(original)
        assert original.supervisor() == this_process()
        assert copy.supervisor() is None
        with Lock(copy):
            assert copy.supervisor() == original.supervisor() == this_process()
            lock.keep()
            for files in (original, copy):
                with pytest.raises(AlreadyRunningError):
                    Lock(files)
        assert copy.supervisor() is None
        assert original.supervisor() == this_process()
    assert original.supervisor() is None


def test_whichever_of_the_two_is_started_first_the_other_can_be(original: EndpointFiles) -> None:
    with Lock(original):
        pass
    copy = hard_links(original)
    with Lock(copy):
        assert original.supervisor() is None
        with Lock(original):
            assert original.supervisor() == copy.supervisor() == this_process()


def test_a_folder_that_was_moved_takes_its_lock_along(original: EndpointFiles) -> None:
    with Lock(original):
        hard_links(original)
        moved = EndpointFiles(original.folder.rename(original.folder.with_name("moved")))
        assert moved.supervisor() == this_process()
        assert original.supervisor() is None


def test_the_lock_of_an_earlier_version_is_read(original: EndpointFiles) -> None:
    with original.take_lock() as stream:
        stream.write(json.dumps(this_process()))
        stream.flush()
        assert original.supervisor() == this_process()


def test_what_a_copy_by_hard_links_logs_is_not_in_the_log_of_the_original(original: EndpointFiles) -> None:
    log = original.log("gateway")
    log.parent.mkdir()
    log.write_text("of the original\n")
    copied = hard_links(original).log("gateway")
    rotate_log(copied)
    with copied.open("a") as stream:
        stream.write("of the copy\n")
    assert log.read_text() == "of the original\n"
    assert copied.read_text() == "of the copy\n"


def test_a_lock_is_held_until_it_is_taken_anew(original: EndpointFiles, tmp_path: Path) -> None:
    with Lock(original):
        pass
    held = tmp_path / "the same file"
    lock = Lock(original)
    with lock:
        os.link(original.lock, held)
        original.lock.unlink()
        original.lock.mkdir()  # it cannot be made anew, as on a full disk
        with pytest.raises(IsADirectoryError):
            lock.keep()
        assert is_held(held), "and so the old one is still held"
        original.lock.rmdir()
        lock.keep()
        assert original.supervisor() == this_process()
        assert not is_held(held)


def test_a_stop_that_is_refused_leaves_no_mark(original: EndpointFiles) -> None:
    elsewhere = ProcessId(7, "1", "another boot", "pid:[1]", "another-machine")
    with original.take_lock() as stream:
        stream.write(original.lock_record(elsewhere))
        stream.flush()
        with pytest.raises(
            EndpointError, match="of another-machine, in another container or on another machine; stop it there"
        ):
            LocalEndpoint(folder=str(original.folder)).stop()
    assert not original.stopped.exists()


def test_starting_what_runs_takes_the_mark_of_a_stop_away(original: EndpointFiles) -> None:
    with Lock(original):
        original.stopped.touch()
        LocalEndpoint(folder=str(original.folder)).ensure_running()
    assert not original.stopped.exists()
