"""The possible values of settings, and the error for a missing setting that a choice needs."""

from enum import StrEnum


class Environment(StrEnum):
    """The environment that the asset graph runs in."""

    LOCAL = "local"
    DEV = "dev"
    STAGING = "staging"
    PROD = "prod"


class LandingKind(StrEnum):
    """Where business units drop their files."""

    FOLDER = "folder"
    BLOB = "blob"


class CredentialKind(StrEnum):
    """Authentication method of a storage account: its key, a shared access signature, or whatever identity the machine has."""

    KEY = "key"
    SAS = "sas"
    DEFAULT = "default"


class MissingDelivery(StrEnum):
    """What a missing delivery causes: nothing, a warning, an error, or that everything that follows waits for it."""

    OFF = "off"
    WARN = "warn"
    ERROR = "error"
    BLOCK = "block"


class WarehouseKind(StrEnum):
    """Where tables live."""

    DUCKDB = "duckdb"
    SNOWFLAKE = "snowflake"


class SnowflakeAuthentication(StrEnum):
    """Authentication method of Snowflake: a password, a key pair, or an OAuth token."""

    PASSWORD = "password"  # noqa: S105 - the name of a method
    KEY = "key"
    OAUTH = "oauth"


class SnowflakeProtocol(StrEnum):
    """Protocol towards Snowflake; an emulator does without TLS."""

    HTTPS = "https"
    HTTP = "http"


class MLKind(StrEnum):
    """Where models are trained and registered."""

    LOCAL = "local"
    AZUREML = "azureml"


class MissingSettingError(RuntimeError):
    """A chosen implementation needs a setting that is missing."""

    def __init__(self, variable: str, why: str) -> None:
        super().__init__(f"{variable} is not set, but {why} needs it; set it (see docs/settings.md)")


def required(value: str | None, variable: str, why: str) -> str:
    """A setting's value. Raises `MissingSettingError` if there is none."""
    if not value:
        raise MissingSettingError(variable, why)
    return value
