"""The prediction log's writing side: every answer as a line of a file, off the request path.

One process writes one file at a time, `<name>.jsonl.part`, under an exclusive lock, and renames it to `<name>.jsonl` when it is
finished: after `rotate_bytes` or `rotate_seconds`, or at shutdown. Lines reach the operating system every `FLUSH_SECONDS`,
so a SIGKILL loses at most the answers of that long (what was written survives, in a `.part` file that nobody locks any more:
`finish_abandoned` renames it).

While nothing can be written (full, read-only, gone), answers wait in memory and the same file is tried again. Only what finds no
room there is lost: it is counted, reported by `status`, and stands as a line of its own in the log as soon as that can be written.
No fault ends the writer, and none reaches a request.
"""

from __future__ import annotations

import atexit
import datetime as dt
import fcntl
import json
import logging
import math
import os
import secrets
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from globolatte_ml.data.ranking import stored_of
from globolatte_ml.scoring.recommendations import Recommendation

FLUSH_SECONDS, PAUSE_SECONDS = 0.2, 1.0
"""How often lines are written, and the pause before they are tried again after a fault."""
ROTATE_SECONDS = 30.0
ROTATE_BYTES = 16 * 1024 * 1024
QUEUE_ANSWERS = 50_000
CALLS_AT_ONCE = 200
STUCK_SECONDS = 10.0
FINISHED, UNFINISHED = ".jsonl", ".jsonl.part"
REST = "rest"
LOST, PROBE = "lost", "probe"
"""The fields by which a line is known that is no answer: a number of lost answers, and an answer that nobody wanted but a check."""

logger = logging.getLogger("azmlinfsrv.globolatte")


@dataclass(frozen=True)
class AnsweredCall:
    """The answers of one call. `probe`: asked by a check of the endpoint, and no prediction."""

    answered_at: dt.datetime
    request_id: str
    mirrored: bool
    answers: Sequence[Recommendation]
    probe: bool = False

    def lines(self, deployment: str) -> Iterator[str]:
        """One JSON document a line, with the probabilities of every product; of a large catalogue those of the best, and as `rest` how many
        others there are and what they sum to."""
        for answer in self.answers:
            n_products = answer.products or len(answer.ranked)
            listed = {item.product_id: item.probability for item in answer.ranked[: stored_of(n_products)]}
            more = n_products - len(listed)
            rest = {"products": more, "probability": max(0.0, 1.0 - math.fsum(listed.values()))}
            yield _document(
                {
                    **answer.question,
                    "answered_at": self.answered_at.isoformat(),
                    "request_id": self.request_id,
                    "deployment": deployment,
                    "mirrored": self.mirrored,
                    "model_version": answer.model_version,
                    "state_version": answer.state_version,
                    "probabilities": listed,
                    **({REST: rest} if more else {}),
                    **({PROBE: True} if self.probe else {}),
                }
            )


@dataclass(frozen=True)
class Loss:
    """Answers that are not in the log, from the first to the last of them, and why."""

    answers: int
    since: dt.datetime
    until: dt.datetime
    reason: str

    def more(self, answers: int, reason: str) -> Loss:
        """With further ones, lost now."""
        return Loss(self.answers + answers, self.since, dt.datetime.now(dt.UTC), reason)

    def line(self, deployment: str) -> str:
        """The line that says so in the log."""
        since, until = self.since.isoformat(), self.until.isoformat()
        fields = {LOST: self.answers, "deployment": deployment, "since": since, "until": until, "reason": self.reason}
        return _document(fields)


