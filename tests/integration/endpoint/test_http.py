"""HTTP as the world speaks it: every client gets the same answer, whatever it puts on the wire; the rest is refused in order."""

import gzip
import json
import os
import re
import signal
import socket
import time
import zlib
from contextlib import ExitStack

import psutil
import pytest

from benchmarks.held import Sizes, crowd_rows, memory_rows, restart_rows
from resources.endpoint.endpoint import EndpointError
from resources.endpoint.local.bodies import MAX_BODY_BYTES
from resources.endpoint.local.connections import HEAD_SECONDS, MOST_CONNECTIONS
from resources.endpoint.local.files import KEY_VARIABLE, endpoint_key
from resources.endpoint.local.keys import rotate_key
from tests import clients
from tests.endpoint_builders import QUESTION, Caller, answers, eventually, kill, process_of

BODY = json.dumps(QUESTION).encode()
PACKED = gzip.compress(BODY, mtime=0)
LENGTH = len(BODY)
SIZES = [
    Sizes(idle=100, slow=10, busy=4, seconds=1.0, requests=600, warm=200),
    pytest.param(Sizes(idle=500, slow=50, busy=16, seconds=15.0, requests=20_000, warm=5_000), marks=pytest.mark.depth),
]
H2C = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n"


@pytest.fixture
def wire(endpoint, caller):
    return Wire(endpoint)


class Wire:
    """Raw bytes to the endpoint, and what comes back."""

    def __init__(self, endpoint):
        self.key = endpoint_key(endpoint.files).encode()
        self.port = int(endpoint.observed().url.rpartition(":")[2])

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def head(self, *headers, length=LENGTH, line=b"POST /score HTTP/1.1", key=None):
        lines = [line, b"Host: x", b"Authorization: Bearer " + (key or self.key), *headers]
        return b"\r\n".join([*lines, *([b"Content-Length: %d" % length] if length is not None else []), b"", b""])

    def say(self, *parts, pause=0.0, ends=False):
        """Sends the parts one by one; `ends`: says then that no more will come. Gives (status, headers, document)."""
        with self.connect() as connection:
            for part in parts:
                connection.sendall(part)
                time.sleep(pause)
            if ends:
                connection.shutdown(socket.SHUT_WR)
            return read_answer(connection)


def read_answer(connection, stream=None):
    stream = stream or connection.makefile("rb")
    line = stream.readline()
    while line.startswith(b"HTTP/1.1 100 "):
        stream.readline()
        line = stream.readline()
    headers = {}
    while header := stream.readline().strip():
        name, _, value = header.decode().partition(":")
        headers[name.lower()] = value.strip()
    content = stream.read(int(headers.get("content-length", 0)))
    document = json.loads(content) if headers.get("content-type", "").startswith("application/json") else content
    return int(line.split()[1]), headers, document


# Clients ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", clients.COMMANDS)
def test_what_each_client_sends_gets_the_same_answer(wire, caller, name):
    sent = (clients.WIRE / f"{name}.http").read_bytes().replace(clients.KEY.encode(), wire.key)
    head, _, body = sent.partition(b"\r\n\r\n")
    expected = caller.post(clients.BODY.encode()).document
    for parts in ([sent], [head + b"\r\n\r\n", body], [sent[:20], sent[20:]]):
        status, headers, document = wire.say(*parts, pause=0.01)
        assert (status, document) == (200, expected)
        assert headers["server"] == "globolatte"
        assert "upgrade" not in headers


@pytest.mark.depth
@pytest.mark.parametrize("name", clients.COMMANDS)
def test_the_clients_themselves_get_the_same_answer(wire, caller, name):
    if clients.executable(name) is None:
        pytest.skip(f"{name} is not on this machine")
    said = clients.ask(name, f"http://127.0.0.1:{wire.port}/score", wire.key.decode())
    found = re.search(r'\{"deployment".*\}', said)
    assert found, said
    assert json.loads(found[0]) == caller.post(clients.BODY.encode()).document


