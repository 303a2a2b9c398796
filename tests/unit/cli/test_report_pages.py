"""The server of report pages: this machine alone, one folder alone, as long as its parent lives."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import ThreadingHTTPServer
from pathlib import Path

import pytest

from globolatte_cli.report_pages import server, start_beside_this_process

ROOT = Path(__file__).parents[3]


@pytest.fixture
def pages(tmp_path: Path) -> Iterator[ThreadingHTTPServer]:
    """A server over a folder with one page; a file beside the folder is none of its business."""
    folder = tmp_path / "reports"
    (folder / "drift").mkdir(parents=True)
    (folder / "drift" / "a window.html").write_text("<h1>drifted</h1>")
    (tmp_path / "secret.txt").write_text("secret")
    made = server(folder, "127.0.0.1", 0)
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def ask(pages: ThreadingHTTPServer, path: str, host: str = "127.0.0.1", method: str = "GET") -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", pages.server_port, timeout=10)
    try:
        connection.request(method, path, headers={"Host": host})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def test_a_page_is_served(pages: ThreadingHTTPServer) -> None:
    assert ask(pages, "/drift/a%20window.html") == (200, "<h1>drifted</h1>")
    assert ask(pages, "/drift/a%20window.html", host="localhost:3030")[0] == 200


def test_a_page_that_is_gone_says_why(pages: ThreadingHTTPServer) -> None:
    status, text = ask(pages, "/drift/older.html")
    assert status == 404
    assert "GLOBOLATTE_DRIFT_REPORTS_KEPT" in text


@pytest.mark.parametrize("path", ["/../secret.txt", "/%2e%2e/secret.txt", "/drift/../../secret.txt"])
def test_nothing_outside_the_folder_is_served(pages: ThreadingHTTPServer, path: str) -> None:
    assert ask(pages, path)[0] == 404


def test_other_names_of_this_machine_are_refused(pages: ThreadingHTTPServer) -> None:
    assert ask(pages, "/drift/a%20window.html", host="evil.example")[0] == 403


def test_nothing_can_be_written(pages: ThreadingHTTPServer) -> None:
    assert ask(pages, "/drift/a%20window.html", method="PUT")[0] == 501


def test_a_taken_port_is_reported_with_the_remedy(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        reason = start_beside_this_process(tmp_path, f"http://127.0.0.1:{port}")
    assert reason is not None
    assert f"127.0.0.1:{port}" in reason
    assert "GLOBOLATTE_REPORTS_URL" in reason


@pytest.mark.parametrize(
    "url", ["https://reports.example.com", "http://reports.example.com", "http://127.0.0.1:80/under"]
)
def test_what_is_not_this_machines_is_left_to_others(tmp_path: Path, url: str) -> None:
    reason = start_beside_this_process(tmp_path, url)
    assert reason is not None
    assert url in reason


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_server_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    says = (
        "import pathlib, time; from globolatte_cli.report_pages import start_beside_this_process as start; "
        f"print(start(pathlib.Path({str(tmp_path)!r}), 'http://127.0.0.1:{port}'), flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", says], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    assert parent.stdout.readline() == "None\n"
    assert answers(port)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 20
    while answers(port):
        assert time.monotonic() < deadline, "the server still answers"
        time.sleep(0.1)
