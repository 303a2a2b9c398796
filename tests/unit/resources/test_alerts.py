"""Alerts reach the log always and the webhook if there is one; its address is not revealed."""

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from resources.alerts import WEBHOOK_VARIABLE, AlertNotTakenError, Alerts

SECRET = "T0pS3cret"


class Webhook(HTTPServer):
    """A chat system's webhook on this machine."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.taken: list[dict[str, str]] = []
        self.answer = 200


class Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        webhook: Webhook = self.server
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if webhook.answer == 200:
            webhook.taken.append(json.loads(body))
        self.send_response(webhook.answer)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def webhook(monkeypatch: pytest.MonkeyPatch) -> Iterator[Webhook]:
    server = Webhook()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setenv(WEBHOOK_VARIABLE, f"http://127.0.0.1:{server.server_port}/hook/{SECRET}")
    yield server
    server.shutdown()
    server.server_close()


def test_without_a_webhook_alerts_are_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    Alerts().send(["canada has not delivered 2023-05-04"])
    assert "ALERT canada has not delivered 2023-05-04" in caplog.text
    assert [record.levelno for record in caplog.records] == [logging.ERROR]


def test_with_a_webhook_they_are_posted_as_one_text(webhook: Webhook, caplog: pytest.LogCaptureFixture) -> None:
    Alerts().send(["one", "two ☕"])
    assert webhook.taken == [{"text": "GloboLatte:\n• one\n• two ☕"}]
    assert "ALERT two" in caplog.text
    Alerts().send([])
    assert len(webhook.taken) == 1


def test_many_alerts_are_cut_in_the_post_and_whole_in_the_log(
    webhook: Webhook, caplog: pytest.LogCaptureFixture
) -> None:
    Alerts().send([f"line {number}" for number in range(25)])
    assert webhook.taken[0]["text"].endswith("• line 19\n• … and 5 more, in the log")
    assert "ALERT line 24" in caplog.text


def test_a_webhook_that_does_not_take_it_says_so_without_its_address(
    webhook: Webhook, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    webhook.answer = 500
    with pytest.raises(AlertNotTakenError, match="answered 500") as refused:
        Alerts().send(["one"])
    monkeypatch.setenv(WEBHOOK_VARIABLE, f"http://127.0.0.1:1/{SECRET}")
    with pytest.raises(AlertNotTakenError, match="cannot be reached") as unreachable:
        Alerts().send(["one"])
    monkeypatch.setenv(WEBHOOK_VARIABLE, f"file:///{SECRET}")
    with pytest.raises(AlertNotTakenError, match="no http or https address") as wrong:
        Alerts().send(["one"])
    assert SECRET not in "".join(map(str, (refused.value, unreachable.value, wrong.value))) + caplog.text + repr(
        Alerts()
    )
