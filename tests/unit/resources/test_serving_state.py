"""Customer states for serving: folders that never change, behind a pointer."""

import os
from pathlib import Path

import pytest

from resources.endpoint.serving_state import ServingStates


@pytest.fixture
def states(tmp_path: Path) -> ServingStates:
    return ServingStates(folder=str(tmp_path))


def publish(states: ServingStates, version: str, content: str = "", age: int = 0) -> Path:
    """A published state; `age` is how many seconds ago."""
    staging = states.staging("run")
    (staging / "state.txt").write_text(content or version)
    folder = states.publish(staging, version)
    now = folder.stat().st_mtime
    os.utime(folder, (now - age, now - age))
    return folder


def test_before_anything_is_published_the_error_says_what_to_do(states: ServingStates) -> None:
    with pytest.raises(FileNotFoundError, match="no customer state has been published yet; run `globolatte run`"):
        states.current()


def test_the_state_published_last_is_the_current_one(states: ServingStates) -> None:
    for version in ("one", "two", "one"):
        assert publish(states, version) == states.current()
        assert (states.current() / "state.txt").read_text() == version


def test_a_published_state_never_changes(states: ServingStates) -> None:
    publish(states, "one", "first content")
    publish(states, "one", "other content under the same name")
    assert (states.current() / "state.txt").read_text() == "first content"


def test_what_is_being_written_is_not_served_and_starts_empty(states: ServingStates) -> None:
    publish(states, "one")
    (states.staging("cut off") / "half.txt").write_text("half")
    assert states.current().name == "one"
    assert list(states.staging("cut off").iterdir()) == []


def test_old_states_go_and_the_current_one_stays_whatever_its_age(states: ServingStates, tmp_path: Path) -> None:
    for age, version in enumerate(["five", "four", "three", "two", "one"]):
        publish(states, version, age=1000 - age)
    publish(states, "five", age=5000)
    kept = {folder.name for folder in (tmp_path / "states").iterdir()}
    assert len(kept) == states.kept
    assert {"five", "one"} <= kept
    assert states.current().name == "five"
