"""Where something in the workspace comes from, as tags (git commit, Dagster run, snapshot) and as names taken from content."""

import hashlib
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from resources.settings.settings import PROJECT_ROOT

COMMIT_VARIABLE = "GLOBOLATTE_GIT_COMMIT"
"""Where images, which have no git folder, get their commit when they are built."""


@dataclass(frozen=True)
class Provenance:
    """What made something."""

    run_id: str
    snapshot: str
    commit: str

    @classmethod
    def of(cls, run_id: str, snapshot: str) -> "Provenance":
        """What this code makes."""
        return cls(run_id, snapshot, git_commit())

    def tags(self, **more: str) -> dict[str, str]:
        """The tags."""
        return {"git_commit": self.commit, "dagster_run_id": self.run_id, "snapshot": self.snapshot, **more}


@lru_cache(maxsize=1)
def git_commit() -> str:
    """The commit of the running code, marked where files differ from it; `unknown` where nothing tells."""
    given = os.environ.get(COMMIT_VARIABLE, "").strip()
    if given:
        return given
    found = _git("rev-parse", "HEAD")
    return "unknown" if not found else f"{found}-changed" if _git("status", "--porcelain", "-uno") else found


def _git(*arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments],  # noqa: S607 - whichever git is on the path
            cwd=PROJECT_ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def without_empty(tags: Mapping[str, str]) -> dict[str, str]:
    """Tags that say something: Azure refuses empty values."""
    return {name: value for name, value in tags.items() if value}


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
