"""Which exceptions are known errors, shown as one line, and which are bugs, shown with their traceback."""

from pydantic import ValidationError

from globolatte_ingest.kept_files import CannotKeepError
from resources.endpoint.endpoint import EndpointError
from resources.landing.landing_zone import LandingUnreachableError
from resources.ml.azureml.faults import AzureMLError
from resources.settings.azureml import PREFIX, AzureMLSettings
from resources.settings.choices import MissingSettingError
from resources.warehouse.warehouse import WarehouseBusyError, WarehouseUnusableError


class UserError(Exception):
    """An error that a person can correct. The message names the thing, the fault and the remedy."""


KNOWN_ERRORS = (
    UserError,
    ValidationError,
    WarehouseBusyError,
    WarehouseUnusableError,
    CannotKeepError,
    MissingSettingError,
    LandingUnreachableError,
    EndpointError,
    AzureMLError,
)


def message_of(error: Exception) -> str:
    """What to print for a known error."""
    if isinstance(error, ValidationError):
        prefix = PREFIX if error.title == AzureMLSettings.__name__ else "GLOBOLATTE_"
        wrong = [
            f"{prefix}{'_'.join(map(str, item['loc'])).upper()} {item['msg'].removeprefix('Value error, ')} (is {item['input']!r})"
            for item in error.errors()
        ]
        return "; ".join(wrong) + ". `globolatte doctor` lists every setting"
    return str(error)
