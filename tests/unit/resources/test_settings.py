"""Settings: what the environment may say, and what stands in for what it does not say."""

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from resources.environment import (
    endpoint_of,
    export,
    landing_of,
    ml_of,
    resources_of,
    warehouse_of,
)
from resources.settings.choices import Environment, LandingKind, MissingSettingError, MLKind, WarehouseKind
from resources.settings.settings import NO_STAGE, PROJECT_ROOT, Settings


@pytest.mark.parametrize(
    ("home", "expected"),
    [
        (None, PROJECT_ROOT / ".globolatte"),
        ("", PROJECT_ROOT / ".globolatte"),
        ("state", PROJECT_ROOT / "state"),
        ("../beside", PROJECT_ROOT.parent / "beside"),
        ("/var/lib/globolatte", Path("/var/lib/globolatte")),
        ("~/globolatte", Path.home() / "globolatte"),
    ],
)
def test_home_is_absolute_wherever_it_is_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, home: str | None, expected: Path
) -> None:
    if home is not None:
        monkeypatch.setenv("GLOBOLATTE_HOME", home)
    monkeypatch.chdir(tmp_path)
    assert Settings().home == expected


@pytest.mark.parametrize("name", ["a#b", "a?b", "a%23b"])
def test_a_home_that_would_end_an_address_is_refused_by_name(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValidationError, match=f"has '[{name[1]}]' in it: its databases are opened by address"):
        Settings(home=tmp_path / name)


def test_everything_of_a_deployment_lies_under_its_home(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    folders = (settings.landing_folder, settings.mlflow_folder, settings.dagster_folder, settings.endpoints_folder)
    assert all(folder.parent == tmp_path for folder in (*folders, settings.warehouse_file))
    assert len({*folders, settings.warehouse_file}) == 5


LOCAL = (LandingKind.FOLDER, WarehouseKind.DUCKDB, MLKind.LOCAL)
AZURE = (LandingKind.BLOB, WarehouseKind.SNOWFLAKE, MLKind.AZUREML)


@pytest.mark.parametrize(
    ("environment", "world", "expected"),
    [
        ({}, Environment.LOCAL, LOCAL),
        ({"ENV": ""}, Environment.LOCAL, LOCAL),
        ({"ENV": "local"}, Environment.LOCAL, LOCAL),
        ({"ENV": "dev"}, Environment.DEV, AZURE),
        ({"ENV": "staging"}, Environment.STAGING, AZURE),
        ({"ENV": "prod"}, Environment.PROD, AZURE),
        ({"ENV": "prod", "WAREHOUSE": "duckdb"}, Environment.PROD, (LandingKind.BLOB, WarehouseKind.DUCKDB, MLKind.AZUREML)),
        ({"LANDING": "blob"}, Environment.LOCAL, (LandingKind.BLOB, WarehouseKind.DUCKDB, MLKind.LOCAL)),
        ({"ENV": "dev", "ML": "local", "LANDING": ""}, Environment.DEV, (LandingKind.BLOB, WarehouseKind.SNOWFLAKE, MLKind.LOCAL)),
    ],
)  # fmt: skip
def test_the_world_gives_the_defaults_and_each_seam_can_be_chosen_alone(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], world: Environment, expected: tuple[str, ...]
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(f"GLOBOLATTE_{name}", value)
    settings = Settings()
    assert (settings.env, (settings.landing, settings.warehouse, settings.ml)) == (world, expected)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("business_units", "usa", ("usa",)),
        ("business_units", " usa , canada,new-zealand , uk_2 ,", ("usa", "canada", "new-zealand", "uk_2")),
        ("first_business_date", "2023-07-01", dt.date(2023, 7, 1)),
        ("now", "2024-01-01T06:00:00+00:00", dt.datetime(2024, 1, 1, 6, tzinfo=dt.UTC)),
        ("now", "2024-01-01T06:00:00Z", dt.datetime(2024, 1, 1, 6, tzinfo=dt.UTC)),
        ("load_batch_bytes", "1", 1),
        ("max_load_attempts", "1", 1),
        ("retry_base_seconds", "0.5", 0.5),
        ("warehouse_wait_seconds", "0", 0.0),
    ],
)
def test_a_setting_is_read_from_its_variable(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, expected: object
) -> None:
    monkeypatch.setenv(f"GLOBOLATTE_{name.upper()}", text)
    assert getattr(Settings(), name) == expected


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("env", "production", "'local', 'dev', 'staging' or 'prod'"),
        ("landing", "ftp", "'folder' or 'blob'"),
        ("warehouse", "sqlite", "'duckdb' or 'snowflake'"),
        ("business_units", ",", "names no business unit"),
        ("business_units", "usa,usa", "use distinct folder names"),
        ("business_units", "usa,new zealand", "'new zealand'"),
        ("business_units", "usa|canada", "letters, digits"),
        ("business_units", "../usa", "letters, digits"),
        ("business_units", "usa/east", "letters, digits"),
        ("first_business_date", "yesterday", "valid date"),
        ("now", "2024-01-01T06:00:00", "has no time zone; write it like"),
        ("now", "noon", "valid datetime"),
        ("load_batch_bytes", "0", "greater than 0"),
        ("max_file_bytes", "-1", "greater than 0"),
        ("max_load_attempts", "0", "greater than or equal to 1"),
        ("retry_base_seconds", "soon", "valid number"),
        ("landing_poll_seconds", "0", "greater than or equal to 1"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, text: str, fault: str) -> None:
    monkeypatch.setenv(f"GLOBOLATTE_{name.upper()}", text)
    with pytest.raises(ValidationError, match=fault) as refused:
        Settings()
    assert [error["loc"] for error in refused.value.errors()] == [(name,)]


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().home = Path("/elsewhere")


