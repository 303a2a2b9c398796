"""What is wrong with the registry's file, by SQLite's own code: in use, damaged, full, read-only. Each has its remedy."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

IN_USE = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)
DAMAGED = "put the file from a backup in its place; or move it away: the models' files stay, and the next training makes another registry"
WRITABLE = "make the file and its folder writable for this user"
REMEDIES = {
    **dict.fromkeys(IN_USE, "end the program that has the file open"),
    **dict.fromkeys((sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB), DAMAGED),
    sqlite3.SQLITE_FULL: "make room on the disk",
    **dict.fromkeys((sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM, sqlite3.SQLITE_AUTH), WRITABLE),
    sqlite3.SQLITE_CANTOPEN: f"{WRITABLE}; where too many files are open, end programs",
    sqlite3.SQLITE_IOERR: "the disk or network file system refuses; look into the machine's log",
}
PRIMARY = 0xFF
"""SQLite's extended codes have the primary one in their last byte."""


class RegistryError(RuntimeError):
    """The registry's file cannot be read or written; the message says which file, what is wrong with it, and the remedy."""


@contextmanager
def faults_of_registry(file: Path, wait_seconds: float, otherwise: str = "") -> Iterator[None]:
    """Turns faults of SQLite, also those that MLflow or SQLAlchemy wrap, into `RegistryError`. `otherwise`: what is to be said besides."""
    try:
        yield
    except Exception as error:
        fault = _of_sqlite(error)
        if fault is None:
            raise
        code = code_of(fault)
        waited = f", for {wait_seconds:g} seconds" if code in IN_USE else ""
        remedy = REMEDIES.get(code, "correct what the message names, then run it again")
        raise RegistryError("; ".join(filter(None, [f"{file}: {fault}{waited}", otherwise, remedy]))) from error


def code_of(fault: sqlite3.Error) -> int:
    """SQLite's primary code of a fault, such as `sqlite3.SQLITE_BUSY`; 0 if it has none."""
    return (getattr(fault, "sqlite_errorcode", None) or 0) & PRIMARY


def _of_sqlite(error: BaseException | None) -> sqlite3.Error | None:
    """The fault of SQLite's from which an error came; none if it came from something else."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", None) is not None:
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None
