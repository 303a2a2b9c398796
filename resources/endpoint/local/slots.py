"""A slot keeps one process alive: start, health, back-off, draining, end."""

import datetime as dt
import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from resources.endpoint.endpoint import Deployment
from resources.endpoint.local.processes import GRACE_SECONDS, LOOPBACK, Child

FIRST_PAUSE, LONGEST_PAUSE = 0.2, 30.0
STEADY_SECONDS = 60.0
LOOK_SECONDS, LOOK_SECONDS_STARTING = 1.0, 0.1
LOOK_TIMEOUT = 2.0
UNHEALTHY_SECONDS = 5.0
SILENT_SECONDS = 30.0
START_SECONDS = 60.0


_past_any_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def get_json(port: int, path: str) -> dict[str, Any]:
    """What one of our processes reports about itself. Raises `OSError`, `http.client.HTTPException` or `ValueError`."""
    try:
        with _past_any_proxy.open(f"http://{LOOPBACK}:{port}{path}", timeout=LOOK_TIMEOUT) as response:
            document: dict[str, Any] = json.load(response)
            return document
    except urllib.error.HTTPError as error:
        raise ValueError(f"{path} answered {error.code}") from error


@dataclass
class Slot:
    """A process that should run. `launch` starts it; at `status_path` it reports its status."""

    name: str
    launch: Callable[[], Child]
    status_path: str
    child: Child | None = None
    healthy: bool = False
    restarts: int = 0
    failures: int = 0
    since: str = ""
    status: dict[str, Any] = field(default_factory=dict)
    last_error: str | None = None
    _start_at: float = 0.0
    _look_at: float = 0.0
    _answered_at: float = 0.0
    _has_answered: bool = False
    _end_requested_at: float | None = None

    def tend(self) -> None:
        """Checks the process once: starts it if needed, checks its health, ends it if it does not recover. Takes `LOOK_TIMEOUT` at most."""
        now = time.monotonic()
        if self.child is not None and not self.child.alive:
            self._lost(self.child.ending, now)
        if self.child is None:
            if now >= self._start_at:
                self.child = self.launch()
                self._answered_at = self._look_at = time.monotonic()
                self._has_answered = False
            return
        if now >= self._look_at:
            self._look(self.child)

    def take_over(self, child: Child, recorded: Mapping[str, Any], status: dict[str, Any]) -> None:
        """Goes on with a process that an earlier supervisor started and that has just answered."""
        self.child, self.healthy, self.status = child, True, status
        self.restarts, self.since = int(recorded.get("restarts", 0)), str(recorded.get("since", ""))
        self._answered_at, self._has_answered = time.monotonic(), True
        self._look_at = self._answered_at + LOOK_SECONDS

    def look_soon(self) -> None:
        """Makes the next check happen at once, whenever the last one was."""
        self._look_at = 0.0

    def end(self) -> None:
        """Ends the process and waits for that."""
        if self.child is not None:
            self.child.end()
            self.child, self.healthy = None, False

    def ended(self) -> bool:
        """Signals the process to end at the first call; returns whether it has ended. Never waits."""
        child, now = self.child, time.monotonic()
        if child is None:
            return True
        if self._end_requested_at is None:
            self._end_requested_at = now
            child.terminate()
        if not child.alive or now - self._end_requested_at > GRACE_SECONDS:
            child.end(grace=0.0)
            self.child = None
        return self.child is None

    def _look(self, child: Child) -> None:
        try:
            self.status = get_json(child.port, self.status_path)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._silent(str(error) or type(error).__name__)
        else:
            self._answered_at, self._has_answered = time.monotonic(), True
            if not self.healthy:
                self.healthy, self.last_error = True, None
                self.since = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
            if self._answered_at - child.started_at > STEADY_SECONDS:
                self.failures = 0
        self._look_at = time.monotonic() + (LOOK_SECONDS if self.healthy else LOOK_SECONDS_STARTING)

    def _silent(self, error: str) -> None:
        silent = time.monotonic() - self._answered_at
        limit = SILENT_SECONDS if self._has_answered else START_SECONDS
        if silent > limit:
            self._lost(f"gave no answer for {limit:.0f} seconds ({error})", time.monotonic())
        elif self.healthy and silent > UNHEALTHY_SECONDS:
            self.healthy, self.last_error = False, f"gives no answer ({error})"

    def _lost(self, error: str, now: float) -> None:
        """The process is gone or given up: start another after a pause that doubles with each failure in a row."""
        if self.child is not None:
            self.child.end(grace=0.5)
        self.child, self.healthy, self.last_error, self.status = None, False, error, {}
        self.failures += 1
        self.restarts += 1
        self._start_at = now + min(FIRST_PAUSE * 2 ** (self.failures - 1), LONGEST_PAUSE)


@dataclass
class DeploymentSlot(Slot):
    """A deployment's process. If it is not wanted any more it drains: it gets no new requests, then it ends."""

    deployment: Deployment = field(default_factory=lambda: Deployment("", "", ""))
    draining_since: float | None = None

    @property
    def phase(self) -> str:
        """The phase of its life."""
        if self.draining_since is not None:
            return "draining"
        if self.child is None:
            return "waiting to start again" if self.failures else "starting"
        return "serving" if self.healthy else "starting"
