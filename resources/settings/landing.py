"""Where files land, how they are loaded and when they are missed: one part of `settings.Settings`."""

from pydantic import BaseModel, Field, field_validator

from resources.settings.choices import CredentialKind, MissingDelivery
from resources.settings.missing_setting import required


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
    max_load_attempts: int = Field(
        default=5, ge=1, description="How often a load that crashed is requested again by itself."
    )
    retry_base_seconds: float = Field(
        default=30.0,
        gt=0,
        description="Wait before the second attempt of a crashed load; doubled for each further one.",
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
        description="The storage queue that Event Grid tells of new blobs. Default: none; new blobs are then found by looking.",
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
