"""Whose connection is closed when there are too many, or when it takes too long."""

import asyncio
import json

import pytest

from resources.endpoint.local import connections
from resources.endpoint.local.connections import Connections, Phase
from resources.endpoint.local.upstream import CONNECTIONS


class Wire(asyncio.Transport):
    """A transport that remembers what was done to it."""

    def __init__(self, waiting=0):
        super().__init__()
        self.written, self.waiting, self.state = b"", waiting, "open"

    def write(self, data):
        self.written += data

    def get_write_buffer_size(self):
        return self.waiting

    def close(self):
        self.state = "closed"

    def abort(self):
        self.state = "aborted"


class Server(asyncio.Protocol):
    """What stands behind: remembers the bytes."""

    def __init__(self):
        self.received, self.made, self.lost = b"", False, False

    def connection_made(self, transport):
        self.made = True

    def data_received(self, data):
        self.received += data

    def connection_lost(self, exc):
        self.lost = True


@pytest.fixture
def everyone():
    return Connections(Server, limit=3)


@pytest.fixture
def clock(monkeypatch):
    now = [1000.0]
    monkeypatch.setattr(connections.time, "monotonic", lambda: now[0])
    return now


def come(everyone, phase=Phase.IDLE, **how):
    connection, wire = everyone.protocol(), Wire(**how)
    connection.connection_made(wire)
    if phase is not Phase.IDLE:
        connection.enter(phase)
    return connection, wire


def test_who_has_been_idle_longest_makes_room(everyone):
    wires = [come(everyone)[1] for _ in range(4)]
    assert [wire.state for wire in wires] == ["closed", "open", "open", "open"]
    assert len(everyone) == 3
    assert everyone.counts == {"shed": 1}


@pytest.mark.parametrize(
    ("phases", "closed"),
    [
        ([Phase.WORK, Phase.HEAD, Phase.IDLE], 2),
        ([Phase.WORK, Phase.BODY, Phase.HEAD], 2),
        ([Phase.BODY, Phase.WORK, Phase.BODY], 0),
        ([Phase.IDLE, Phase.IDLE, Phase.WORK], 0),
    ],
)
def test_the_idle_go_before_those_who_send(everyone, phases, closed):
    wires = [come(everyone, phase)[1] for phase in phases]
    come(everyone)
    assert [wire.state != "open" for wire in wires] == [place == closed for place in range(3)]


def test_when_all_are_at_work_the_next_one_is_told_and_nobody_is_cut_off(everyone):
    wires = [come(everyone, Phase.WORK)[1] for _ in range(3)]
    _, refused = come(everyone)
    assert [wire.state for wire in wires] == ["open"] * 3
    assert refused.state == "closed"
    head, _, body = refused.written.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert f"content-length: {len(body)}".encode() in head
    assert "too many connections" in json.loads(body)["message"]
    assert everyone.counts == {"turned_away": 1}


def test_work_never_takes_the_last_places(everyone):
    for _ in range(2):
        assert not everyone.is_full
        come(everyone, Phase.WORK)
    come(everyone, Phase.WORK)
    assert everyone.is_full


def test_a_connection_is_closed_when_it_was_idle_too_long(everyone, clock):
    connection, wire = come(everyone)
    clock[0] += connections.IDLE_SECONDS - 1
    everyone.sweep()
    assert wire.state == "open"
    connection.data_received(b"GET")
    connection.enter(Phase.WORK)
    clock[0] += 1000
    everyone.sweep()
    assert wire.state == "open", "it is being answered"
    connection.enter(Phase.IDLE)
    clock[0] += connections.IDLE_SECONDS + 1
    everyone.sweep()
    assert wire.state == "closed"
    assert everyone.counts == {"idle": 1, "slow": 0}


def test_headers_that_come_drop_by_drop_are_refused_in_time(everyone, clock):
    connection, wire = come(everyone)
    for _ in range(int(connections.HEAD_SECONDS) + 2):
        connection.data_received(b"x")
        clock[0] += 1
        everyone.sweep()
    assert wire.written.startswith(b"HTTP/1.1 408 ")
    assert wire.state == "closed"


def test_headers_without_end_are_refused_and_not_passed_on(everyone):
    connection, wire = come(everyone)
    for _ in range(40):
        if wire.state == "open":
            connection.data_received(b" " * 100_000)
    assert wire.written.startswith(b"HTTP/1.1 431 ")
    assert wire.state == "closed"
    assert everyone.counts["oversized"] == 1


def test_who_does_not_read_is_cut_off(everyone, clock):
    _, wire = come(everyone, waiting=10)
    clock[0] += connections.IDLE_SECONDS + 1
    everyone.sweep()
    assert wire.state == "aborted"


def test_a_closed_connection_is_forgotten_whatever_comes_after(everyone):
    connection, _ = come(everyone, Phase.WORK)
    connection.connection_lost(None)
    connection.enter(Phase.IDLE)
    assert len(everyone) == 0
    come(everyone, Phase.HEAD)[0].connection_lost(None)
    assert everyone.counts == {"unfinished": 1}


def test_a_limit_that_falls_is_kept_when_the_next_one_comes(everyone):
    wires = [come(everyone)[1] for _ in range(3)]
    everyone.limit = 1
    come(everyone)
    assert [wire.state for wire in wires] == ["closed"] * 3
    assert len(everyone) == 1


@pytest.mark.parametrize("servers", [1, 3, 5])
def test_each_server_that_is_declared_takes_its_descriptors_from_the_callers(monkeypatch, servers):
    monkeypatch.setattr(connections.resource, "getrlimit", lambda _: (512, 512))
    monkeypatch.setattr(connections.resource, "setrlimit", lambda *_: None)
    limit = connections.connection_limit(servers)
    assert limit + servers * CONNECTIONS + connections.DESCRIPTORS_OF_OURS == 512
