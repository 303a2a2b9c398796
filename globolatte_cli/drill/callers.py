"""What callers do to an endpoint: each request is wrong, or unusual, in one thing, and a good one is answered just before it."""

import gzip
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from urllib.parse import urlsplit

from globolatte_cli.drill.answers import answered, question_for, send
from globolatte_cli.drill.stage import Fault, Stage
from resources.environment import warehouse_for_reading

CROWD = 300
LONG_MB = 100
Said = tuple[int, str]
Sent = Callable[[Stage], Said]


def _called(name: str, kind: str, what: str, sent: Sent, status: int, words: str = "") -> Fault:
    """A request whose answer must have this status and these words."""

    @contextmanager
    def play(stage: Stage) -> Iterator[None]:
        good, text = send(stage)
        if good != 200:
            raise ValueError(f"a good request is answered by {good}: {text}")
        said, text = sent(stage)
        stage.told["status"], stage.told["text"] = str(said), text
        yield

    def seen(stage: Stage) -> str | None:
        said, text = stage.told.get("status"), stage.told.get("text", "")
        return f"answer {said}: {text[:200]}" if said == str(status) and words in text else None

    return Fault(name, kind, what, play, seen, answered, patience=0.0)


def _unknown_region(stage: Stage) -> Said:
    return send(stage, json.dumps({"requests": [question_for(stage) | {"region": "drill-nowhere"}]}).encode())


def _without_a_field(stage: Stage) -> Said:
    question = question_for(stage)
    del question["customer_id"]
    return send(stage, json.dumps({"requests": [question]}).encode())


def _headers_without_end(stage: Stage) -> Said:
    """The connection must be ended long before all is sent, and the next caller answered."""
    address, sent = urlsplit(str(stage.endpoint.observed().url)), 0
    with (
        socket.create_connection((str(address.hostname), int(address.port or 0)), timeout=30) as connection,
        suppress(OSError),
    ):
        connection.sendall(b"POST /score HTTP/1.1\r\nhost: here\r\nx: ")
        while sent < LONG_MB:
            connection.sendall(b"x" * 1024 * 1024)
            sent += 1
    status, _ = send(stage)
    return (
        status,
        "all of it was taken"
        if sent == LONG_MB
        else f"its connection was ended after {sent} MB, and the next caller answered",
    )


def _beside_a_crowd(stage: Stage) -> Said:
    address = urlsplit(str(stage.endpoint.observed().url))
    with ExitStack() as crowd:
        for _ in range(CROWD):
            idle = crowd.enter_context(socket.create_connection((str(address.hostname), int(address.port or 0)), 30))
            idle.sendall(b"POST /score HTTP/1.1\r\n")
        status, _ = send(stage)
    return status, f"answered beside {CROWD} requests that never end"


def _with_a_padded_id(stage: Stage) -> Said:
    """The same answer for an id with a blank behind it, whose customer must not become another one."""
    customers = warehouse_for_reading(stage.settings).read("sales_data.customers", ["customer_id"])
    known, answers = str(customers["customer_id"][0].as_py()), []
    for customer in (known, f"{known} "):
        question = question_for(stage) | {"customer_id": customer}
        status, text = send(stage, json.dumps({"requests": [question]}).encode())
        answers.append((status, text))
    documents = [json.loads(text)["recommendations"][0] for _, text in answers]
    same = documents[0]["known_customer"] and documents[0]["products"] == documents[1]["products"]
    return answers[1][0], "the answer of the known customer" if same else f"another answer: {answers[1][1]}"


UPGRADE = {"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2_settings": "AAMAAABkAARAAAAAAAIAAAAA"}
WRONG, UNUSUAL = "a caller's mistake", "a caller's own way"
CALLERS: tuple[Fault, ...] = (
    _called("wrong-key", WRONG, "a caller shows another key", lambda s: send(s, key="another"), 401, "key"),
    _called("no-json", WRONG, "a caller sends what is not JSON", lambda s: send(s, b"{"), 400, "JSON"),
    _called("no-question", WRONG, "a caller leaves a field out", _without_a_field, 400, "customer_id"),
    _called("unknown-region", WRONG, "a caller names a region that is none", _unknown_region, 400, "drill-nowhere"),
    _called(
        "unknown-encoding",
        "a body in an encoding",
        "a body in an encoding that is not offered",
        lambda s: send(s, content_encoding="br"),
        415,
        "'br'",
    ),
    _called(
        "broken-gzip",
        "a body in an encoding",
        "a gzip body that was cut off",
        lambda s: send(s, gzip.compress(b"{}" * 500)[:-9], content_encoding="gzip"),
        400,
        "ends too early",
    ),
    _called(
        "headers-without-end",
        "more than a server can hold",
        "headers of 100 MB without a key",
        _headers_without_end,
        200,
        "its connection was ended",
    ),
    _called(
        "idle-crowd", "more than a server can hold", "300 requests that never end", _beside_a_crowd, 200, "beside 300"
    ),
    _called("offered-upgrade", UNUSUAL, "a client offers HTTP/2", lambda s: send(s, **UPGRADE), 200, "recommendations"),
    _called(
        "other-scheme", UNUSUAL, "the scheme in small letters", lambda s: send(s, scheme="bearer"), 200, "recommend"
    ),
    _called(
        "padded-id", "one rule for ids", "a customer id with a blank behind", _with_a_padded_id, 200, "of the known"
    ),
)
