"""Clients of the endpoint in the languages of the world, with their defaults, and what each of them puts on the wire.

`python -m tests.clients` writes down what every client that this machine has sends (`wire/`), to be played to the endpoint.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent
WIRE = HERE / "wire"
KEY, HOST = "the-key", "the-host"
"""What stands in the kept bytes where a key and an address belong."""
BODY = '{"customer_id": "C0001", "region": "Canada", "weather": "Snowy", "date": "2022-09-01"}'


def _curl(*options: str) -> Callable[[str, str, str], list[str]]:
    def command(url: str, key: str, body: str) -> list[str]:
        return ["curl", "-sS", *options, "-H", f"Authorization: Bearer {key}", "-d", body, url]

    return command


def _script(*program: str) -> Callable[[str, str, str], list[str]]:
    return lambda url, key, body: [*program, url, key, body]


def _ab(url: str, key: str, body: str) -> list[str]:
    with tempfile.NamedTemporaryFile("w", suffix=".json", delete=False) as file:
        file.write(body)
    return ["ab", "-q", "-v", "2", "-n", "1", "-p", file.name, "-H", f"Authorization: Bearer {key}", url]


def _wrk(url: str, _key: str, _body: str) -> list[str]:
    return ["wrk", "-t1", "-c1", "-d1s", "-s", str(HERE / "score.lua"), url]


COMMANDS: dict[str, Callable[[str, str, str], list[str]]] = {
    "curl": _curl(),
    "curl-http2": _curl("--http2"),
    "curl-http1.0": _curl("--http1.0"),
    "wget": lambda url, key, body: [
        "wget",
        "-qO-",
        "--header",
        f"Authorization: Bearer {key}",
        "--post-data",
        body,
        url,
    ],
    **{
        f"python-{name}": _script(sys.executable, str(HERE / "score.py"), name)
        for name in ("requests", "httpx", "aiohttp", "urllib")
    },
    "java": _script("java", str(HERE / "Score.java")),
    "node-fetch": _script("node", str(HERE / "score.mjs")),
    "go": _script("go", "run", str(HERE / "score.go")),
    "php": _script("php", str(HERE / "score.php")),
    "ruby": _script("ruby", str(HERE / "score.rb")),
    "perl": _script("perl", str(HERE / "score.pl")),
    "ab": _ab,
    "wrk": _wrk,
}


def executable(name: str) -> str | None:
    """The client's program, if this machine has it."""
    return shutil.which(COMMANDS[name]("", "", "")[0])


def ask(name: str, url: str, key: str, body: str = BODY) -> str:
    """All that a client says when it sends the body."""
    environment = {
        **os.environ,
        "ENDPOINT_KEY": key,
        "ENDPOINT_BODY": body,
        "GOFLAGS": "-mod=mod",
        "GO111MODULE": "off",
    }
    done = subprocess.run(
        COMMANDS[name](url, key, body), env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    return done.stdout + done.stderr


def _record(name: str) -> bytes:
    """What a client sends to a server that answers its first request."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        asking = threading.Thread(target=ask, args=(name, f"http://{address}/score", KEY))
        asking.start()
        server.settimeout(60)
        sent = b""
        while not sent:  # wrk looks first whether there is a server at all
            connection, _ = server.accept()
            while not sent.endswith(BODY.encode()) and (more := connection.recv(65536)):
                sent += more
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")
        connection.close()
    asking.join()
    return sent.replace(address.encode(), HOST.encode())


def main() -> None:
    """Records every client that is there."""
    for name in COMMANDS:
        if executable(name) is not None:
            (WIRE / f"{name}.http").write_bytes(_record(name))
            print(name)
        else:
            print(f"{name}: not on this machine")
