"""Which keys open the endpoint, before, during and after a rotation."""

import asyncio
import datetime as dt
import json

import pytest

from resources.endpoint.endpoint import EndpointError
from resources.endpoint.local import keys
from resources.endpoint.local.files import KEY_VARIABLE, EndpointFiles, endpoint_key
from resources.endpoint.local.keys import OVERLAP, AcceptedKeys, rotate_key
from resources.processes import take, this_process


@pytest.fixture
def files(tmp_path):
    return EndpointFiles(tmp_path / "endpoints")


@pytest.fixture
def accepted(files):
    return AcceptedKeys(files)


def opens(accepted, key):
    """As the gateway asks."""
    return asyncio.run(accepted.opens(key))


def record(files):
    return json.loads((files.folder / "known_keys.json").read_text())


def test_a_rotated_key_opens_at_once_and_so_does_the_one_before(files, accepted):
    old = endpoint_key(files)
    rotate_key(files, at_once=False)
    new = endpoint_key(files)
    assert new != old
    assert opens(accepted, new), "the gateway reads it without a restart"
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
    assert opens(accepted, "by-hand")
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
    with pytest.raises(EndpointError, match=f"comes from {KEY_VARIABLE}: set that to the new one where"):
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
    assert not opens(accepted, content.strip())
    assert accepted.accepts(old)
    assert "the ones before stay good" in accepted.problem
    assert files.key.read_text() == content, "a person may be writing it just now"
    files.key.write_text("new")
    assert opens(accepted, "new")
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
    assert not accepted.accepts("wrong")
    assert len(compared) == 4


@pytest.mark.parametrize("content", ["{", "[]", '{"current": 1}', '{"current": "x", "former": {"y": "never"}}'])
def test_a_damaged_record_lets_in_only_the_key_of_now(files, accepted, content):
    (files.folder / "known_keys.json").write_text(content)
    again = AcceptedKeys(files)
    assert again.accepts(endpoint_key(files))
    assert not again.accepts("y")


@pytest.fixture
def _runs(files):
    """A supervisor, as far as the lock and its record go."""
    with take(files.lock) as lock:
        lock.write(files.lock_record(this_process()))
        lock.flush()
        yield


@pytest.mark.usefixtures("_runs")
def test_a_shell_without_the_variable_is_told_that_the_endpoint_has_its_key_from_there(files, monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, "from-the-environment")
    accepted = AcceptedKeys(files)
    monkeypatch.delenv(KEY_VARIABLE)
    with pytest.raises(
        EndpointError, match=f"comes from {KEY_VARIABLE}: set that to the new one where the endpoint is started"
    ):
        rotate_key(files, at_once=True)
    assert not files.key.exists(), "a file that nobody reads is not written"
    assert opens(accepted, "from-the-environment")


@pytest.mark.usefixtures("_runs")
def test_a_shell_with_the_variable_rotates_the_key_of_an_endpoint_that_has_it_from_its_file(
    files, accepted, monkeypatch
):
    old = files.key.read_text()
    monkeypatch.setenv(KEY_VARIABLE, "of-this-shell")
    rotate_key(files, at_once=False)
    monkeypatch.delenv(KEY_VARIABLE)
    assert files.key.read_text() != old
    assert opens(accepted, files.key.read_text())
    assert not opens(accepted, "of-this-shell")


def test_wrong_keys_are_not_looked_for_on_the_disk(files, accepted, monkeypatch):
    reads, lock = [], keys.take

    def counted(*arguments):
        reads.append(arguments)
        return lock(*arguments)

    monkeypatch.setattr(keys, "take", counted)
    assert not any(opens(accepted, f"wrong-{number}") for number in range(1000))
    assert len(reads) <= 1


def test_a_lock_that_is_held_on_and_on_keeps_nobody_out(files, accepted, monkeypatch):
    monkeypatch.setattr(keys, "LOCK_SECONDS", 0.1)
    old = endpoint_key(files)
    with take(files.folder / ".keys.lock"):
        files.key.write_text("by-hand")
        assert not opens(accepted, "by-hand")
        assert "for over 0 seconds; end it" in accepted.problem
        assert opens(accepted, old)
    accepted.refresh()
    assert opens(accepted, "by-hand")
