"""Sends alerts: always to the log, and to a webhook if there is one. What is worth an alert is not decided here."""

import json
import logging
import urllib.error
import urllib.request
from collections.abc import Sequence
from urllib.parse import urlsplit

import dagster as dg

WEBHOOK_VARIABLE = "GLOBOLATTE_ALERT_WEBHOOK"
"""Environment variable with the address for alerts. Everyone who knows the address can post, so it is handled like a secret."""

LONGEST_WAIT_SECONDS = 10
MOST_LINES_OF_ONE_POST = 20

log = logging.getLogger("globolatte.alerts")


class AlertNotTakenError(RuntimeError):
    """The webhook did not accept an alert. The message does not contain its address."""


def has_webhook() -> bool:
    """Whether alerts are posted anywhere."""
    return bool(dg.EnvVar(WEBHOOK_VARIABLE).get_value())


class Alerts(dg.ConfigurableResource):
    """Where alerts go. A post is JSON with one member `text`, which chat systems show as it is."""

    def send(self, lines: Sequence[str]) -> None:
        """Sends alerts about what needs a person. Raises `AlertNotTakenError` if the webhook does not accept one; the log has it anyway."""
        for line in lines:
            log.error("ALERT %s", line)
        address = dg.EnvVar(WEBHOOK_VARIABLE).get_value()
        if not address or not lines:
            return
        more = len(lines) - MOST_LINES_OF_ONE_POST
        shown = [*lines[:MOST_LINES_OF_ONE_POST], *([f"… and {more} more, in the log"] if more > 0 else [])]
        self._post(address, "GloboLatte:\n" + "\n".join(f"• {line}" for line in shown))

    def _post(self, address: str, text: str) -> None:
        if urlsplit(address).scheme not in ("https", "http"):
            raise AlertNotTakenError(f"{WEBHOOK_VARIABLE} is no http or https address; correct it or unset it")
        body, headers = json.dumps({"text": text}).encode(), {"Content-Type": "application/json"}
        request = urllib.request.Request(address, body, headers)  # noqa: S310 - the scheme was looked at
        try:
            with urllib.request.urlopen(request, timeout=LONGEST_WAIT_SECONDS):  # noqa: S310
                return
        except urllib.error.HTTPError as refused:
            raise AlertNotTakenError(f"the alert webhook answered {refused.code}; check {WEBHOOK_VARIABLE}") from None
        except OSError as fault:
            reason = getattr(fault, "reason", fault)
            raise AlertNotTakenError(
                f"the alert webhook cannot be reached: {reason}; check {WEBHOOK_VARIABLE}"
            ) from None
