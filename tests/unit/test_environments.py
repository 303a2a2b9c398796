"""dev, staging and prod: definitions load by the settings of `deploy/environments` without a network, and not without what they need."""

import os
import socket
from pathlib import Path
from typing import NoReturn

import pytest
import yaml

from definitions import build_definitions
from resources.environment import check_secrets
from resources.settings.choices import MissingSettingError
from resources.settings.settings import Settings

ENVIRONMENTS = ("dev", "staging", "prod")
COMPANY = {  # what only the company knows, and secrets
    "GLOBOLATTE_BLOB_ACCOUNT_URL": "https://globolatte.blob.core.windows.net",
    "GLOBOLATTE_AZUREML_SUBSCRIPTION": "00000000-0000-0000-0000-000000000000",
    "GLOBOLATTE_SNOWFLAKE_ACCOUNT": "organization-account",
    "GLOBOLATTE_SNOWFLAKE_PRIVATE_KEY": "canary-key",
    "GLOBOLATTE_SNOWFLAKE_PRIVATE_KEY_PASSPHRASE": "canary-passphrase",
}
SECRETS = ("canary-key", "canary-passphrase")


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> NoReturn:
        raise AssertionError("definitions asked the network for something")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def enter(environment: str, home: Path, monkeypatch: pytest.MonkeyPatch, without: str = "", **more: str) -> Settings:
    """Settings as a pod of the environment has them."""
    for name in [name for name in os.environ if name.startswith("GLOBOLATTE_")]:
        monkeypatch.delenv(name)
    overlay = yaml.safe_load(Path(f"deploy/environments/{environment}.yaml").read_text(encoding="utf-8"))["settings"]
    for name, value in {**overlay, **COMPANY, "GLOBOLATTE_HOME": str(home), **more}.items():
        if name != without:
            monkeypatch.setenv(name, value)
    return Settings()


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_definitions_load_without_a_network_and_hold_no_secret(environment, tmp_path, monkeypatch):
    settings = enter(environment, tmp_path, monkeypatch)
    definitions = build_definitions(settings)
    assert len(list(definitions.resolve_all_asset_specs())) > 50
    said = repr(settings) + repr(definitions.resources)
    assert not [secret for secret in SECRETS if secret in said]


@pytest.mark.parametrize(
    "missing",
    [
        "GLOBOLATTE_BLOB_ACCOUNT_URL",
        "GLOBOLATTE_AZUREML_SUBSCRIPTION",
        "GLOBOLATTE_AZUREML_WORKSPACE",
        "GLOBOLATTE_SNOWFLAKE_ACCOUNT",
        "GLOBOLATTE_SNOWFLAKE_PRIVATE_KEY",
    ],
)
def test_prod_without_what_it_needs_ends_at_its_start_and_names_it(missing, tmp_path, monkeypatch):
    settings = enter("prod", tmp_path, monkeypatch, without=missing)
    with pytest.raises(MissingSettingError, match=f"^{missing} is not set"):
        build_definitions(settings)


@pytest.mark.parametrize(
    ("chosen", "missing"),
    [
        ({"GLOBOLATTE_BLOB_CREDENTIAL": "key"}, "GLOBOLATTE_BLOB_KEY"),
        ({"GLOBOLATTE_BLOB_CREDENTIAL": "sas"}, "GLOBOLATTE_BLOB_SAS"),
        ({"GLOBOLATTE_SNOWFLAKE_AUTHENTICATION": "password"}, "GLOBOLATTE_SNOWFLAKE_PASSWORD"),
        ({"GLOBOLATTE_SNOWFLAKE_AUTHENTICATION": "oauth"}, "GLOBOLATTE_SNOWFLAKE_TOKEN"),
    ],
)
def test_each_way_to_sign_in_needs_its_secret(chosen, missing, tmp_path, monkeypatch):
    with pytest.raises(MissingSettingError, match=f"^{missing} is not set"):
        check_secrets(enter("prod", tmp_path, monkeypatch, **chosen))


def test_a_file_with_the_key_is_as_good_as_the_key(tmp_path, monkeypatch):
    more = {"GLOBOLATTE_SNOWFLAKE_PRIVATE_KEY_PATH": "/mnt/secrets/key.p8"}
    check_secrets(enter("prod", tmp_path, monkeypatch, without="GLOBOLATTE_SNOWFLAKE_PRIVATE_KEY", **more))


def test_locally_a_secret_is_asked_for_where_it_is_used(tmp_path, monkeypatch):
    more = {"GLOBOLATTE_ENV": "local", "GLOBOLATTE_WAREHOUSE": "snowflake", "GLOBOLATTE_LANDING": "folder"}
    check_secrets(enter("prod", tmp_path, monkeypatch, without="GLOBOLATTE_SNOWFLAKE_PRIVATE_KEY", **more))
