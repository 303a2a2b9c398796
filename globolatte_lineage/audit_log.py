"""The audit log: a Merkle log over ledger events, decisions, sign-offs, files of the prediction log and batches of recommendations.

The log itself is a folder of segments, one per appending, each written once; it can belong to another owner than the warehouse does.
The warehouse keeps the leaves and heads beside it, so that each can be held against the other. What belongs to a person goes in
as a hash salted by a secret of that person's own: once the secret is destroyed, nothing in the log can be computed from the person's id.
"""

import base64
import datetime as dt
import hashlib
import json
import os
import secrets
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from globolatte_lineage.merkle import Frontier, inclusion_proof, leaf_hash, root_of
from globolatte_lineage.records import rows_of
from resources.warehouse.warehouse import Transaction, Warehouse

LEDGER_EVENT, DECISION, SIGN_OFF, ERASED, ANSWERS, BATCH = (
    "ledger event",
    "decision",
    "sign-off",
    "erased answer",
    "file of answers",
    "batch of recommendations",
)
FORMAT = 1
ROWS_AT_ONCE = 200_000
"""A segment has at most the files with so many answers, or one file that has more."""
LEAVES, HEADS, SALTS = "lineage.audit_leaves", "lineage.audit_heads", "lineage.salts"


class BrokenLogError(Exception):
    """The log cannot be added to: what is there is not what the warehouse has on record."""


def _text_of(*columns: str) -> str:
    """SQL for the columns as one text that no other values have: each with its length before it, `-` where it is NULL."""
    parts = [
        f"case when {name} is null then '-' else cast(length(cast({name} as varchar)) as varchar) || ':' || cast({name} as varchar) end"
        for name in columns
    ]
    return " || ".join(parts)


_EVENT = (
    "sequence",
    "load_id",
    "happened_at",
    "event",
    "business_unit",
    "business_date",
    "reason_code",
    "reason",
    "run_id",
    "asked_by",
    "note",
)
_DECISION = (
    "run_id",
    "model_version",
    "content_hash",
    "snapshot",
    "job_id",
    "promoted",
    "champion_version",
    "reasons",
    "decided_at",
)
_SIGN_OFF = ("model_version", "content_hash", "decision", "decided_by", "reason", "decided_at")
_ANSWER = (
    "log_file",
    "line",
    "prediction_id",
    "answered_at",
    "request_id",
    "deployment",
    "mirrored",
    "model_version",
    "state_version",
    "customer_id",
    "known_customer",
    "business_unit",
    "date",
    "weather",
    "daypart",
    "top_product",
    "probabilities",
    "rest_products",
    "rest_probability",
)
_RANKED = (
    "prediction_id",
    "customer_id",
    "business_unit",
    "as_of_date",
    "weather",
    "is_expected_weather",
    "rank",
    "product_id",
    "probability",
    "model_version",
    "state_version",
)

EVENTS = f"""
select cast(sequence as varchar) as entry_key, {_text_of(*_EVENT)} as content
from sales_data.ledger_events where sequence > ? order by sequence
"""
DECISIONS = f"""
select run_id || '/' || model_version as entry_key, {_text_of(*_DECISION)} as content
from ml.decisions order by decided_at, run_id, model_version
"""
SIGN_OFFS = f"""
select model_version || '/' || cast(decided_at as varchar) as entry_key, {_text_of(*_SIGN_OFF)} as content
from ml.sign_offs order by decided_at, model_version
"""
ERASURES = f"""
select log_file || '/' || cast(line as varchar) as entry_key, {_text_of("log_file", "line", "erased_at")} as content
from lineage.erased_answers order by erased_at, log_file, line
"""
NEW_FILES = f"""
select files.log_file, files.sha256, files.rows_ingested
from monitoring.prediction_log_files as files
left join {LEAVES} as leaves on leaves.kind = '{ANSWERS}' and leaves.entry_key = files.log_file
where leaves.entry_key is null
order by files.ingested_at, files.log_file
"""
_ANSWERS_OF = (
    f"select log_file, line, customer_id, answered_at, {_text_of(*_ANSWER)} as content from monitoring.prediction_log"
)
BATCHES = """
select distinct cast(as_of_date as varchar) || '/' || model_version || '/' || state_version as entry_key
from serving.recommendations order by entry_key
"""
RANKED = f"""
select
    cast(as_of_date as varchar) || '/' || model_version || '/' || state_version as entry_key, customer_id,
    {_text_of(*_RANKED)} as content
from serving.recommendations order by customer_id, business_unit, weather, rank, product_id
"""


