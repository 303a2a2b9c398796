"""All settings, typed and documented, read once from the environment.

Every setting is an environment variable `GLOBOLATTE_<NAME>`. Code that needs a setting takes it as an argument or from a
resource; nothing else in the project reads the environment for configuration.
"""

import datetime as dt
import re
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from resources.landing.path_patterns import USUAL_PATTERN, PathPattern
from resources.ml.training_method import MethodKind
from resources.settings.choices import (
    CredentialKind,
    Environment,
    LandingKind,
    MissingDelivery,
    MLKind,
    SnowflakeAuthentication,
    SnowflakeProtocol,
    WarehouseKind,
    required,
)

NO_STAGE = "none"
LOOPBACK = ("127.0.0.1", "localhost", "::1")


class SnowflakeSettings(BaseModel):
    """Account, user, objects and protocol."""

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


class LandingSettings(BaseModel):
    """Landing zone, limits on files, deliveries."""

    load_batch_bytes: int = Field(
        default=64 * 1024 * 1024,
        gt=0,
        description="How many bytes of sales files are read into one load transaction at the most (a larger file is a batch of its own).",
    )
    max_file_bytes: int = Field(
        default=2 * 1024**3, gt=0, description="A sales file over this size in bytes is refused."
    )
    max_compression_ratio: float = Field(
        default=200.0,
        gt=1,
        description="A packed sales file that unpacks to more than so many times its size (and to more than 8 MiB) is refused.",
    )
    max_bad_share: float = Field(
        default=0.2,
        ge=0,
        le=1,
        description="A sales file with a larger share of bad rows is held: nothing of it is loaded until someone approves it.",
    )
    max_take_away: float = Field(
        default=0.5,
        ge=0,
        le=1,
        description="A new version of a sales file that takes away a larger share of the rows it corrects is held until someone "
        "approves it.",
    )
    keep_files_days: int | None = Field(
        default=None,
        ge=1,
        description="How many days the bytes of loaded sales and reference files (also of customers.csv, with its names and addresses) "
        "are kept in the home, in whole months, so that a version can be read after its file was replaced or removed. "
        "Default: for ever.",
    )
    audit_log_folder: Path | None = Field(
        default=None,
        description="Where the segments of the audit log are written; a place that another account owns protects the log against whoever "
        "can write this home. Default: `audit_log` in the home.",
    )
    max_load_attempts: int = Field(
        default=5, ge=1, description="How often a load that crashed is requested again by itself."
    )
    retry_base_seconds: float = Field(
        default=30.0,
        gt=0,
        description="Wait before the second attempt of a crashed load; doubled for each further one.",
    )
    sales_paths: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(USUAL_PATTERN,),
        description="Under which paths of the landing zone sales lie: patterns, several separated by `;`, of which the first that matches "
        "counts, such as exports/*.csv or sales/{unit}/{date:%Y-%m-%d}_*.csv (docs/landing.md).",
    )
    landing_poll_seconds: int = Field(
        default=15, ge=1, description="Least time between two looks of the landing sensor, in seconds."
    )
    blob_account_url: str | None = Field(
        default=None,
        description="Address of the storage account whose container is the landing zone, such as "
        "https://<account>.blob.core.windows.net; no SAS in it.",
    )
    blob_container: str = Field(default="landing", description="The container that is the landing zone.")
    blob_credential: CredentialKind = Field(
        default=CredentialKind.DEFAULT,
        description="Authentication method of the storage account: key (GLOBOLATTE_BLOB_KEY), sas (GLOBOLATTE_BLOB_SAS) or default "
        "(Azure's DefaultAzureCredential: managed identity, environment, Azure CLI). The two secrets are read from the "
        "environment only and are no settings.",
    )
    blob_queue: str | None = Field(
        default=None,
        description="The storage queue to which Event Grid sends events of new blobs. Default: none; blobs are then found by listing.",
    )
    blob_queue_account_url: str | None = Field(
        default=None,
        description="Address of the account that has the queue. Default: GLOBOLATTE_BLOB_ACCOUNT_URL with .queue. for .blob.",
    )
    blob_queue_hidden_seconds: int = Field(
        default=300,
        ge=1,
        le=604800,
        description="How long a message of the queue that was given out stays hidden before it comes again, in seconds.",
    )
    reconcile_seconds: int = Field(
        default=60,
        ge=1,
        description="Least time between two ticks of the reconciliation of a container with the ledger, in seconds.",
    )
    reconcile_days: int = Field(
        default=7,
        ge=1,
        le=92,
        description="How many business dates of every unit each tick of the reconciliation looks at; older ones come in turn.",
    )
    missing_delivery: MissingDelivery = Field(
        default=MissingDelivery.WARN,
        description="What a missing delivery is: off, warn, error, or block (an error, and features and recommendations wait).",
    )
    delivery_hours: float = Field(
        default=12.0,
        ge=0,
        description="How many hours after a business date has ended, by the unit's time zone, its file must be there.",
    )
    delivery_days: int = Field(
        default=14, ge=1, le=366, description="How many business dates back missing deliveries are watched."
    )

    @field_validator("sales_paths", mode="before")
    @classmethod
    def _split_patterns(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(";") if part.strip()) if isinstance(value, str) else value

    @field_validator("sales_paths")
    @classmethod
    def _patterns_are_good(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for text in value:
            PathPattern(text)
        return value or (USUAL_PATTERN,)

    @field_validator("blob_account_url", "blob_queue_account_url")
    @classmethod
    def _address_without_secret(cls, value: str | None) -> str | None:
        if value is not None and ("?" in value or "@" in value or not value.startswith(("https://", "http://"))):
            raise ValueError(
                "is no plain address; write https://<account>.blob.core.windows.net and put a SAS into GLOBOLATTE_BLOB_SAS"
            )
        return value.rstrip("/") if value is not None else None

    @property
    def queue_account_url(self) -> str:
        """Address of the account that has the event queue; raises `MissingSettingError` if it follows from nothing."""
        derived = (self.blob_account_url or "").replace(".blob.", ".queue.", 1)
        found = self.blob_queue_account_url or (derived if derived != self.blob_account_url else None)
        return required(found, "GLOBOLATTE_BLOB_QUEUE_ACCOUNT_URL", "GLOBOLATTE_BLOB_QUEUE")


PROJECT_ROOT = Path(__file__).resolve().parent.parent.parent


class Settings(SnowflakeSettings, LandingSettings, BaseSettings):
    """The configuration of one deployment. Raises `pydantic.ValidationError` that names each wrong variable."""

    model_config = SettingsConfigDict(env_prefix="GLOBOLATTE_", extra="ignore", frozen=True, env_ignore_empty=True)

    env: Environment = Field(
        default=Environment.LOCAL, description="The world: local (one laptop, no account), dev, staging or prod."
    )
    home: Path = Field(
        default=Path(".globolatte"),
        description="Folder of all local state. A relative path is taken from the project folder.",
    )
    landing: LandingKind | None = Field(
        default=None, description="Landing zone: folder or blob. Default: folder locally, blob elsewhere."
    )
    warehouse: WarehouseKind | None = Field(
        default=None, description="Warehouse: duckdb or snowflake. Default: duckdb locally, snowflake elsewhere."
    )
    ml: MLKind | None = Field(
        default=None, description="ML platform: local or azureml. Default: local locally, azureml elsewhere."
    )
    training: MethodKind = Field(
        default=MethodKind.COMMAND,
        description="How models are trained: command (one job), sweep (many jobs over a search space), automl (a search "
        "over algorithms), or pipeline (steps as jobs of their own).",
    )
    training_file: Path | None = Field(
        default=None,
        description="A TOML file with the details of GLOBOLATTE_TRAINING, in a table of the method's name (docs/azureml.md). "
        "Default: those in resources/ml/training_method.py.",
    )
    business_units: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("usa", "canada", "mexico"),
        description="Landing folders of the business units, comma-separated: one partition dimension of the raw sales. "
        "A new unit is one entry here and one row in reference/business_units.csv.",
    )
    first_business_date: dt.date = Field(
        default=dt.date(2022, 1, 1),
        description="First business date that can be delivered (YYYY-MM-DD): where the date partitions start.",
    )
    now: dt.datetime | None = Field(
        default=None,
        description="Fixes the clock (ISO date and time with offset), so that another day can be played. Default: the real time.",
    )
    warehouse_wait_seconds: float = Field(
        default=300.0,
        ge=0,
        description="How long to wait for the warehouse while another process has the DuckDB file open, or writes into Snowflake.",
    )
    window_orders: int = Field(
        default=300,
        ge=100,
        description="Least number of orders in a monitoring window, for the chain and for each unit.",
    )
    window_days: int = Field(default=21, ge=1, description="Least number of business dates in a monitoring window.")
    drift_reports_kept: int = Field(
        default=24, ge=1, description="How many Evidently reports (HTML, 4 MB each) are kept; the latest ones stay."
    )
    model_pages_kept: int = Field(
        default=24, ge=1, description="How many pages on models (HTML, one per version) are kept; the latest ones stay."
    )
    reports_url: str = Field(
        default="http://127.0.0.1:3030",
        description="Where a browser finds the folder `reports` of the home; links in the UI begin with it. `globolatte dev` serves the "
        "folder there if the host is this machine's; anywhere else, let a web server of yours do it.",
    )
    retraining_age_days: int = Field(
        default=180,
        ge=1,
        description="Retrain when sales go on for so many days after those the champion learned from.",
    )
    retraining_cooldown_days: int = Field(
        default=28,
        ge=0,
        description="Least number of days of new sales between two trainings that monitoring requests.",
    )
    model_sign_off: bool = Field(
        default=False,
        description="Whether a model that passed every gate also needs manual approval (`globolatte models approve`) before it is "
        "promoted. A rejection holds either way.",
    )
    endpoint_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="Port of the online endpoint on 127.0.0.1. Default: a free one, kept from then on in endpoints/port. "
        "Its key is GLOBOLATTE_ENDPOINT_KEY, or else made once into endpoints/key.",
    )
    endpoint_wait_seconds: float = Field(
        default=90.0,
        gt=0,
        description="How long to wait for a new deployment of the online endpoint to become healthy.",
    )
    prediction_log_seconds: float = Field(
        default=30.0,
        gt=0,
        description="After how long a file of the endpoint's prediction log is finished and can be ingested.",
    )
    recommendations: int = Field(
        default=10,
        ge=1,
        description="How many products serving.recommendations has for each customer and weather, the best ones; `globolatte recommend` "
        "ranks all.",
    )
    prediction_log_days: int | None = Field(
        default=None,
        ge=1,
        description="How many days answers of the online endpoint are kept in monitoring.prediction_log; 100 requests a second are about "
        "5 GB of log a day (docs/endpoint.md). What is not loaded yet is never removed. Default: for ever.",
    )

    states_kept: int = Field(
        default=3,
        ge=2,
        description="How many customer states are kept in endpoints/states, the current one included. `globolatte trace --replay` makes "
        "predictions again whose state is kept; a state takes about 0.1 MB for 1,000 customers.",
    )

    @field_validator("business_units", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("business_units")
    @classmethod
    def _folders_are_plain_names(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not value:
            raise ValueError("names no business unit; list at least one landing folder, such as 'usa'")
        wrong = [name for name in value if not name.replace("_", "").replace("-", "").isalnum()]
        if wrong or len(set(value)) != len(value):
            raise ValueError(f"has {wrong or value}; use distinct folder names of letters, digits, '-' and '_'")
        return value

    @field_validator("home")
    @classmethod
    def _home_fits_into_an_address(cls, value: Path) -> Path:
        if found := sorted({*"#?%"} & {*str(value)}):
            raise ValueError(
                f"has {' and '.join(map(repr, found))} in it: its databases are opened by address, which would end or change there; "
                "choose a folder without '#', '?' and '%'"
            )
        return value

    @field_validator("reports_url")
    @classmethod
    def _reports_url_is_one(cls, value: str) -> str:
        if not re.fullmatch(r"https?://[^/\s?#]+(/[^\s?#]*)?", value):
            raise ValueError("is no http address; write it like http://127.0.0.1:3030")
        return value.rstrip("/")

    @field_validator("now")
    @classmethod
    def _now_has_an_offset(cls, value: dt.datetime | None) -> dt.datetime | None:
        if value is not None and value.tzinfo is None:
            raise ValueError("has no time zone; write it like 2024-01-01T06:00:00+00:00")
        return value

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_the_world(cls, values: dict[str, object]) -> dict[str, object]:
        local = str(values.get("env") or "local") == "local"
        defaults: dict[str, object] = {
            "landing": LandingKind.FOLDER if local else LandingKind.BLOB,
            "warehouse": WarehouseKind.DUCKDB if local else WarehouseKind.SNOWFLAKE,
            "ml": MLKind.LOCAL if local else MLKind.AZUREML,
        }
        return {**values, **{key: value for key, value in defaults.items() if values.get(key) is None}}

    @model_validator(mode="after")
    def _paths_are_absolute(self) -> "Settings":
        for name in ("home", "training_file", "audit_log_folder"):
            path = getattr(self, name)
            if path is not None and not path.is_absolute():
                object.__setattr__(self, name, (PROJECT_ROOT / path.expanduser()).resolve())
        return self

    @property
    def landing_folder(self) -> Path:
        """Where business units drop files when the landing zone is a folder."""
        return self.home / "landing"

    @property
    def kept_files_folder(self) -> Path:
        """The bytes of each version of a sales file that was loaded."""
        return self.home / "kept_files"

    @property
    def audit_segments_folder(self) -> Path:
        """The segments of the audit log."""
        return self.audit_log_folder or self.home / "audit_log"

    @property
    def warehouse_file(self) -> Path:
        """The DuckDB file."""
        return self.home / "warehouse.duckdb"

    @property
    def mlflow_folder(self) -> Path:
        """Tracking store, registry, snapshots and trained models of the local ML platform."""
        return self.home / "mlflow"

    @property
    def azureml_folder(self) -> Path:
        """Copies of what is in the Azure ML workspace; can be deleted at any time."""
        return self.home / "azureml"

    @property
    def reports_folder(self) -> Path:
        """Pages for people, served at `reports_url`."""
        return self.home / "reports"

    @property
    def drift_reports_folder(self) -> Path:
        """Evidently's reports, one HTML page a window."""
        return self.reports_folder / "drift"

    @property
    def model_pages_folder(self) -> Path:
        """Model cards and what explains them, one HTML page a model version."""
        return self.reports_folder / "models"

    @property
    def scorecards_folder(self) -> Path:
        """Scorecards of the business units, one HTML page a unit."""
        return self.reports_folder / "scorecards"

    @property
    def dagster_folder(self) -> Path:
        """Dagster's instance folder (`DAGSTER_HOME`)."""
        return self.home / "dagster"

    @property
    def endpoints_folder(self) -> Path:
        """What serving reads: customer states and the pointer to the current one."""
        return self.home / "endpoints"

    def environment_variables(self) -> dict[str, str]:
        """The variables that pass these settings to a child process (dbt, training, the Dagster daemon)."""
        values = self.model_dump(mode="json", exclude_none=True)
        return {
            **{
                f"GLOBOLATTE_{name.upper()}": (";" if name == "sales_paths" else ",").join(value)
                if isinstance(value, list)
                else str(value)
                for name, value in values.items()
            },
            "GLOBOLATTE_DUCKDB_PATH": str(self.warehouse_file),
            "DAGSTER_HOME": str(self.dagster_folder),
        }