def _document(fields: dict[str, Any]) -> str:
    return json.dumps(fields, separators=(",", ":"))


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
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._counts = Counter(waiting=0, written=0, dropped=0, failed=0)
        self._bytes = self._probes = self._restarts = 0
        self._file: _LogFile | None = None
        self._loss: Loss | None = None
        self._fault: str | None = None
        self._turn_since: float | None = None
        with suppress(OSError):  # the writer makes it again, and reports why it cannot
            self._folder.mkdir(parents=True, exist_ok=True)
        self._thread = self._started_thread()
        atexit.register(self.close)

    def offer(self, entry: AnsweredCall) -> bool:
        """Queues the answers of a call; false if there is no room or the log is closed, and they are dropped. Never blocks or raises."""
        count = len(entry.answers)
        with self._lock:
            if self._counts["waiting"] + count > self._limit or self._stop.is_set():
                self._counts["dropped"] += count
                self._lose(count, self._fault or "more came than could be written")
                return False
            self._counts["waiting"] += count
            self._entries.append(entry)
        self._keep_writing()
        return True

    def counts(self) -> dict[str, int]:
        """How many answers wait, are written, were dropped for want of room, could not be written."""
        with self._lock:
            return dict(self._counts)

    def status(self) -> dict[str, Any]:
        """The counts, probes and bytes written, restarts of the writer, and as `fault` what is wrong now, as a sentence; else none."""
        self._keep_writing()
        since = self._turn_since
        stuck = 0.0 if since is None else time.monotonic() - since
        fault = self._fault
        if fault is None and stuck > STUCK_SECONDS:
            fault = f"answers are not logged: the disk of {self._folder} has taken nothing for {stuck:.0f} seconds"
        more = {"probes": self._probes, "bytes": self._bytes, "writer_restarts": self._restarts, "fault": fault}
        return {**self.counts(), **more}

    def close(self) -> None:
        """Writes what waits and finishes the file; what cannot be written then is counted as failed, and reported."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._thread.join(timeout=10)
        if self._thread.is_alive():
            logger.error("%s answers may be lost: the disk of %s takes nothing", self._counts["waiting"], self._folder)
        else:
            self._finish()  # has done so already, unless it had died
        atexit.unregister(self.close)

    # The writer ---------------------------------------------------------------------------------------------------------

    def _started_thread(self) -> threading.Thread:
        thread = threading.Thread(target=self._work, name="prediction-log", daemon=True)
        thread.start()
        return thread

    def _keep_writing(self) -> None:
        """Starts another writer if the thread has ended, whatever ended it."""
        if self._thread.is_alive() or self._stop.is_set():
            return
        with self._lock:
            if self._thread.is_alive():
                return
            try:
                self._thread = self._started_thread()
                self._restarts += 1
            except RuntimeError as error:  # no thread can be started now; the next call tries again
                self._note(f"answers are not logged: the writer has ended, and none can be started ({error})")

    def _work(self) -> None:
        pause = FLUSH_SECONDS
        while not self._stop.wait(pause):
            pause = FLUSH_SECONDS if self._turn(finish=False) else PAUSE_SECONDS
        self._finish()

    def _finish(self) -> None:
        """Writes what still waits, and ends the file; what cannot be written is lost, and counted."""
        if not self._turn(finish=True):
            self._give_up()

    def _turn(self, *, finish: bool) -> bool:
        """Writes what waits, and finishes the file if it is time; false if a fault stands against it."""
        self._turn_since = time.monotonic()
        try:
            self._follow_file()
            while (batch := list(islice(self._entries, CALLS_AT_ONCE))) or self._loss is not None:
                self._write(batch)
            if self._file is not None and (finish or self._is_due(self._file)):
                self._file.finish()
                self._file = None
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported, nothing is given up, and it is tried again
            what = (error.strerror if isinstance(error, OSError) else None) or f"{type(error).__name__}: {error}"
            self._note(f"answers are not logged: {self._folder}: {what}; they wait in memory, up to {self._limit:,}")
            return False
        finally:
            self._turn_since = None
        self._note(None)
        return True

    def _write(self, batch: Sequence[AnsweredCall]) -> None:
        """Appends a batch, and only then takes it out of the queue; before it, what was lost."""
        loss, lines = self._loss, list[str]()
        unwritable, why = 0, ""
        for entry in batch:
            try:
                lines += entry.lines(self._deployment)
            except (TypeError, ValueError, AttributeError) as error:
                unwritable, why = unwritable + len(entry.answers), f"no line can be made of them ({error!r})"
        if self._file is None:
            self._file = _LogFile(self._folder, self._deployment)
        lines = [loss.line(self._deployment), *lines] if loss else lines
        size = self._file.append("".join(f"{line}\n" for line in lines).encode(), len(lines))
        count = sum(len(entry.answers) for entry in batch)
        probes = sum(len(entry.answers) for entry in batch if entry.probe)
        with self._lock:
            self._counts.update(waiting=-count, written=count - probes - unwritable, failed=unwritable)
            self._bytes, self._probes = self._bytes + size, self._probes + probes
            for _ in batch:
                self._entries.popleft()
            if loss is not None and self._loss is not None:  # it may have grown meanwhile
                left = self._loss.answers - loss.answers
                self._loss = Loss(left, loss.until, self._loss.until, self._loss.reason) if left else None
            if unwritable:
                self._lose(unwritable, why)

    def _follow_file(self) -> None:
        """Notices that another program removed, moved or cut the open file: what it held goes on, in a new file if need be."""
        file = self._file
        if file is None:
            return
        if file.is_there():
            if cut := file.lines_cut_off():
                with self._lock:
                    self._counts.update(written=-cut, failed=cut)
                    self._lose(cut, f"another program cut {file.path.name}")
            return
        if file.is_finished():
            self._file = None
        else:
            logger.warning("%s was removed by another program; its lines go on in a new file", file.path)
            self._file = file.successor(self._deployment)
        file.close()

    def _is_due(self, file: _LogFile) -> bool:
        return file.size >= self._rotate_bytes or time.monotonic() - file.since >= self._rotate_seconds

    def _lose(self, answers: int, reason: str) -> None:
        now = dt.datetime.now(dt.UTC)
        self._loss = self._loss.more(answers, reason) if self._loss else Loss(answers, now, now, reason)

    def _give_up(self) -> None:
        """At the end: what still waits is lost."""
        with self._lock:
            count = self._counts["waiting"]
            self._counts.update(waiting=-count, failed=count)
            self._entries.clear()
            unsaid = count + (self._loss.answers if self._loss else 0)
        if unsaid:
            logger.error("%s answers are lost: the deployment ends, and %s", unsaid, self._fault)

    def _note(self, fault: str | None) -> None:
        """Remembers the fault, and logs it when it begins and when it is over."""
        before, self._fault = self._fault, fault
        if fault is not None and fault != before:
            logger.warning(fault)
        elif fault is None and before is not None:
            lost = self._counts["dropped"] + self._counts["failed"]
            logger.warning("answers are logged again; %s are lost so far", lost)


class _LogFile:
    """An unfinished file, locked as long as its writer lives. No clock and no process id is in its name: both come again."""

    def __init__(self, folder: Path, deployment: str) -> None:
        folder.mkdir(exist_ok=True)  # not its parents: a home that was moved away is not made again at its old place
        name = f"{deployment}-{secrets.token_hex(8)}"
        new = folder / f".{name}.new"
        self._descriptor = os.open(new, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o644)
        self.size, self.lines, self.since = 0, 0, time.monotonic()
        self.path = folder / f"{name}{UNFINISHED}"
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX)  # before it gets a name that `finish_abandoned` looks at
            new.rename(self.path)
        except OSError:
            self.close()
            new.unlink(missing_ok=True)
            raise

    def append(self, content: bytes, lines: int) -> int:
        """Hands whole lines to the operating system, all or none: what a full disk took of them is cut off again. Returns their bytes."""
        left = memoryview(content)
        if os.fstat(self._descriptor).st_size > self.size:  # half a line, which could not be cut off when it failed
            os.ftruncate(self._descriptor, self.size)
        try:
            while left:
                left = left[os.write(self._descriptor, left) :]
        except OSError:
            os.ftruncate(self._descriptor, self.size)
            raise
        self.size += len(content)
        self.lines += lines
        return len(content)

    def is_there(self) -> bool:
        """Whether the file still has its name."""
        try:
            return os.path.samestat(os.fstat(self._descriptor), self.path.stat())
        except FileNotFoundError:
            return False

    def lines_cut_off(self) -> int:
        """How many lines another program cut off since the last look; the file goes on after its last whole line."""
        if os.fstat(self._descriptor).st_size >= self.size:
            return 0
        left, lines = self._content(), self.lines
        self.size, self.lines = left.rfind(b"\n") + 1, left.count(b"\n")
        os.ftruncate(self._descriptor, self.size)
        return lines - self.lines

    def successor(self, deployment: str) -> _LogFile:
        """A new file with all that this one holds. Raises `OSError` and leaves none if it cannot be written."""
        new = _LogFile(self.path.parent, deployment)
        try:
            new.append(self._content(), self.lines)
        except OSError:
            new.path.unlink(missing_ok=True)
            new.close()
            raise
        return new

    def is_finished(self) -> bool:
        """Whether another program gave it its final name already."""
        try:
            return os.path.samestat(os.fstat(self._descriptor), self._final.stat())
        except FileNotFoundError:
            return False

    def _content(self) -> bytes:
        """What it holds, also after it was removed."""
        return os.pread(self._descriptor, self.size, 0)

    @property
    def _final(self) -> Path:
        return self.path.with_name(self.path.name.removesuffix(UNFINISHED) + FINISHED)

    def finish(self) -> None:
        """Puts the file on disk and gives it its final name."""
        os.fsync(self._descriptor)
        self.path.rename(self._final)
        self.close()

    def close(self) -> None:
        """Gives the lock back."""
        os.close(self._descriptor)


def finish_abandoned(folder: Path) -> list[Path]:
    """Gives the unfinished files of writers that live no more their final name; returns them."""
    finished = []
    for path in sorted(folder.glob(f"*{UNFINISHED}")):
        with (
            suppress(FileNotFoundError, BlockingIOError),
            path.open("rb") as stream,
        ):  # finished just before, or its writer lives
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            finished.append(path.rename(path.with_name(path.name.removesuffix(UNFINISHED) + FINISHED)))
    return finished
