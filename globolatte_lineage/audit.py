"""A random sample of what is on record, looked at again: predictions are traced and made again, kept files are read and hashed anew."""

import datetime as dt
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from globolatte_ingest.kept_files import KeptFiles, NotKeptError
from globolatte_lineage import statements
from globolatte_lineage.backward import trace_prediction
from globolatte_lineage.graph import Kind
from globolatte_lineage.records import Places, rows_of
from globolatte_lineage.replay import CannotReplayError, NoMoreKeptError, Replayer
from resources.landing.landing_zone import LandingZone
from resources.warehouse.warehouse import Transaction


@dataclass(frozen=True)
class Audited:
    """One thing that was looked at, by name. `fault`: what is wrong with it; `skipped`: why it could not be looked at; else empty."""

    name: str
    fault: str = ""
    skipped: str = ""


@dataclass(frozen=True)
class Audit:
    """What an audit found, of `predictions` and of `files`."""

    predictions: Sequence[Audited]
    files: Sequence[Audited]

    @property
    def faults(self) -> list[str]:
        """A sentence for each fault."""
        return [f"{one.name}: {one.fault}" for one in (*self.predictions, *self.files) if one.fault]

    @property
    def skipped(self) -> list[str]:
        """A sentence for each thing that could not be looked at."""
        return [f"{one.name}: {one.skipped}" for one in (*self.predictions, *self.files) if one.skipped]

    @property
    def made_again(self) -> int:
        """How many predictions were made again."""
        return sum(not one.skipped for one in self.predictions)


def audit(
    transaction: Transaction, places: Places, kept: KeptFiles, landing: LandingZone, day: dt.date, count: int
) -> Audit:
    """Looks at `count` predictions of the batch and as many of the endpoint's latest day, and at as many kept files.

    Which ones is decided by `day`: the same day gives the same sample of the same tables.
    """
    ids = [
        row["prediction_id"]
        for sql in (statements.SAMPLE_OF_BATCH, statements.SAMPLE_OF_LOG)
        for row in rows_of(transaction, sql, f"{day}", count)
    ]
    replayer = Replayer(places)
    predictions = [audited_prediction(transaction, places, replayer, one) for one in dict.fromkeys(ids)]
    contents = [row["sha256"] for row in rows_of(transaction, statements.SAMPLE_OF_FILES, f"{day}", count)]
    return Audit(predictions, list(_audited_files(transaction, kept, landing, contents)))


def audited_prediction(transaction: Transaction, places: Places, replayer: Replayer, prediction_id: str) -> Audited:
    """Traces a prediction, and makes it again."""
    trace = trace_prediction(transaction, places, prediction_id)
    customer = trace.node(trace.root).facts["customer_id"]
    files = trace.of_kind(Kind.FILE)
    if trace.of_kind(Kind.LINES) and not files:
        return Audited(prediction_id, fault=f"no file of the lines of {customer} is in the ledger")
    try:
        again = replayer.replay(trace)
    except NoMoreKeptError as gone:
        return Audited(prediction_id, skipped=str(gone))
    except CannotReplayError as fault:
        return Audited(prediction_id, fault=str(fault))
    if again.is_same:
        return Audited(prediction_id)
    product, (was, now) = next(iter(again.differ.items()))
    return Audited(
        prediction_id,
        fault=f"made again, {len(again.differ)} probabilities differ: {product} had {was!r} and has {now!r}",
    )


def _audited_files(
    transaction: Transaction, kept: KeptFiles, landing: LandingZone, contents: Sequence[str]
) -> Iterator[Audited]:
    with tempfile.TemporaryDirectory() as folder:
        for sha256 in contents:
            try:
                kept.fetch(kept.place_of(transaction, sha256), sha256, landing, Path(folder) / "content")
            except NotKeptError as fault:
                yield Audited(f"file {sha256[:12]}", fault=str(fault))
            else:
                yield Audited(f"file {sha256[:12]}")
