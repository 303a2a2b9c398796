"""`globolatte prepare`: dbt's manifest and the lineage of columns, made ahead of time so that definitions load fast."""

import hashlib
import json
import os
import re
import subprocess
from pathlib import Path

import click

from globolatte_assets.features.column_lineage import lineage_of
from globolatte_cli.errors import UserError
from globolatte_cli.instance import prepare_home
from globolatte_lineage.columns import LINEAGE_FILE
from resources.environment import DBT_EXECUTABLE, DBT_PROJECT_FOLDER
from resources.settings.settings import Settings

SOURCES = ("dbt_project.yml", "profiles.yml", "models", "macros", "tests")
"""The files that the manifest is made from."""
MADE_FROM = "made_from.sha256"
"""The file beside the manifest with the hash of what it was made from."""

ADAPTER = re.compile(rb'"adapter_type": ?"(\w+)"')
BEGINNING_BYTES = 4096


def manifest_is_current(settings: Settings | None = None) -> bool:
    """Whether manifest and lineage exist, are made for the chosen warehouse, and from what the project holds now."""
    manifest = DBT_PROJECT_FOLDER / "target" / "manifest.json"
    if not manifest.exists() or not manifest.with_name(LINEAGE_FILE).exists():
        return False
    with manifest.open("rb") as stream:
        made_for = ADAPTER.search(stream.read(BEGINNING_BYTES))
    if made_for is None or made_for[1].decode() != (settings or Settings()).warehouse:
        return False
    record = manifest.with_name(MADE_FROM)
    if record.exists():
        return record.read_text(encoding="utf-8") == hash_of_sources()
    made = manifest.stat().st_mtime  # by a release that left no record
    return all(file.stat().st_mtime <= made for file in _sources())


def _sources() -> list[Path]:
    places = (DBT_PROJECT_FOLDER / name for name in SOURCES)
    return sorted(file for place in places for file in (place, *place.rglob("*")) if file.is_file())


def hash_of_sources() -> str:
    """A hash of the names and bytes of all files that the manifest is made from."""
    digest = hashlib.sha256()
    for file in _sources():
        name, content = str(file.relative_to(DBT_PROJECT_FOLDER)).encode(), file.read_bytes()
        digest.update(b"%d %s %d " % (len(name), name, len(content)) + content)
    return digest.hexdigest()


@click.command()
def prepare() -> None:
    """Prepare dbt's manifest, which the definitions are loaded from. Part of `make setup`."""
    prepare_manifest()


def prepare_manifest() -> None:
    """Runs `dbt parse`, and writes each column's lineage, from SQL that dbt compiled without connecting to a warehouse.

    Raises `UserError` with dbt's message if the project does not parse.
    """
    prepare_home(Settings())
    target = DBT_PROJECT_FOLDER / "target"
    made_from = hash_of_sources()
    compiled = target / "lineage"
    _dbt("compile", "--target", "lint", "--target-path", str(compiled))
    manifest = json.loads((compiled / "manifest.json").read_bytes())
    (target / LINEAGE_FILE).write_text(json.dumps(lineage_of(manifest)))
    _dbt("parse")
    (target / MADE_FROM).write_text(made_from)


def _dbt(command: str, *arguments: str) -> None:
    project = str(DBT_PROJECT_FOLDER)
    run = subprocess.run(
        [str(DBT_EXECUTABLE), "--quiet", command, *arguments],
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "DBT_PROJECT_DIR": project,
            "DBT_PROFILES_DIR": project,
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        },
        cwd=DBT_PROJECT_FOLDER,
        check=False,
    )
    if run.returncode:
        raise UserError(f"dbt cannot {command} {DBT_PROJECT_FOLDER}:\n{run.stdout}{run.stderr}")


def ensure_manifest() -> None:
    """Prepares the manifest unless it is current."""
    if not manifest_is_current():
        prepare_manifest()
