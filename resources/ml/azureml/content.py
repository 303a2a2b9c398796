"""Names taken from content: the same files, the same environment, the same job are the same thing in the workspace."""

import hashlib
import json
from pathlib import Path
from typing import Any

DIGITS = 12


def hash_of_text(text: str) -> str:
    """A short name for a text."""
    return hashlib.sha256(text.encode()).hexdigest()[:DIGITS]


def hash_of_values(values: Any) -> str:
    """A short name for JSON values."""
    return hash_of_text(json.dumps(values, sort_keys=True, default=str))


def hash_of_files(folder: Path) -> str:
    """A short name for all files below a folder, their paths included."""
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(file.relative_to(folder).as_posix().encode() + b"\0")
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:DIGITS]
