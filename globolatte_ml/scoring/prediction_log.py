"""The prediction log's writing side: every answer as a line of a file, off the request path.

One process writes one file at a time, `<name>.jsonl.part`, under an exclusive lock, and renames it to `<name>.jsonl` when it is
finished: after `rotate_bytes` or `rotate_seconds`, or at shutdown. Lines reach the operating system every `FLUSH_SECONDS`,
so a SIGKILL loses at most the answers of that long (what was written survives, in a `.part` file that nobody locks any more:
`finish_abandoned` renames it). A full queue never blocks: its answers are counted as dropped.
"""

from __future__ import annotations

import atexit
import datetime as dt
import fcntl
import json
import os
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from globolatte_ml.scoring.recommendations import Recommendation

FLUSH_SECONDS = 0.2
ROTATE_SECONDS = 30.0
ROTATE_BYTES = 16 * 1024 * 1024
QUEUE_ANSWERS = 50_000
FINISHED, UNFINISHED = ".jsonl", ".jsonl.part"


@dataclass(frozen=True)
class AnsweredCall:
    """The answers of one call."""

    answered_at: dt.datetime
    request_id: str
    mirrored: bool
    answers: Sequence[Recommendation]

    def lines(self, deployment: str) -> Iterator[str]:
        """One JSON document a line, with the probabilities of every product."""
        for answer in self.answers:
            yield json.dumps(
                {
                    **answer.question,
                    "answered_at": self.answered_at.isoformat(),
                    "request_id": self.request_id,
                    "deployment": deployment,
                    "mirrored": self.mirrored,
                    "model_version": answer.model_version,
                    "state_version": answer.state_version,
                    "probabilities": {item.product_id: item.probability for item in answer.ranked},
                },
                separators=(",", ":"),
            )


class PredictionLog:
    """A bounded queue and the thread that empties it into files under `folder`.

    Args:
        folder: where files go; made if need be.
        deployment: who answers.
        rotate_seconds, rotate_bytes: when a file is finished.
        queue_answers: how many answers may wait.
    """

    def __init__(
        self,
        folder: Path,
        deployment: str,
        rotate_seconds: float = ROTATE_SECONDS,
        rotate_bytes: int = ROTATE_BYTES,
        queue_answers: int = QUEUE_ANSWERS,
    ) -> None:
        self._folder, self._deployment = folder, deployment
        self._rotate_seconds, self._rotate_bytes, self._limit = rotate_seconds, rotate_bytes, queue_answers
        self._entries: deque[AnsweredCall] = deque()
        self._lock, self._writing, self._stop = threading.Lock(), threading.Lock(), threading.Event()
        self._counts = Counter(waiting=0, written=0, dropped=0, failed=0)
        self._files = 0
        self._file: _LogFile | None = None
        self._folder.mkdir(parents=True, exist_ok=True)
        self._thread = threading.Thread(target=self._work, name="prediction-log", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def offer(self, entry: AnsweredCall) -> bool:
        """Queues the answers of a call; false if there is no room or the log is closed, and they are dropped. Never blocks."""
        count = len(entry.answers)
        with self._lock:
            if self._counts["waiting"] + count > self._limit or self._stop.is_set():
                self._counts["dropped"] += count
                return False
            self._counts["waiting"] += count
            self._entries.append(entry)
        return True

    def counts(self) -> dict[str, int]:
        """How many answers wait, are written, were dropped for want of room, could not be written."""
        with self._lock:
            return dict(self._counts)

    def close(self) -> None:
        """Writes what waits and finishes the file."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._thread.join(timeout=10)
        atexit.unregister(self.close)

    def _work(self) -> None:
        while not self._stop.wait(FLUSH_SECONDS):
            self._flush(finish=False)
        self._flush(finish=True)

    def _flush(self, *, finish: bool) -> None:
        with self._lock:
            entries = list(self._entries)
            self._entries.clear()
        count = sum(len(entry.answers) for entry in entries)
        try:
            if entries:
                self._append("".join(f"{line}\n" for entry in entries for line in entry.lines(self._deployment)))
            written = count
        except OSError:  # a full disk must not end serving: the answers are counted as failed
            written, self._file = 0, None
        with self._lock:
            self._counts.update(waiting=-count, written=written, failed=count - written)
        self._finish_if_due(finish)

    def _append(self, text: str) -> None:
        if self._file is None:
            self._files += 1
            self._file = _LogFile(self._folder, f"{self._deployment}-{os.getpid()}-{time.time_ns()}-{self._files}")
        self._file.append(text.encode())

    def _finish_if_due(self, finish: bool) -> None:
        file = self._file
        if file is None:
            return
        if finish or file.size >= self._rotate_bytes or time.monotonic() - file.since >= self._rotate_seconds:
            self._file = None
            file.finish()


class _LogFile:
    """An unfinished file, locked as long as its writer lives."""

    def __init__(self, folder: Path, name: str) -> None:
        new = folder / f".{name}.new"
        self._stream: IO[bytes] = new.open("xb", buffering=0)
        fcntl.flock(self._stream, fcntl.LOCK_EX)  # before the file gets a name that `finish_abandoned` looks at
        self.path = new.rename(folder / f"{name}{UNFINISHED}")
        self.size, self.since = 0, time.monotonic()

    def append(self, content: bytes) -> None:
        """Hands whole lines to the operating system."""
        left = memoryview(content)
        while left:
            left = left[self._stream.write(left) :]
        self.size += len(content)

    def finish(self) -> None:
        """Puts the file on disk and gives it its final name."""
        os.fsync(self._stream.fileno())
        self.path.rename(self.path.with_name(self.path.name.removesuffix(UNFINISHED) + FINISHED))
        self._stream.close()


def finish_abandoned(folder: Path) -> list[Path]:
    """Gives the unfinished files of writers that live no more their final name; returns them."""
    finished = []
    for path in sorted(folder.glob(f"*{UNFINISHED}")):
        with path.open("rb") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            if path.exists():  # else its writer finished it just before
                finished.append(path.rename(path.with_name(path.name.removesuffix(UNFINISHED) + FINISHED)))
    return finished
