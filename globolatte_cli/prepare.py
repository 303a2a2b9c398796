"""`globolatte prepare`: dbt's manifest, made ahead of time so that definitions load fast."""

import os
import re
import subprocess
from pathlib import Path

from globolatte_cli.errors import UserError
from globolatte_cli.instance import prepare_home
from resources.environment import DBT_EXECUTABLE, DBT_PROJECT_FOLDER
from resources.settings import Settings

SOURCES = ("dbt_project.yml", "profiles.yml", "models", "macros", "tests")
"""What the manifest is made from."""


ADAPTER = re.compile(rb'"adapter_type": ?"(\w+)"')
BEGINNING_BYTES = 4096


def manifest_is_current(settings: Settings | None = None) -> bool:
    """Whether the manifest exists, is made for the chosen warehouse, and is younger than everything it is made from."""
    manifest = DBT_PROJECT_FOLDER / "target" / "manifest.json"
    if not manifest.exists():
        return False
    with manifest.open("rb") as stream:
        made_for = ADAPTER.search(stream.read(BEGINNING_BYTES))
    if made_for is None or made_for[1].decode() != (settings or Settings()).warehouse:
        return False
    made = manifest.stat().st_mtime
    files = (file for name in SOURCES for file in _files(DBT_PROJECT_FOLDER / name))
    return all(file.stat().st_mtime <= made for file in files)


def _files(path: Path) -> list[Path]:
    return [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path] if path.exists() else []


def prepare_manifest() -> None:
    """Runs `dbt parse`. Raises `UserError` with dbt's words if the project does not parse."""
    prepare_home(Settings())
    command = [
        str(DBT_EXECUTABLE),
        "--quiet",
        "parse",
        "--project-dir",
        str(DBT_PROJECT_FOLDER),
        "--profiles-dir",
        str(DBT_PROJECT_FOLDER),
    ]
    environment = {**os.environ, "DBT_SEND_ANONYMOUS_USAGE_STATS": "false"}
    parsed = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=DBT_PROJECT_FOLDER, check=False
    )
    if parsed.returncode:
        raise UserError(f"dbt cannot parse {DBT_PROJECT_FOLDER}:\n{parsed.stdout}{parsed.stderr}")


def ensure_manifest() -> None:
    """Prepares the manifest unless it is current."""
    if not manifest_is_current():
        prepare_manifest()