def test_every_form_of_a_request_that_means_the_same_gets_the_same_answer(wire, caller):
    expected = caller.post(QUESTION).document
    chunked = (
        b"%x\r\n" % 10
        + BODY[:10]
        + b"\r\n%x;name=value\r\n" % len(BODY[10:])
        + BODY[10:]
        + b"\r\n0\r\nX-Trailer: y\r\n\r\n"
    )
    forms = {
        "chunked": [wire.head(b"Transfer-Encoding: chunked", length=None), chunked],
        "chunked with an offered upgrade": [
            wire.head(b"Transfer-Encoding: chunked", H2C.strip(), length=None),
            chunked,
        ],
        "upgrade to a websocket": [wire.head(b"Connection: Upgrade", b"Upgrade: websocket"), BODY],
        "expect": [wire.head(b"Expect: 100-Continue"), BODY],
        "gzip": [wire.head(b"Content-Encoding: gzip", length=len(PACKED)), PACKED],
        "x-gzip in capitals": [wire.head(b"CONTENT-ENCODING: X-GZIP", length=len(PACKED)), PACKED],
        "identity": [wire.head(b"Content-Encoding: identity"), BODY],
        "two members of gzip": [
            wire.head(b"Content-Encoding: gzip", length=len(gzip.compress(BODY[:9]) + gzip.compress(BODY[9:]))),
            gzip.compress(BODY[:9]) + gzip.compress(BODY[9:]),
        ],
        "a byte order mark": [wire.head(length=len(BODY) + 3), b"\xef\xbb\xbf" + BODY],
        "a charset": [wire.head(b"Content-Type: application/json; charset=UTF-8"), BODY],
        "another content type": [wire.head(b"Content-Type: text/plain"), BODY],
        "absolute target": [wire.head(line=b"POST http://127.0.0.1:%d/score HTTP/1.1" % wire.port), BODY],
        "query": [wire.head(line=b"POST /score?a=b HTTP/1.1"), BODY],
        "slash": [wire.head(line=b"POST /score/ HTTP/1.1"), BODY],
        "HTTP/1.0": [wire.head(line=b"POST /score HTTP/1.0"), BODY],
        "close": [wire.head(b"Connection: close"), BODY],
        "names in capitals": [
            wire.head().replace(b"Host", b"HOST").replace(b"Content-Length", b"CONTENT-LENGTH"),
            BODY,
        ],
        "names in small letters": [wire.head().lower().replace(b"post /score http", b"POST /score HTTP"), BODY],
        "scheme in small letters": [wire.head().replace(b"Bearer ", b"bearer "), BODY],
        "scheme in capitals, two spaces": [wire.head().replace(b"Bearer ", b"BEARER  "), BODY],
    }
    forms["names in small letters"][0] = forms["names in small letters"][0].replace(wire.key.lower(), wire.key)
    failed = {}
    for name, parts in forms.items():
        for ends in (False, True):  # some close their side when they have sent all
            status, _, document = wire.say(*parts, ends=ends)
            if (status, document) != (200, expected):
                failed[name, ends] = status, document
    assert failed == {}


def test_requests_sent_ahead_are_answered_in_order_also_to_who_sends_no_more(wire):
    with wire.connect() as connection:
        connection.sendall((wire.head() + BODY) * 20)
        connection.shutdown(socket.SHUT_WR)
        stream = connection.makefile("rb")
        assert [read_answer(connection, stream)[0] for _ in range(20)] == [200] * 20
        assert stream.read() == b"", "the endpoint closes its side as well"


@pytest.mark.parametrize("line", [b"POST /score HTTP/1.0", b"POST /score HTTP/1.1"])
def test_a_connection_stays_open_when_the_caller_wants_it(wire, line):
    with wire.connect() as connection:
        stream = connection.makefile("rb")
        for _ in range(3):
            connection.sendall(wire.head(b"Connection: keep-alive", line=line) + BODY)
            assert read_answer(connection, stream)[0] == 200
        connection.sendall(wire.head(b"Connection: close", line=line) + BODY)
        assert read_answer(connection, stream)[0] == 200
        assert stream.read() == b""


@pytest.mark.parametrize(
    ("headers", "body", "status", "message"),
    [
        ([b"Content-Encoding: br"], BODY, 415, "'br' is not supported; use gzip"),
        ([b"Content-Encoding: deflate"], zlib.compress(BODY), 415, "'deflate' is not supported"),
        ([b"Content-Encoding: gzip, gzip"], BODY, 415, "'gzip, gzip' is not supported"),
        ([b"Content-Encoding: gzip"], BODY, 400, "the body is not gzip"),
        ([b"Content-Encoding: gzip"], PACKED[:-9], 400, "it ends too early"),
        ([b"Content-Encoding: gzip"], PACKED + b"more", 400, "the body is not gzip"),
        ([b"Content-Encoding: gzip"], gzip.compress(b" " * 40_000_000, 1, mtime=0), 413, "over 4,194,304 bytes"),
        ([b"Transfer-Encoding: gzip, chunked"], None, 501, "'gzip, chunked' is not supported; use chunked"),
        ([b"Expect: a-pony"], BODY, 417, "only 'expect: 100-continue' can be met"),
        ([], json.dumps(QUESTION).encode("utf-16"), 400, "not UTF-8"),
    ],
    ids=[
        "br",
        "deflate",
        "gzip twice",
        "no gzip",
        "gzip cut off",
        "more than gzip",
        "gzip too long",
        "transfer",
        "expect",
        "utf-16",
    ],
)
def test_what_cannot_be_served_is_refused_by_its_name(wire, headers, body, status, message):
    content = b"0\r\n\r\n" if body is None else body
    said, _, document = wire.say(wire.head(*headers, length=None if body is None else len(body)), content)
    assert said == status
    assert message in document["message"]


