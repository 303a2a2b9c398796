"""What the model registry said last of its aliases, good for as long as the registry's file is the same.

Importing MLflow takes longer than answering a customer. The registry stays the only truth: an answer is kept together with the state
of the registry's file it was read from, and forgotten when that changes.
"""

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from resources.ml.ml_platform import ModelVersion


def file_state(file: Path) -> str:
    """A text that changes whenever a file is written."""
    status = file.stat()
    return f"{status.st_mtime_ns}-{status.st_size}-{status.st_ino}"


def remembered(registry: Path, alias: str, ask: Callable[[], ModelVersion | None]) -> ModelVersion | None:
    """The version behind an alias: as remembered if the registry's file has not changed since, else by asking."""
    memory = registry.with_suffix(".aliases.json")
    state = file_state(registry)
    known = _recalled(memory)
    if known.get("registry") != state:
        known = {"registry": state, "aliases": {}}
    if alias not in known["aliases"]:
        version = ask()
        known["aliases"][alias] = None if version is None else {**asdict(version), "folder": str(version.folder)}
        if file_state(registry) == state:
            new = memory.with_suffix(f".{os.getpid()}.new")
            new.write_text(json.dumps(known))
            new.replace(memory)
    answer = known["aliases"][alias]
    if answer is None:
        return None
    return ModelVersion(**{**answer, "folder": Path(answer["folder"]), "reasons": tuple(answer["reasons"])})


def _recalled(memory: Path) -> dict[str, Any]:
    """What was remembered; nothing if the file is missing or damaged, since it can be asked again."""
    try:
        known = json.loads(memory.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return known if isinstance(known, dict) and isinstance(known.get("aliases"), dict) else {}
