"""What a dbt build leaves behind, and what it hands on to the next one."""

import os
import subprocess
from importlib.metadata import version
from pathlib import Path

from resources.dbt_cli import PARTIAL_PARSE, RETAINED_BUILDS, RUN_ID_VARIABLE, DbtOfThisEnvironment
from resources.environment import DBT_EXECUTABLE, DBT_PROJECT_FOLDER


def dbt_in(folder: Path) -> DbtOfThisEnvironment:
    return DbtOfThisEnvironment(
        project_dir=str(DBT_PROJECT_FOLDER),
        profiles_dir=str(DBT_PROJECT_FOLDER),
        dbt_executable=str(DBT_EXECUTABLE),
        artifacts_dir=str(folder),
    )


def test_what_one_build_parsed_the_next_one_gets(tmp_path: Path) -> None:
    dbt = dbt_in(tmp_path)
    with dbt.artifacts("first") as target:
        assert not (target / PARTIAL_PARSE).exists()
        (target / PARTIAL_PARSE).write_text("parsed")
    with dbt.artifacts("second") as target:
        assert (target / PARTIAL_PARSE).read_text() == "parsed"


def test_artifacts_of_old_builds_are_dropped(tmp_path: Path) -> None:
    dbt = dbt_in(tmp_path)
    for number in range(RETAINED_BUILDS + 3):
        with dbt.artifacts(f"build-{number}"):
            pass
    assert sum(path.is_dir() for path in tmp_path.iterdir()) == RETAINED_BUILDS


def test_a_build_knows_its_run(tmp_path: Path) -> None:
    with dbt_in(tmp_path).artifacts("this-run"):
        assert os.environ[RUN_ID_VARIABLE] == "this-run"
    assert RUN_ID_VARIABLE not in os.environ


def test_the_version_is_that_of_the_installed_dbt_and_nothing_is_looked_up() -> None:
    shown = subprocess.run(
        [DBT_EXECUTABLE, "--version"],
        env={**os.environ, "https_proxy": "http://127.0.0.1:9", "http_proxy": "http://127.0.0.1:9"},
        check=True,
        capture_output=True,
        text=True,
    )
    assert shown.stdout.strip() == version("dbt-core")
