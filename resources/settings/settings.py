"""What can be configured, typed, read once from the environment; the one documented list of it.

Every setting is an environment variable `GLOBOLATTE_<NAME>`. Code that needs a setting takes it as an argument or from a
resource; nothing else in the project reads the environment for configuration.
"""

import datetime as dt
import re
from pathlib import Path
from typing import Annotated

from pydantic import Field, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from resources.ml.training_method import MethodKind
from resources.settings.choices import Environment, LandingKind, MLKind, WarehouseKind
from resources.settings.landing import LandingSettings
from resources.settings.snowflake import SnowflakeSettings

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
        for name in ("home", "training_file"):
            path = getattr(self, name)
            if path is not None and not path.is_absolute():
                object.__setattr__(self, name, (PROJECT_ROOT / path.expanduser()).resolve())
        return self

    @property
    def landing_folder(self) -> Path:
        """Where business units drop files when the landing zone is a folder."""
        return self.home / "landing"

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
    def dagster_folder(self) -> Path:
        """Dagster's instance folder (`DAGSTER_HOME`)."""
        return self.home / "dagster"

    @property
    def endpoints_folder(self) -> Path:
        """What serving reads: customer states and the pointer to the current one."""
        return self.home / "endpoints"

    def environment_variables(self) -> dict[str, str]:
        """The variables that hand these settings on to a child process (dbt, training, the Dagster daemon)."""
        values = self.model_dump(mode="json", exclude_none=True)
        return {
            **{
                f"GLOBOLATTE_{name.upper()}": ",".join(value) if isinstance(value, list) else str(value)
                for name, value in values.items()
            },
            "GLOBOLATTE_DUCKDB_PATH": str(self.warehouse_file),
            "DAGSTER_HOME": str(self.dagster_folder),
        }
