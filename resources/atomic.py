"""Writes files and folders whole or not at all: they are filled under a hidden name in the same folder, then renamed.

What runs without `resources` does the same on its own: `globolatte_ml.batch_score` and `resources.endpoint.azureml.state_sync`
within deployments, and `simulator`.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A new file to write, which replaces `path` unless the block raises. A reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = _beside(path)
    try:
        yield new
        new.replace(path)
    finally:
        new.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Replaces a file by a text in UTF-8."""
    with replacing(path) as new:
        new.write_text(text, encoding="utf-8")


def filled_once(folder: Path, fill: Callable[[Path], None]) -> Path:
    """The folder, filled by `fill` if it does not exist."""
    if not folder.is_dir():
        new = _beside(folder)
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        fill(new)
        try:
            new.rename(folder)
        except OSError:  # another process was faster, with the same content
            if not folder.is_dir():
                raise
            shutil.rmtree(new)
    return folder


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.new")