@dataclass(frozen=True)
class Entry:
    """One leaf of the log. `content`: the hash of what is logged, in hex; of files and batches the Merkle root over their rows.

    `lines` and `rows` (files of answers only): the line of each answer, and its salted hash. `first`, `last`: when they were given (UTC).
    """

    kind: str
    key: str
    content: str
    count: int = 1
    first: str = ""
    last: str = ""
    lines: Sequence[int] = ()
    rows: Sequence[bytes] = ()

    @property
    def leaf(self) -> bytes:
        """The leaf's hash."""
        told = [self.kind, self.key, self.content, self.count, self.first, self.last]
        return leaf_hash(json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode())

    def as_document(self) -> dict[str, Any]:
        """As it stands in a segment."""
        told: dict[str, Any] = {name: getattr(self, name) for name in ("kind", "key", "content", "count")}
        if self.rows:
            told |= {"first": self.first, "last": self.last, "lines": list(self.lines)}
            told["rows"] = base64.b64encode(b"".join(self.rows)).decode()
        return told

    @classmethod
    def of_document(cls, told: Mapping[str, Any]) -> "Entry":
        """The entry that a segment has. Raises `ValueError`, `TypeError` or `KeyError` for what is none."""
        packed = base64.b64decode(told.get("rows", ""), validate=True)
        rows = [packed[start : start + 32] for start in range(0, len(packed), 32)]
        facts = {name: told[name] for name in ("kind", "key", "content", "count")}
        entry = cls(
            **facts, first=told.get("first", ""), last=told.get("last", ""), lines=told.get("lines", ()), rows=rows
        )
        if len(entry.lines) != len(rows) or (rows and root_of(map(leaf_hash, rows)).hex() != entry.content):
            raise ValueError(f"the rows of {entry.kind} {entry.key} do not give its root {entry.content}")
        return entry


def _segment_name(start: int) -> str:
    return f"segment-{start:012d}.json"


@dataclass(frozen=True)
class Segment:
    """What one appending added from position `start` (from 0) on; `root`: of the whole log after it, in hex."""

    start: int
    root: str
    appended_at: str
    run_id: str
    entries: Sequence[Entry]

    @property
    def name(self) -> str:
        """The file's name."""
        return _segment_name(self.start)

    def as_text(self) -> str:
        """The file's content."""
        told = {name: getattr(self, name) for name in ("start", "root", "appended_at", "run_id")}
        entries = [entry.as_document() for entry in self.entries]
        return json.dumps({"format": FORMAT, **told, "entries": entries}, ensure_ascii=False, indent=0)

    @classmethod
    def of_text(cls, text: str) -> "Segment":
        """The segment in a file. Raises `ValueError`, `TypeError` or `KeyError` for what is none."""
        told = json.loads(text)
        if told["format"] != FORMAT:
            raise ValueError(f"its format is {told['format']!r}; this release reads {FORMAT}")
        entries = [Entry.of_document(entry) for entry in told["entries"]]
        return cls(**{name: told[name] for name in ("start", "root", "appended_at", "run_id")}, entries=entries)


@dataclass(frozen=True)
class Appended:
    """What an appending did: how many leaves are new, how many answers stand in them, and the head after it."""

    entries: int
    answers: int
    size: int
    root: str


@dataclass(frozen=True)
class Verified:
    """What was compared, and a sentence for each fault, and for each thing that could not be compared any more."""

    size: int
    root: str
    answers: int
    faults: Sequence[str]
    notes: Sequence[str]


def segments_in(folder: Path) -> list[Path]:
    """The segments of a log, in their order."""
    return sorted(folder.glob("segment-*.json"))


