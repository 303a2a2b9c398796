"""How Snowflake is reached: one part of `settings.Settings`."""

import re
from pathlib import Path

from pydantic import BaseModel, Field, ValidationInfo, field_validator

from resources.settings.choices import SnowflakeAuthentication, SnowflakeProtocol

NO_STAGE = "none"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class SnowflakeSettings(BaseModel):
    """Account, user, objects and wire."""

    snowflake_account: str | None = Field(
        default=None, description="Snowflake's account identifier, such as <organization>-<account>."
    )
    snowflake_user: str | None = Field(default=None, description="The user that GloboLatte is in Snowflake.")
    snowflake_role: str | None = Field(
        default=None, description="The role that the user works in. Default: the user's own default role."
    )
    snowflake_warehouse: str = Field(
        default="GLOBO_LATTE_WH", description="The virtual warehouse that computes in Snowflake."
    )
    snowflake_database: str = Field(default="GLOBO_LATTE_DB", description="The database in Snowflake.")
    snowflake_authentication: SnowflakeAuthentication = Field(
        default=SnowflakeAuthentication.KEY,
        description="Authentication method of Snowflake: key (GLOBOLATTE_SNOWFLAKE_PRIVATE_KEY, or a file that "
        "GLOBOLATTE_SNOWFLAKE_PRIVATE_KEY_PATH names; GLOBOLATTE_SNOWFLAKE_PRIVATE_KEY_PASSPHRASE if it has one), password "
        "(GLOBOLATTE_SNOWFLAKE_PASSWORD) or oauth (GLOBOLATTE_SNOWFLAKE_TOKEN). The four secrets are read from the environment "
        "only and are no settings.",
    )
    snowflake_private_key_path: Path | None = Field(
        default=None, description="File with the private key (PKCS#8, PEM), in place of the variable that holds it."
    )
    snowflake_stage: str = Field(
        default="ml.snapshots",
        pattern=rf"^({NO_STAGE}|[a-z_][a-z0-9_]*\.[a-z_][a-z0-9_]*)$",
        description="The stage by which Snowflake writes training snapshots into the storage of the Azure ML workspace "
        "(infra/snowflake/5_snapshots.sql). none: they pass through the worker, as they do with every other pair of warehouse "
        "and ML platform.",
    )
    snowflake_network_seconds: int = Field(
        default=60, ge=1, description="How long to wait for an answer of Snowflake before giving up."
    )
    snowflake_host: str | None = Field(
        default=None, description="Where Snowflake is, if not where its account says: an emulator or a private link."
    )
    snowflake_port: int = Field(default=443, ge=1, le=65535, description="The port at GLOBOLATTE_SNOWFLAKE_HOST.")
    snowflake_protocol: SnowflakeProtocol = Field(
        default=SnowflakeProtocol.HTTPS, description="https, or http for an emulator on this machine."
    )

    @field_validator("snowflake_database")
    @classmethod
    def _database_is_an_identifier(cls, value: str) -> str:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", value):
            raise ValueError(f"{value!r} is no plain name; use letters, digits and '_', such as GLOBO_LATTE_DB")
        return value.upper()

    @field_validator("snowflake_protocol")
    @classmethod
    def _http_stays_on_this_machine(cls, value: SnowflakeProtocol, info: ValidationInfo) -> SnowflakeProtocol:
        if value is SnowflakeProtocol.HTTP and info.data.get("snowflake_host") not in LOOPBACK:
            raise ValueError(
                "would send secrets in the clear; use https, or an emulator at GLOBOLATTE_SNOWFLAKE_HOST=127.0.0.1"
            )
        return value
