"""Connections to Snowflake: each authentication method, the query tag, and that secrets go nowhere else."""

import json

import dagster as dg
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from resources.environment import warehouse_of
from resources.settings.choices import MissingSettingError, SnowflakeAuthentication
from resources.settings.settings import Settings
from resources.warehouse import snowflake_account
from resources.warehouse.snowflake_account import SnowflakeAccount, credentials, query_tag
from tests.emulators.fakesnow_server import FakeSnowflake
from tests.emulators.snowflake_gate import gate_before
from tests.snowflake_builders import PASSWORD, emulated_warehouse

WHO = SnowflakeAccount(account="a-b", user="u", database="D", compute="W", role="R", wait_seconds=7, network_seconds=9)


def private_key(passphrase: str | None = None) -> str:
    """A key made now, as PEM."""
    encryption = (
        serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
    )
    key = rsa.generate_private_key(65537, 2048)
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption).decode()


def connector_arguments(who: SnowflakeAccount) -> dict[str, object]:
    """What dagster-snowflake hands to Snowflake's connector."""
    return dict(who.integration()._connection_args)


def with_authentication(authentication: SnowflakeAuthentication, **more: object) -> SnowflakeAccount:
    return WHO.model_copy(update={"authentication": authentication, **more})


@pytest.mark.parametrize("passphrase", [None, "open sesame"])
@pytest.mark.parametrize("in_file", [False, True])
def test_a_key_pair_comes_from_the_environment_or_a_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path, passphrase: str | None, in_file: bool
) -> None:
    pem = private_key(passphrase)
    (tmp_path / "key.p8").write_text(pem)
    if passphrase:
        monkeypatch.setenv(snowflake_account.PASSPHRASE_VARIABLE, passphrase)
    if not in_file:
        monkeypatch.setenv(snowflake_account.PRIVATE_KEY_VARIABLE, pem)
    who = with_authentication(
        SnowflakeAuthentication.KEY, private_key_path=str(tmp_path / "key.p8") if in_file else None
    )
    arguments = connector_arguments(who)
    key = serialization.load_der_private_key(arguments["private_key"], None)
    assert key.key_size == 2048
    assert "password" not in arguments


def test_a_token_goes_with_oauth(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(snowflake_account.TOKEN_VARIABLE, "t0ken")
    arguments = connector_arguments(with_authentication(SnowflakeAuthentication.OAUTH))
    assert (arguments["authenticator"], arguments["token"]) == ("oauth", "t0ken")


def test_role_warehouse_and_bounds_go_with_every_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(snowflake_account.PASSWORD_VARIABLE, PASSWORD)
    arguments = connector_arguments(with_authentication(SnowflakeAuthentication.PASSWORD))
    assert (arguments["role"], arguments["warehouse"], arguments["database"]) == ("R", "W", "D")
    assert (arguments["login_timeout"], arguments["network_timeout"], arguments["paramstyle"]) == (9, 9, "qmark")
    assert arguments["session_parameters"]["LOCK_TIMEOUT"] == 7
    assert "host" not in arguments


@pytest.mark.parametrize("authentication", SnowflakeAuthentication)
def test_a_secret_that_is_not_there_is_named(authentication: SnowflakeAuthentication) -> None:
    with pytest.raises(
        MissingSettingError, match=f"GLOBOLATTE_SNOWFLAKE_.* is not set, but .*{authentication} needs it"
    ):
        credentials(authentication, None)


def test_secrets_are_in_no_setting_and_in_no_resource(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PASSWORD", "PRIVATE_KEY", "TOKEN", "PRIVATE_KEY_PASSPHRASE"):
        monkeypatch.setenv(f"GLOBOLATTE_SNOWFLAKE_{name}", "s3cr3t")
    settings = Settings(warehouse="snowflake", snowflake_account="a-b", snowflake_user="u")
    warehouse = warehouse_of(settings)
    assert (
        "s3cr3t" not in str(settings.environment_variables()) + repr(settings) + repr(warehouse) + warehouse.describe()
    )


def test_outside_of_a_run_the_query_tag_names_the_product() -> None:
    assert json.loads(query_tag()) == {"app": "globolatte"}


def test_the_query_tag_names_run_and_assets(fakesnow: FakeSnowflake) -> None:
    """Looked at on the wire: the emulator keeps no query history."""
    with gate_before(fakesnow.port) as gate:
        warehouse = emulated_warehouse(fakesnow, port=gate.own_port)

        @dg.asset(key=["raw", "looked_at"])
        def looked_at() -> None:
            warehouse.has("sales_data.products")

        run = dg.materialize([looked_at], instance=dg.DagsterInstance.ephemeral())
    tags = [json.loads(login["data"]["SESSION_PARAMETERS"]["QUERY_TAG"]) for login in gate.logins]
    assert tags == [{"app": "globolatte", "run_id": run.run_id, "op": "raw__looked_at", "assets": ["raw/looked_at"]}]
    assert {login["data"]["SESSION_PARAMETERS"]["TIMEZONE"] for login in gate.logins} == {"UTC"}
