"""The origin of what is in the workspace, as tags (git commit, Dagster run, snapshot) and as names made from content."""

import hashlib
import json
import os
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Any

from resources.settings.settings import PROJECT_ROOT

COMMIT_VARIABLE = "GLOBOLATTE_GIT_COMMIT"
"""The variable by which images, which have no git folder, get their commit when they are built."""


def provenance_tags(run_id: str, snapshot: str, **more: str) -> dict[str, str]:
    """The tags of what this code makes; empty ones are left out, since Azure refuses empty values."""
    tags = {"git_commit": git_commit(), "dagster_run_id": run_id, "snapshot": snapshot, **more}
    return {name: value for name, value in tags.items() if value}


@lru_cache(maxsize=1)
def git_commit() -> str:
    """The commit of the running code, marked if files differ from it; `unknown` if it cannot be determined."""
    given = os.environ.get(COMMIT_VARIABLE, "").strip()
    if given:
        return given
    command = ["git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=-changed"]  # the full hash, no tag
    try:
        done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=True, timeout=10)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip()


DIGITS = 12


def hash_of_values(values: Any) -> str:
    """A short name for JSON values."""
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()[:DIGITS]


def hash_of_files(folder: Path) -> str:
    """A short name for all files below a folder, their paths included."""
    digest = hashlib.sha256()
    for file in sorted(path for path in folder.rglob("*") if path.is_file()):
        digest.update(file.relative_to(folder).as_posix().encode() + b"\0")
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()[:DIGITS]
