"""The code that jobs and deployments bring along: the science alone, without what is not needed there."""

import shutil
from pathlib import Path

from resources.settings.settings import PROJECT_ROOT

SCIENCE = PROJECT_ROOT / "globolatte_ml"


def copy_science(folder: Path) -> Path:
    """Copies `globolatte_ml` into a folder; the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(SCIENCE, folder / SCIENCE.name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc", "monitoring"))
    return folder
