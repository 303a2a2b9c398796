"""The metrics page: what the gateway counted, and what the supervisor last saw of the processes, in Prometheus' text format."""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from http import HTTPStatus
from typing import Any

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
OUTCOMES = ("answered", "unauthorized", "refused", "failed")
"""Of a request: the status of its answer is below 400, 401, another one below 500, or higher."""
BOUNDS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
"""Seconds."""
PREFIX = "globolatte_endpoint"
LOG_GAUGES = ("waiting",)
"""What can fall among the counts of a prediction log; everything else only grows while its process lives."""


class Latencies:
    """A histogram of how long answers took, by status."""

    def __init__(self) -> None:
        self._counts: dict[int, list[int]] = {}
        self._sums: dict[int, float] = {}

    def observe(self, status: int, seconds: float) -> None:
        """Counts one answer."""
        counts = self._counts.setdefault(status, [0] * (len(BOUNDS) + 1))
        counts[bisect_left(BOUNDS, seconds)] += 1
        self._sums[status] = self._sums.get(status, 0.0) + seconds

    def lines(self) -> Iterator[str]:
        """The histogram."""
        name = f"{PREFIX}_answer_seconds"
        yield from _head(
            name, "histogram", "How long callers of /score waited, from the whole request to the whole answer."
        )
        for status, counts in sorted(self._counts.items()):
            total = 0
            for bound, count in zip((*BOUNDS, "+Inf"), counts, strict=True):
                total += count
                yield f'{name}_bucket{{status="{status}",le="{bound}"}} {total}'
            yield f'{name}_sum{{status="{status}"}} {self._sums[status]:.6f}'
            yield f'{name}_count{{status="{status}"}} {total}'


def outcome(status: int) -> str:
    """What became of a request, by the status of its answer: each has one outcome, so that they add up to all requests."""
    if status == HTTPStatus.UNAUTHORIZED:
        return "unauthorized"
    if status < HTTPStatus.BAD_REQUEST:
        return "answered"
    return "refused" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "failed"


def page(
    outcomes: Mapping[str, int],
    events: Mapping[str, int],
    connections: Mapping[str, int],
    open_connections: Mapping[str, int],
    latencies: Latencies,
    observed: Mapping[str, Any] | None,
) -> str:
    """The whole page.

    Args:
        outcomes: of requests, each in one of them.
        events: how often other things happened.
        connections: how many were given up, by why.
        open_connections: how many are open, by what they do.
        latencies: of answers.
        observed: what the supervisor wrote about the processes, if anything.
    """
    lines = [
        *_family(
            "requests_total", "counter", "Requests to /score by what became of them.", _labelled("outcome", outcomes)
        ),
        *_family(
            "events_total",
            "counter",
            "Requests sent again to another process, copies for the mirror, and questions of doctor, which are no requests.",
            _labelled("what", events),
        ),
        *_family("connections_ended_total", "counter", "Connections given up, by why.", _labelled("why", connections)),
        *_family("connections", "gauge", "Open connections by what they do.", _labelled("phase", open_connections)),
        *latencies.lines(),
        *_processes(observed or {}),
    ]
    return "\n".join(lines) + "\n"


def _processes(observed: Mapping[str, Any]) -> Iterator[str]:
    gateway, deployments = observed.get("gateway"), observed.get("deployments", [])
    entries = [entry for entry in (gateway, *deployments) if entry]
    named = [({"process": entry["name"]}, entry) for entry in entries]
    yield from _family(
        "process_healthy", "gauge", "Whether it answers.", [(one, int(e["healthy"])) for one, e in named]
    )
    restarts = [(one, e["restarts"]) for one, e in named]
    yield from _family("process_restarts_total", "counter", "How often it was started again.", restarts)
    traffic = [({"deployment": entry["name"]}, entry["traffic"]) for entry in deployments]
    yield from _family("deployment_traffic_percent", "gauge", "Its share of the requests.", traffic)
    logs = [(entry["name"], entry["status"].get("prediction_log") or {}) for entry in deployments]
    healthy = [({"deployment": name}, int(not log.get("fault"))) for name, log in logs if log]
    yield from _family("prediction_log_healthy", "gauge", "Whether answers are written to the prediction log.", healthy)
    for is_gauge, name, text in (
        (
            False,
            "prediction_log_total",
            "What the prediction log did since its process started: answers, unless said otherwise.",
        ),
        (True, "prediction_log_now", "Answers that wait to be written."),
    ):
        rows = [
            ({"deployment": deployment, "what": what}, count)
            for deployment, log in logs
            for what, count in log.items()
            if isinstance(count, int) and not isinstance(count, bool) and (what in LOG_GAUGES) == is_gauge
        ]
        yield from _family(name, "gauge" if is_gauge else "counter", text, rows)


Sample = tuple[Mapping[str, str], int]


def _labelled(label: str, counts: Mapping[str, int]) -> list[Sample]:
    return [({label: name}, count) for name, count in sorted(counts.items())]


def _family(name: str, kind: str, text: str, samples: Iterable[Sample]) -> Iterator[str]:
    samples = list(samples)
    if samples:
        yield from _head(f"{PREFIX}_{name}", kind, text)
    for labels, value in samples:
        inner = ",".join(f'{label}="{_escaped(content)}"' for label, content in labels.items())
        yield f"{PREFIX}_{name}{{{inner}}} {value}"


def _head(name: str, kind: str, text: str) -> tuple[str, str]:
    return f"# HELP {name} {text}", f"# TYPE {name} {kind}"


def _escaped(text: str) -> str:
    return text.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
