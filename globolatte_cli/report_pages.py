"""A small web server for the folder of reports, for the links in the UI: browsers do not follow file:// links from a page."""

import os
import subprocess
import sys
import threading
import time
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any, cast
from urllib.parse import urlsplit

THIS_MACHINE = ("127.0.0.1", "localhost")
LOOK_SECONDS = 1.0
GONE = (
    "This page is gone, or was never made. The latest pages are kept (GLOBOLATTE_DRIFT_REPORTS_KEPT and GLOBOLATTE_MODEL_PAGES_KEPT "
    "say how many)."
)


class Pages(SimpleHTTPRequestHandler):
    """Files of a folder, read only. Requests under other host names than this machine's are refused: foreign pages could send them."""

    protocol_version = "HTTP/1.1"

    def send_head(self) -> Any:
        """The headers of the answer, and the opened file."""
        if urlsplit(f"//{self.headers.get('Host', '')}").hostname not in THIS_MACHINE:
            self.send_error(HTTPStatus.FORBIDDEN, "Ask this machine by its own name, such as 127.0.0.1")
            return None
        return super().send_head()

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """An error page; one that is missing says why."""
        super().send_error(code, message, GONE if code == HTTPStatus.NOT_FOUND else explain)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class' name
        """Prints nothing: the terminal is Dagster's."""


def server(folder: Path, host: str, port: int) -> ThreadingHTTPServer:
    """The server, listening but not yet answering. Raises `OSError` if the port is taken."""
    folder.mkdir(parents=True, exist_ok=True)
    return ThreadingHTTPServer((host, port), partial(Pages, directory=str(folder)))


def start_beside_this_process(folder: Path, url: str) -> str | None:
    """Serves `folder` at `url` from a process that ends with this one; returns none, or the reason if it could not be started."""
    parts = urlsplit(url)
    if parts.hostname not in THIS_MACHINE or parts.scheme != "http" or parts.path:
        return f"reports are linked to {url}, which is not served from here; see docs/ui.md"
    command = [sys.executable, "-m", __name__, str(folder), parts.hostname, str(parts.port or 80), str(os.getpid())]
    started = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    with cast("IO[str]", started.stdout) as answer:
        reported = answer.readline().strip()
    return reported.removeprefix("ready") or None


def main() -> None:
    """`python -m globolatte_cli.report_pages FOLDER HOST PORT PARENT`: prints `ready`, or why not, then serves while PARENT lives."""
    folder, host, port, parent = sys.argv[1:]
    try:
        pages = server(Path(folder), host, int(port))
    except OSError as error:
        print(
            f"reports cannot be served at {host}:{port} ({error.strerror}); end what listens there, or set "
            "GLOBOLATTE_REPORTS_URL to another port",
            flush=True,
        )
        return
    threading.Thread(target=pages.serve_forever, daemon=True).start()
    print("ready", flush=True)
    try:
        while os.getppid() == int(parent):
            time.sleep(LOOK_SECONDS)
    except KeyboardInterrupt:
        pages.shutdown()


if __name__ == "__main__":
    main()
