"""Which keys open the endpoint, before, during and after a rotation."""

import datetime as dt
import json

import pytest

from resources.endpoint.endpoint import EndpointError
from resources.endpoint.local import keys
from resources.endpoint.local.files import KEY_VARIABLE, EndpointFiles, endpoint_key
from resources.endpoint.local.keys import OVERLAP, AcceptedKeys, rotate_key


@pytest.fixture
def files(tmp_path):
    return EndpointFiles(tmp_path / "endpoints")


@pytest.fixture
def accepted(files):
    return AcceptedKeys(files)


def record(files):
    return json.loads((files.folder / "known_keys.json").read_text())


def test_a_rotated_key_opens_at_once_and_so_does_the_one_before(files, accepted):
    old = endpoint_key(files)
    rotate_key(files, at_once=False)
    new = endpoint_key(files)
    assert new != old
    assert accepted.accepts(new), "the gateway reads it without a restart"
    assert accepted.accepts(old)
    assert AcceptedKeys(files).accepts(old), "also the next gateway knows it"
    assert files.key.stat().st_mode & 0o777 == 0o600


def test_a_key_that_is_replaced_at_once_while_a_gateway_looks_does_not_come_back(files, accepted, monkeypatch):
    """The gateway comes to the lock just when a rotation begins: what it takes over is what stands after it."""
    old, lock, began = endpoint_key(files), keys._locked, []

    def after_a_rotation(locked):
        if not began:
            began.append(True)
            rotate_key(files, at_once=True)
        return lock(locked)

    monkeypatch.setattr(keys, "_locked", after_a_rotation)
    accepted.refresh()
    accepted.refresh()
    assert not accepted.accepts(old)
    assert accepted.accepts(endpoint_key(files))


def test_a_key_written_by_hand_is_a_rotation(files, accepted):
    old = endpoint_key(files)
    files.key.write_text("by-hand\n")
    assert accepted.accepts("by-hand")
    assert accepted.accepts(old)


def test_a_key_changed_while_nothing_ran_is_a_rotation(files, accepted):
    old = endpoint_key(files)
    files.key.write_text("by-hand")
    assert AcceptedKeys(files).accepts(old)


def test_a_key_from_the_environment_is_rotated_there(files, accepted, monkeypatch):
    old = endpoint_key(files)
    monkeypatch.setenv(KEY_VARIABLE, "from-the-environment")
    again = AcceptedKeys(files)
    assert again.accepts("from-the-environment")
    assert again.accepts(old)
    with pytest.raises(EndpointError, match=f"set that to the new one .*{KEY_VARIABLE}|{KEY_VARIABLE}: set that"):
        rotate_key(files, at_once=False)


def test_a_key_is_no_longer_good_when_its_time_is_over(files, accepted):
    old = endpoint_key(files)
    rotate_key(files, at_once=False)
    document = record(files)
    [(digest, until)] = document["former"].items()
    left = dt.datetime.fromisoformat(until) - dt.datetime.now(dt.UTC)
    assert OVERLAP - dt.timedelta(minutes=1) < left <= OVERLAP
    past = (dt.datetime.now(dt.UTC) - dt.timedelta(seconds=1)).isoformat()
    (files.folder / "known_keys.json").write_text(json.dumps({**document, "former": {digest: past}}))
    accepted.refresh()
    assert not accepted.accepts(old)
    assert accepted.accepts(endpoint_key(files))


def test_rotated_at_once_no_other_key_is_good(files, accepted):
    first = endpoint_key(files)
    rotate_key(files, at_once=False)
    second = endpoint_key(files)
    rotate_key(files, at_once=True)
    accepted.refresh()
    assert accepted.accepts(endpoint_key(files))
    assert not accepted.accepts(first)
    assert not accepted.accepts(second)


@pytest.mark.parametrize("content", ["", "  \n", "two words", "ключ"])
def test_a_key_that_cannot_be_used_leaves_the_old_one_good(files, accepted, content):
    old = endpoint_key(files)
    files.key.write_text(content)
    assert not accepted.accepts(content.strip())
    assert accepted.accepts(old)
    assert "the ones before stay good" in accepted.problem
    assert files.key.read_text() == content, "a person may be writing it just now"
    files.key.write_text("new")
    assert accepted.accepts("new")
    assert accepted.problem is None


def test_no_key_is_on_record_in_the_clear(files, accepted):
    old = endpoint_key(files)
    rotate_key(files, at_once=False)
    for path in files.folder.rglob("*"):
        if path.is_file():
            assert old not in path.read_text()
            assert path == files.key or endpoint_key(files) not in path.read_text()


def test_every_known_key_is_compared_whatever_comes(files, accepted, monkeypatch):
    for _ in range(3):
        rotate_key(files, at_once=False)
    accepted.refresh()
    compared = []

    def compare(one, other):
        compared.append(other)
        return one == other

    monkeypatch.setattr(keys.hmac, "compare_digest", compare)
    assert accepted.accepts(endpoint_key(files))
    assert len(compared) == 4
    compared.clear()
    assert not accepted.accepts("wrong", look_again=False)
    assert len(compared) == 4


@pytest.mark.parametrize("content", ["{", "[]", '{"current": 1}', '{"current": "x", "former": {"y": "never"}}'])
def test_a_damaged_record_lets_in_only_the_key_of_now(files, accepted, content):
    (files.folder / "known_keys.json").write_text(content)
    again = AcceptedKeys(files)
    assert again.accepts(endpoint_key(files))
    assert not again.accepts("y")