def test_the_sizes_of_a_body_are_bounded_as_sent(wire):
    status, _, document = wire.say(wire.head(length=MAX_BODY_BYTES + 1))
    assert (status, "split it" in document["message"]) == (413, True)


@pytest.mark.parametrize("key", [None, "wrong"])
def test_who_sends_too_much_or_without_the_key_reads_why_when_all_is_sent(endpoint, caller, key):
    refused = Caller(endpoint, key).post(b" " * 20_000_000)
    assert refused.status == (401 if key else 413)


# Limits ----------------------------------------------------------------------------------------------------------------


def endless(connection, start, chunk, megabytes=150):
    """Sends without end; true if the endpoint ended it."""
    try:
        connection.sendall(start)
        for _ in range(megabytes):
            connection.sendall(chunk * (1_000_000 // len(chunk)))
    except OSError:
        return True
    return False


@pytest.mark.parametrize(
    ("start", "chunk"),
    [
        (b"POST /score HTTP/1.1\r\nHost: x\r\nX: ", b"a"),
        (b"POST /score HTTP/1.1\r\nHost: x\r\nX: ", b" "),
        (b"POST /score HTTP/1.1\r\nHost: x\r\n", b"X: y\r\n"),
        (b"POST /", b"a"),
        (b"", b"\r\n"),
    ],
)
def test_headers_without_end_are_ended_and_cost_no_memory(endpoint, wire, caller, start, chunk):
    gateway = psutil.Process(process_of(endpoint, "gateway").pid)
    before = gateway.memory_info().rss
    with wire.connect() as connection:
        assert endless(connection, start, chunk)
    assert answers(caller)
    assert gateway.memory_info().rss - before < 30_000_000


def test_slow_headers_and_idle_connections_end_no_answer_and_take_no_descriptor_for_good(endpoint, wire, caller):
    """As many descriptors as some machines give, many more callers who say nothing, and some who say it very slowly."""
    gateway = process_of(endpoint, "gateway")
    limits = psutil.Process(gateway.pid).rlimit(psutil.RLIMIT_NOFILE)
    assert limits[0] >= min(limits[1], MOST_CONNECTIONS), "as many as it needs"
    psutil.Process(endpoint.supervisor().pid).rlimit(psutil.RLIMIT_NOFILE, (256, 256))
    kill(gateway)  # the next one inherits the supervisor's limit
    eventually(lambda: process_of(endpoint, "gateway") not in (None, gateway) and answers(caller))
    with ExitStack() as stack:
        slow = [stack.enter_context(wire.connect()) for _ in range(20)]
        for connection in slow:
            connection.sendall(b"POST /score HTTP/1.1\r\nX: ")
        began = time.monotonic()
        for _ in range(300):
            stack.enter_context(wire.connect())
        newcomer = Caller(endpoint)
        assert newcomer.post(QUESTION).status == 200
        assert time.monotonic() - began < 5, "no outage"
        while time.monotonic() - began < HEAD_SECONDS + 2:
            assert newcomer.post(QUESTION).status == 200
            time.sleep(0.5)
        assert {connection.recv(12) for connection in slow} <= {b"HTTP/1.1 408", b""}
        counts = _metrics(newcomer)
        assert counts['globolatte_endpoint_connections_ended_total{why="shed"}'] > 100
        newcomer.close()
    assert process_of(endpoint, "gateway") != gateway
    assert endpoint.observed().gateway_restarts >= 1
    log = endpoint.files.log("supervisor").read_text()
    assert "gateway ended with code -9; it is started again (restart" in log


def _metrics(caller):
    """The numbers on the metrics page, which needs no key."""
    said = Caller(caller.endpoint, key="")
    text = said.read("/metrics")
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in text.splitlines() if line[0] != "#"}


def test_the_metrics_page_counts_and_holds_nothing_of_customers(endpoint, caller):
    before = _metrics(caller)
    assert caller.post({**QUESTION, "customer_id": "C0777"}).status == 200
    assert Caller(endpoint, key="wrong").post(QUESTION).status == 401
    after = _metrics(caller)
    for name in (
        'requests_total{outcome="answered"}',
        'requests_total{outcome="unauthorized"}',
        'answer_seconds_count{status="200"}',
    ):
        assert after[f"globolatte_endpoint_{name}"] == before.get(f"globolatte_endpoint_{name}", 0) + 1
    assert after['globolatte_endpoint_process_healthy{process="blue"}'] == 1
    assert after['globolatte_endpoint_prediction_log_healthy{deployment="blue"}'] == 1
    page = Caller(endpoint, key="").read("/metrics")
    assert not any(secret in page for secret in ("C0777", endpoint_key(endpoint.files)))


def test_the_outcomes_on_the_metrics_page_add_up_to_the_requests_and_probes_are_none(endpoint, wire, caller):
    def total(page):
        return sum(count for name, count in page.items() if "requests_total{" in name)

    before, refused = _metrics(caller), Caller(endpoint, key="wrong")
    assert [caller.post(body).status for body in (QUESTION, b"{", {"region": "x"}, b" " * 5_000_000)] == [
        200,
        400,
        400,
        413,
    ]
    assert caller.post(QUESTION, azureml_model_deployment="nowhere").status == 404
    assert [refused.post(QUESTION).status for _ in range(3)] == [401] * 3
    assert wire.say(wire.head(b"Expect: a-pony"), BODY)[0] == 417
    probe = f"{endpoint.files.probe_id()}1"
    assert caller.post(QUESTION, x_request_id=probe).status == 200
    after = _metrics(caller)
    assert total(after) - total(before) == 9
    counted = {
        name: after[name] - before.get(name, 0.0) for name in after if name not in before or after[name] != before[name]
    }
    for name, count in {
        'requests_total{outcome="answered"}': 1,
        'requests_total{outcome="unauthorized"}': 3,
        'requests_total{outcome="refused"}': 5,
        'events_total{what="probes"}': 1,
        'answer_seconds_count{status="200"}': 1,
    }.items():
        assert counted[f"globolatte_endpoint_{name}"] == count
    refused.close()


# Restarts --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", SIZES, ids=["small", "medium"])
@pytest.mark.parametrize("measure", [crowd_rows, memory_rows, restart_rows])
def test_load_is_held(endpoint, caller, sizes, measure):
    """By the functions of `globolatte bench serving`, which also looks at the times."""
    rows = list(measure(endpoint, BODY, sizes))
    assert [row for row in rows if not row.within_limit and "p99" not in row.name] == []
    if measure is crowd_rows:
        assert f"beside {sizes.idle:,} idle and {sizes.slow:,} slow connections" in rows[0].name
    if measure is restart_rows:
        assert "blue ended with code" in endpoint.files.log("supervisor").read_text()


def test_who_has_been_answered_slowly_gets_the_answer_when_the_gateway_ends(endpoint, wire, caller):
    gateway = process_of(endpoint, "gateway")
    many = json.dumps([QUESTION] * 1000).encode()
    with wire.connect() as connection:
        connection.sendall(wire.head(length=len(many)) + many)
        time.sleep(0.02)
        os.kill(gateway.pid, signal.SIGTERM)
        status, _, document = read_answer(connection)
    assert (status, len(document["recommendations"])) == (200, 1000)
    eventually(lambda: answers(caller))


# Keys ------------------------------------------------------------------------------------------------------------------


def test_a_key_is_rotated_without_an_outage_and_our_own_calls_use_the_new_one_at_once(endpoint, caller, monkeypatch):
    old = endpoint_key(endpoint.files)
    gateway = process_of(endpoint, "gateway")
    rotate_key(endpoint.files, at_once=False)
    assert endpoint.score([QUESTION])["deployment"] == "blue"
    assert Caller(endpoint, key=old).post(QUESTION).status == 200
    rotate_key(endpoint.files, at_once=True)
    assert endpoint.score([QUESTION])["deployment"] == "blue"
    eventually(lambda: Caller(endpoint, key=old).post(QUESTION).status == 401)
    endpoint.files.key.write_text("written-by-hand")
    assert endpoint.score([QUESTION])["deployment"] == "blue"
    assert process_of(endpoint, "gateway") == gateway
    monkeypatch.setenv(KEY_VARIABLE, "of-another-shell")
    with pytest.raises(EndpointError, match=rf"refuses the key; send the key that is in .*key \(or {KEY_VARIABLE}"):
        endpoint.score([QUESTION])
