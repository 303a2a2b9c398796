"""A gate before an emulator of Snowflake: what passes it can be refused in Snowflake's words, or be cut off, at a named statement."""

import gzip
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

LOGIN = "login"


@dataclass
class Gate:
    """What happens at the request that contains `at` (a part of a statement, or `LOGIN`); before and after it, all passes.

    `refusal` is a code and a message as Snowflake answers; without it the line is cut: this request and all later ones get no answer,
    until `open`. `after` cuts once the request has been done.
    """

    port: int
    at: str | None = None
    refusal: tuple[str, str] | None = None
    after: bool = False
    instead: dict[str, Callable[[str], str]] = field(default_factory=dict)
    """What the emulator cannot do: by a part of a statement, which statement it gets in its place."""
    is_cut: bool = False
    replaced: list[str] = field(default_factory=list)
    times: int = 0
    own_port: int = 0
    refused: list[str] = field(default_factory=list)
    logins: list[dict[str, Any]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def open(self) -> None:
        """Lets everything pass again, and ends the sessions that lost their client: Snowflake does so after five minutes."""
        self.at, self.is_cut = None, False
        for token in self.tokens:
            self.forward("POST", "/session?delete=true", {"Authorization": token, "Content-Length": "0"}, b"")
        self.tokens.clear()

    def forward(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def answer(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, dict[str, str], bytes] | None:
        """What the client gets; none where the line is cut."""
        self.tokens |= {token for token in [headers.get("Authorization", "")] if "Token=" in token}
        sql = statement(path, headers, body)
        for part, other in self.instead.items():
            if part in sql:
                self.replaced.append(sql)
                body = json.dumps({**content_of(headers, body), "sqlText": other(sql)}).encode()
                headers = {name: text for name, text in headers.items() if name.lower() != "content-encoding"}
                headers |= {"Content-Length": str(len(body))}
        if sql == LOGIN:
            self.logins.append(content_of(headers, body))
        with self.lock:
            is_here = self.at is not None and self.at in sql
            self.times += is_here
            if is_here and self.refusal is None:
                self.is_cut = True
        if is_here and self.refusal is not None:
            code, message = self.refusal
            self.refused.append(sql)
            refused = {
                "data": {"errorCode": code, "sqlState": "57P03"},
                "code": code,
                "message": message,
                "success": False,
            }
            return 200, {"Content-Type": "application/json"}, json.dumps(refused).encode()
        if self.is_cut and not (is_here and self.after):
            return None
        done = self.forward(method, path, headers, body)
        return None if is_here and self.after else done


def statement(path: str, headers: dict[str, str], body: bytes) -> str:
    """The SQL of a request; `LOGIN` for a login, and nothing for anything else."""
    where = urlsplit(path).path
    if where.endswith("login-request"):
        return LOGIN
    if not where.endswith("query-request"):
        return ""
    return str(content_of(headers, body)["sqlText"])


def content_of(headers: dict[str, str], body: bytes) -> dict[str, Any]:
    """What a request says."""
    content = gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body
    document: dict[str, Any] = json.loads(content)
    return document


@contextmanager
def gate_before(port: int) -> Iterator[Gate]:
    """An open gate before the emulator on `port`."""
    gate = Gate(port)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def pass_on(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            answered = gate.answer(self.command, self.path, dict(self.headers.items()), body)
            if answered is None:
                self.close_connection = True
                return
            status, headers, content = answered
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() not in {"content-length", "transfer-encoding", "connection", "date", "server"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_PUT = pass_on  # noqa: N815 - the names are the library's

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    gate.own_port = server.server_address[1]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield gate
    finally:
        server.shutdown()
        server.server_close()