def _hashed(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def _salted(salts: Mapping[str, str], person: str, content: str) -> bytes:
    return hashlib.sha256(f"{salts[person]}:{content}".encode()).digest()


def _salts_on_record(transaction: Transaction) -> dict[str, str]:
    return {row["person"]: row["salt"] for row in rows_of(transaction, f"select person, salt from {SALTS}")}


@dataclass
class _Salts:
    """The salts on record, and those made for people who have none yet."""

    known: dict[str, str]
    made: dict[str, str] = field(default_factory=dict)

    def of(self, people: Sequence[str]) -> Mapping[str, str]:
        for person in set(people) - self.known.keys():
            self.known[person] = self.made[person] = secrets.token_hex(16)
        return self.known


def _plain(transaction: Transaction, after_event: int) -> Iterator[tuple[str, list[Entry]]]:
    """By kind, the entries of the tables of which each row is one, as they are now; of ledger events those after `after_event`."""
    for kind, sql, parameters in (
        (LEDGER_EVENT, EVENTS, [after_event]),
        (DECISION, DECISIONS, []),
        (SIGN_OFF, SIGN_OFFS, []),
        (ERASED, ERASURES, []),
    ):
        rows = rows_of(transaction, sql, *parameters)
        yield kind, [Entry(kind, row["entry_key"], _hashed(row["content"])) for row in rows]


def _batches(transaction: Transaction, salts: _Salts, logged: set[tuple[str, str]]) -> Iterator[Entry]:
    new = {row["entry_key"] for row in rows_of(transaction, BATCHES)} - {key for kind, key in logged if kind == BATCH}
    if new:
        hashes: dict[str, list[bytes]] = defaultdict(list)
        rows = transaction.fetch(RANKED)
        known = salts.of(rows["customer_id"].to_pylist())
        for key, person, content in zip(*(rows[name].to_pylist() for name in rows.column_names), strict=True):
            if key in new:
                hashes[key].append(leaf_hash(_salted(known, person, content)))
        for key in sorted(new):
            yield Entry(BATCH, key, root_of(hashes[key]).hex(), len(hashes[key]))


def _files(transaction: Transaction, salts: _Salts, files: Sequence[Mapping[str, Any]]) -> Iterator[Entry]:
    marks = ", ".join("?" * len(files))
    sql = f"{_ANSWERS_OF} where log_file in ({marks}) order by log_file, line"
    rows = transaction.fetch(sql, [file["log_file"] for file in files])
    known = salts.of(rows["customer_id"].to_pylist())
    by_file: dict[str, list[tuple[int, bytes, dt.datetime]]] = defaultdict(list)
    for name, line, person, at, content in zip(
        *(rows[column].to_pylist() for column in rows.column_names), strict=True
    ):
        by_file[name].append((line, _salted(known, person, content), at))
    for file in files:
        lines, hashes, moments = (
            map(list, zip(*by_file[file["log_file"]], strict=True)) if by_file[file["log_file"]] else ([], [], [])
        )
        yield Entry(
            ANSWERS,
            file["log_file"],
            root_of(map(leaf_hash, hashes)).hex(),
            len(hashes),
            first=min(moments).isoformat() if moments else "",
            last=max(moments).isoformat() if moments else "",
            lines=lines,
            rows=hashes,
        )


def _in_pieces(files: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    piece: list[Mapping[str, Any]] = []
    rows = 0
    for file in files:
        if piece and rows + file["rows_ingested"] > ROWS_AT_ONCE:
            yield piece
            piece, rows = [], 0
        piece.append(file)
        rows += file["rows_ingested"]
    if piece:
        yield piece


@dataclass
class AuditLog:
    """The log in `folder`, with its leaves and heads in `warehouse`."""

    folder: Path
    warehouse: Warehouse

    def append(self, now: dt.datetime, run_id: str) -> Appended:
        """Adds what is new since the last time; `now` is UTC without offset.

        A segment that a kill left without its leaves on record is put aside and made again, so a kill loses and doubles nothing.
        Raises `BrokenLogError` where the last segment is not the one on record.
        """
        entries = answers = 0
        while added := self._append_once(now, run_id):
            entries, answers = entries + added.entries, answers + added.answers
        with self.warehouse.transaction() as transaction:
            frontier = self._frontier(transaction)
        return Appended(entries, answers, frontier.size, frontier.root.hex())

    def _append_once(self, now: dt.datetime, run_id: str) -> Appended | None:
        with self.warehouse.transaction() as transaction:
            frontier = self._frontier(transaction)
            ahead = self.folder / _segment_name(frontier.size)
            beyond = [path.name for path in segments_in(self.folder) if path.name > ahead.name]
            if beyond:
                raise BrokenLogError(
                    f"{self.folder} has segments after the {frontier.size:,} leaves on record, such as {beyond[0]}: the warehouse is older "
                    "than the log; restore a later copy of it, or give the log another place"
                )
            if ahead.is_file():
                self._discard_unrecorded(ahead)
            elif frontier.size and not segments_in(self.folder):
                raise BrokenLogError(
                    f"{self.folder} has no segment, but {frontier.size:,} leaves are on record; give the log's place back, "
                    "then `globolatte audit verify`"
                )
            logged = {
                (row["kind"], row["entry_key"])
                for row in rows_of(
                    transaction,
                    f"select kind, entry_key from {LEAVES} where kind <> '{LEDGER_EVENT}' and kind <> '{ANSWERS}'",
                )
            }
            [last] = rows_of(transaction, f"select coalesce(max(last_event), 0) as last_event from {HEADS}")
            salts = _Salts(_salts_on_record(transaction))
            plain = (entry for _, rows in _plain(transaction, last["last_event"]) for entry in rows)
            entries = [entry for entry in plain if (entry.kind, entry.key) not in logged]
            entries += _batches(transaction, salts, logged)
            files = next(_in_pieces(rows_of(transaction, NEW_FILES)), None)
            if files:
                entries += _files(transaction, salts, files)
            if not entries:
                return None
            last_event = max([last["last_event"], *(int(one.key) for one in entries if one.kind == LEDGER_EVENT)])
            leaves = [entry.leaf for entry in entries]
            after = frontier.extended(leaves)
            segment = Segment(frontier.size, after.root.hex(), now.isoformat(), run_id, entries)
            self._record(transaction, segment, after, salts, last_event, now)
            self._write(segment)
        return Appended(len(entries), sum(len(entry.rows) for entry in entries), after.size, segment.root)

    def _record(
        self,
        transaction: Transaction,
        segment: Segment,
        after: Frontier,
        salts: _Salts,
        last_event: int,
        now: dt.datetime,
    ) -> None:
        count = len(segment.entries)
        leaves = pa.table(
            {
                "leaf_index": list(range(segment.start, segment.start + count)),
                "kind": [entry.kind for entry in segment.entries],
                "entry_key": [entry.key for entry in segment.entries],
                "leaf": [entry.leaf.hex() for entry in segment.entries],
            }
        )
        head = pa.table(
            {
                "size": [after.size],
                "root": [segment.root],
                "peaks": [",".join(peak.hex() for peak in after.peaks)],
                "last_event": [last_event],
                "appended_at": pa.array([now], pa.timestamp("us")),
                "run_id": [segment.run_id],
            }
        )
        made = pa.table(
            {
                "person": pa.array(list(salts.made), pa.string()),
                "salt": pa.array(list(salts.made.values()), pa.string()),
            }
        )
        parts = {"new_leaves": (LEAVES, leaves), "new_head": (HEADS, head), "new_salts": (SALTS, made)}
        for name, (_, data) in parts.items():
            transaction.stage(name, data)
        for name, (table, data) in parts.items():
            columns = ", ".join(data.column_names)
            transaction.execute(f"insert into {table} ({columns}) select {columns} from {name}")

    def _write(self, segment: Segment) -> None:
        """Writes a segment whole, and only where there is none: what is written is never replaced."""
        self.folder.mkdir(parents=True, exist_ok=True)
        new = self.folder / f".{segment.name}.{os.getpid()}"
        with new.open("w", encoding="utf-8") as file:
            file.write(segment.as_text())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(new, self.folder / segment.name)
        finally:
            new.unlink()

    def _discard_unrecorded(self, ahead: Path) -> None:
        """Puts aside a segment that a kill left without its leaves on record: its salts are lost, so nothing in it could be verified."""
        number = len(list(self.folder.glob(f"{ahead.stem}.unrecorded-*")))
        ahead.rename(self.folder / f"{ahead.stem}.unrecorded-{number}")

    @staticmethod
    def _frontier(transaction: Transaction) -> Frontier:
        heads = rows_of(transaction, f"select size, peaks from {HEADS} order by size desc limit 1")
        if not heads:
            return Frontier()
        return Frontier(heads[0]["size"], tuple(bytes.fromhex(peak) for peak in heads[0]["peaks"].split(",")))

    def verify(self, *, root: str | None = None, forgotten_before: dt.datetime | None = None) -> Verified:
        """Holds segments, leaves on record and the tables against each other, and names what differs.

        root: a root written down elsewhere that some head of the log has to have. forgotten_before (UTC without offset): answers
        before it were deleted by age, and are not missed.
        """
        with self.warehouse.transaction() as transaction:
            return _Verification(transaction, forgotten_before).run(self.folder, root)

    def prove(self, kind: str, key: str) -> dict[str, Any]:
        """That an entry is in the log: its leaf, position, proof of inclusion, and the head that it leads to.

        Raises `KeyError` for an entry that is not in the log.
        """
        entries = [
            entry for path in segments_in(self.folder) for entry in Segment.of_text(path.read_text("utf-8")).entries
        ]
        position = next((place for place, entry in enumerate(entries) if (entry.kind, entry.key) == (kind, key)), None)
        if position is None:
            raise KeyError(
                f"no {kind} {key!r} is in the log at {self.folder}; `globolatte audit append` adds what is new"
            )
        leaves = [entry.leaf for entry in entries]
        told = entries[position].as_document()
        told.pop("rows", None)
        told.pop("lines", None)
        return {
            "entry": told,
            "leaf": leaves[position].hex(),
            "position": position,
            "size": len(leaves),
            "root": root_of(leaves).hex(),
            "proof": [step.hex() for step in inclusion_proof(position, leaves)],
        }


def forget_person(transaction: Transaction, person: str, now: dt.datetime) -> None:
    """Destroys a person's salt, at `now` (UTC without offset). Call it before the person's answers are deleted.

    What the log has of this person stays where it is, and can be computed from nothing any more. Which answers they were is put on
    record, by file and line alone, and becomes part of the log, so that what was erased is told from what was removed.
    """
    transaction.execute(
        "insert into lineage.erased_answers (log_file, line, erased_at) "
        "select log_file, line, cast(? as timestamp) from monitoring.prediction_log where customer_id = ?",
        [now, person],
    )
    transaction.execute(f"delete from {SALTS} where person = ?", [person])


SAME, OLD, AN_ERASED = "the same", "deleted by age", "erased"
REMOVED, ALTERED = "removed since it was logged", "altered since it was logged"
NO_SALT = "its person has no salt, and no erasure is on record: altered, or the salt was removed"
FAULTS = (REMOVED, ALTERED, NO_SALT)


def _end_of(there: tuple[str, str] | None, was: bytes, salts: Mapping[str, str], *, is_old: bool) -> str:
    """What became of an answer that was logged as `was`; `there`: its person and content now."""
    if there is None:
        return OLD if is_old else REMOVED
    if there[0] not in salts:
        return NO_SALT
    return SAME if _salted(salts, *there) == was else ALTERED


@dataclass
class _Verification:
    transaction: Transaction
    forgotten_before: dt.datetime | None
    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def run(self, folder: Path, root: str | None) -> Verified:
        entries, frontier, roots = self._segments(folder)
        if root is not None and root not in roots:
            self.faults.append(
                f"no head of the log has the root {root}: the log is not the one that it was written down from"
            )
        self._tables(entries)
        salts = _salts_on_record(self.transaction)
        excused = {row["entry_key"] for row in rows_of(self.transaction, ERASURES)}
        answers = self._answers([entry for entry in entries if entry.kind == ANSWERS], salts, excused)
        self._batches([entry for entry in entries if entry.kind == BATCH], salts, may_lack_some=bool(excused))
        return Verified(frontier.size, frontier.root.hex(), answers, self.faults, self.notes)

    def _segments(self, folder: Path) -> tuple[list[Entry], Frontier, set[str]]:
        """The entries of the log, each held against the leaf on record."""
        heads = {row["size"]: row["root"] for row in rows_of(self.transaction, f"select size, root from {HEADS}")}
        recorded = rows_of(
            self.transaction, f"select leaf_index, kind, entry_key, leaf from {LEAVES} order by leaf_index"
        )
        entries: list[Entry] = []
        frontier, roots = Frontier(), set()
        for path in segments_in(folder):
            try:
                segment = Segment.of_text(path.read_text("utf-8"))
            except (ValueError, TypeError, KeyError) as fault:
                self.faults.append(f"{path.name}: cannot be read as a segment: {fault}")
                continue
            if segment.start != frontier.size:
                self.faults.append(
                    f"{path.name}: starts at {segment.start:,}, but the log before it has {frontier.size:,} entries"
                )
            frontier = frontier.extended(entry.leaf for entry in segment.entries)
            entries += segment.entries
            if frontier.root.hex() != segment.root:
                self.faults.append(f"{path.name}: its entries do not give its root {segment.root}")
            if heads.pop(frontier.size, None) != frontier.root.hex():
                self.faults.append(f"{path.name}: its root is not the one on record for {frontier.size:,} entries")
            roots.add(frontier.root.hex())
        self.faults += [f"the segment up to entry {size:,} is missing in {folder}" for size in sorted(heads)]
        by_name = {(entry.kind, entry.key): entry for entry in entries}
        for row in recorded:
            name = f"entry {row['leaf_index']:,} ({row['kind']} {row['entry_key']})"
            logged = by_name.get((row["kind"], row["entry_key"]))
            if logged is None:
                self.faults.append(f"{name}: on record, but not in the log")
            elif logged.leaf.hex() != row["leaf"]:
                self.faults.append(f"{name}: the log and the leaf on record differ")
            elif row["leaf_index"] >= len(entries) or entries[row["leaf_index"]] is not logged:
                self.faults.append(f"{name}: stands at another place of the log")
        names = {(row["kind"], row["entry_key"]) for row in recorded}
        self.faults += [
            f"{kind} {key}: in the log, but not on record" for kind, key in by_name if (kind, key) not in names
        ]
        return entries, frontier, roots

    def _tables(self, entries: Sequence[Entry]) -> None:
        last = max((int(entry.key) for entry in entries if entry.kind == LEDGER_EVENT), default=0)
        for kind, rows in _plain(self.transaction, -1):
            logged = {entry.key: entry.content for entry in entries if entry.kind == kind}
            for row in rows:
                was = logged.pop(row.key, None)
                if was is not None and was != row.content:
                    self.faults.append(f"{kind} {row.key}: altered since it was logged")
                elif was is None and kind == LEDGER_EVENT and int(row.key) <= last:
                    self.faults.append(f"{kind} {row.key}: not in the log, though later ones are")
            self.faults += [f"{kind} {key}: removed since it was logged" for key in logged]

    def _answers(self, files: Sequence[Entry], salts: Mapping[str, str], excused: Collection[str]) -> int:
        """Holds each answer against its hash; returns how many are as they were. `excused`: those that were erased, by file and line."""
        since = self.forgotten_before.isoformat() if self.forgotten_before is not None else ""
        ends: Counter[str] = Counter()
        for piece in _in_pieces([{"log_file": file.key, "rows_ingested": file.count, "entry": file} for file in files]):
            found = self._found([file["log_file"] for file in piece])
            for file in piece:
                here, entry = found[file["log_file"]], file["entry"]
                for line, was in zip(entry.lines, entry.rows, strict=True):
                    there = here.pop(line, None)
                    end = _end_of(there, was, salts, is_old=entry.first < since)
                    if end != SAME and f"{entry.key}/{line}" in excused:
                        end = AN_ERASED
                    ends[end] += 1
                    if end in FAULTS:
                        self.faults.append(f"answer in line {line} of {entry.key}: {end}")
                self.faults += [f"answer in line {line} of {entry.key}: added since it was logged" for line in here]
        if ends[AN_ERASED]:
            self.notes.append(
                f"{ends[AN_ERASED]:,} answers are of people who were erased; they cannot be compared any more"
            )
        if ends[OLD]:
            self.notes.append(
                f"{ends[OLD]:,} answers are not there any more, in files from before {since}, from when on answers are kept"
            )
        return ends[SAME]

    def _found(self, names: Sequence[str]) -> dict[str, dict[int, tuple[str, str]]]:
        """Of files of answers: by line whose answer it is, and its content."""
        rows = self.transaction.fetch(
            f"{_ANSWERS_OF} where log_file in ({', '.join('?' * len(names))}) order by log_file, line", names
        )
        found: dict[str, dict[int, tuple[str, str]]] = defaultdict(dict)
        for name, line, person, _, content in zip(
            *(rows[column].to_pylist() for column in rows.column_names), strict=True
        ):
            if line in found[name]:
                self.faults.append(f"answer in line {line} of {name}: there twice")
            found[name][line] = (person, content)
        return found

    def _batches(self, logged: Sequence[Entry], salts: Mapping[str, str], *, may_lack_some: bool) -> None:
        """Holds each batch that is there against its root. `may_lack_some`: whether people were erased, who have no salt any more."""
        rows = self.transaction.fetch(RANKED)
        hashes: dict[str, list[bytes] | None] = {}
        for key, person, content in zip(*(rows[name].to_pylist() for name in rows.column_names), strict=True):
            so_far = hashes.setdefault(key, [])
            if person not in salts:
                hashes[key] = None
            elif so_far is not None:
                so_far.append(leaf_hash(_salted(salts, person, content)))
        for entry in logged:
            if entry.key not in hashes:
                continue
            leaves = hashes[entry.key]
            if leaves is None and may_lack_some:
                self.notes.append(f"{BATCH} {entry.key}: someone in it has no salt any more; it cannot be compared")
            elif leaves is None or root_of(leaves).hex() != entry.content:
                self.faults.append(f"{BATCH} {entry.key}: altered since it was logged")