def test_every_setting_says_what_it_is() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []


def test_settings_reach_a_child_process_whole(tmp_path: Path) -> None:
    settings = Settings(
        home=tmp_path,
        now=dt.datetime(2024, 1, 1, tzinfo=dt.UTC),
        business_units=("usa", "new-zealand"),
        first_business_date=dt.date(2023, 7, 1),
        max_load_attempts=2,
        retry_base_seconds=0.25,
    )
    export(settings)
    says = "from resources.settings.settings import Settings; print(Settings().model_dump_json())"
    child = subprocess.run([sys.executable, "-c", says], capture_output=True, text=True, check=True)
    assert child.stdout.strip() == settings.model_dump_json()
    assert os.environ["GLOBOLATTE_DUCKDB_PATH"] == str(settings.warehouse_file)
    assert os.environ["DAGSTER_HOME"] == str(settings.dagster_folder)


def test_snowflake_as_warehouse_needs_account_and_user() -> None:
    with pytest.raises(MissingSettingError, match="GLOBOLATTE_SNOWFLAKE_ACCOUNT is not set, but GLOBOLATTE_WAREHOUSE"):
        warehouse_of(Settings(warehouse="snowflake"))
    with pytest.raises(MissingSettingError, match="GLOBOLATTE_SNOWFLAKE_USER is not set, but GLOBOLATTE_WAREHOUSE"):
        warehouse_of(Settings(warehouse="snowflake", snowflake_account="a-b"))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"snowflake_protocol": "http"}, "secrets in the clear"),
        ({"snowflake_protocol": "http", "snowflake_host": "snowflake.example.com"}, "secrets in the clear"),
        ({"snowflake_database": "a; drop database b"}, "is no plain name"),
        ({"snowflake_authentication": "magic"}, "'password', 'key' or 'oauth'"),
    ],
)
def test_what_would_harm_in_snowflake_s_settings_is_refused(settings: dict[str, str], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Settings(**settings)


@pytest.mark.parametrize("made_by", [ml_of, endpoint_of])
def test_azure_ml_needs_its_workspace(made_by, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOBOLATTE_AZUREML_SUBSCRIPTION", "00000000-0000-0000-0000-000000000000")
    with pytest.raises(MissingSettingError, match="GLOBOLATTE_AZUREML_RESOURCE_GROUP is not set, but GLOBOLATTE_ML"):
        made_by(Settings(ml="azureml"))


def test_a_container_as_landing_zone_needs_its_account() -> None:
    with pytest.raises(
        MissingSettingError, match="GLOBOLATTE_BLOB_ACCOUNT_URL is not set, but GLOBOLATTE_LANDING=blob"
    ):
        landing_of(Settings(landing="blob"))


@pytest.mark.parametrize(
    "address", ["https://a.blob.core.windows.net/?sv=1&sig=x", "a.blob.core.windows.net", "https://k@a"]
)
def test_the_account_s_address_is_plain_and_holds_no_secret(address: str) -> None:
    with pytest.raises(ValidationError, match="GLOBOLATTE_BLOB_SAS"):
        Settings(blob_account_url=address)


def test_the_secrets_of_the_account_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("GLOBOLATTE_BLOB_KEY", "GLOBOLATTE_BLOB_SAS"):
        monkeypatch.setenv(variable, "s3cr3t")
    settings = Settings(landing="blob", blob_account_url="https://a.blob.core.windows.net")
    assert "s3cr3t" not in str(settings.environment_variables()) + repr(settings)


def test_the_resources_of_a_deployment_lie_under_its_home(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, warehouse_wait_seconds=7)
    resources = resources_of(settings)
    assert resources["landing"].describe() == f"folder {settings.landing_folder}"
    assert resources["warehouse"].describe() == f"DuckDB file {settings.warehouse_file}"
    assert resources["warehouse"].wait_seconds == 7


def test_the_stage_of_snapshots_is_named_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLOBOLATTE_SNOWFLAKE_STAGE", NO_STAGE)
    assert Settings().snowflake_stage == NO_STAGE
    handed_on = Settings().environment_variables()["GLOBOLATTE_SNOWFLAKE_STAGE"]
    assert handed_on == NO_STAGE
    monkeypatch.setenv("GLOBOLATTE_SNOWFLAKE_STAGE", "no stage")
    with pytest.raises(ValidationError, match="snowflake_stage"):
        Settings()
