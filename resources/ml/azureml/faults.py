"""Azure's errors as clear messages: what happened, in which resource, where to look, what to do."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from resources.azure_storage import without_secrets
from resources.settings.azureml import PREFIX

LONGEST = 1200
Found = TypeVar("Found")

CONFLICTS = ("409", "Conflict", "AnotherOperationInProgress", "OperationInProgress")
"""By what Azure refuses a change while another one to the same resource is under way. It passes by itself."""
CONFLICT = 409

REMEDIES: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("OutOfCapacity", "AllocationFailed", "not enough capacity", "SkuNotAvailable"),
        f"Azure has no such machines free now: run it again later, or choose another size ({PREFIX}COMPUTE_SIZE, {PREFIX}INSTANCE_TYPE)",
    ),
    (
        ("quota", "Quota", "enough cores"),
        f"ask for more quota in the Azure portal, or choose a smaller size ({PREFIX}COMPUTE_SIZE, {PREFIX}INSTANCE_TYPE)",
    ),
    (
        ("AuthorizationFailed", "403", "Forbidden"),
        "give the identity that runs Dagster the role 'AzureML Data Scientist' in the workspace",
    ),
    (
        (
            "ExpiredAuthenticationToken",
            "AuthenticationFailed",
            "InvalidAuthenticationToken",
            "401",
            "AADSTS",
            "CredentialUnavailable",
            "DefaultAzureCredential",
        ),
        "log in again (az login), or check AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, or the managed identity",
    ),
    (("429", "TooManyRequests"), "wait a few minutes and run it again: it continues where it was"),
    (
        CONFLICTS,
        "someone else is changing it at this moment: wait until that is done (see the studio), then run it again",
    ),
    (
        ("InvalidName", "name is reserved", "is not a valid name", "name is too long"),
        f"choose another name by the setting that the message is about ({PREFIX}ENDPOINT, {PREFIX}BATCH_ENDPOINT, {PREFIX}COMPUTE_NAME)",
    ),
    (
        ("ResourceNotReady", "crashed", "ImageBuild"),
        "read the deployment's or the image's log in the studio, correct the cause, then run it again",
    ),
    (
        ("ResourceNotFound", "404", "NotFound"),
        f"check {PREFIX}SUBSCRIPTION, {PREFIX}RESOURCE_GROUP, {PREFIX}WORKSPACE and the name",
    ),
    (
        ("ServiceRequestError", "ServiceResponseError", "Failed to establish", "resolve"),
        "check the network between here and Azure, then run it again",
    ),
)
GENERAL_REMEDY = "correct what the message names, then run it again: what was done stays done"


class AzureMLError(RuntimeError):
    """Something in Azure ML failed; the message says what, in which resource, where to look, and the remedy."""

    def __init__(self, resource: str, what: str, remedy: str, studio: str | None = None) -> None:
        link = f" Studio: {studio}" if studio else ""
        super().__init__(f"Azure ML, {resource}: {what}.{link} Remedy: {remedy}")
        self.resource, self.what, self.remedy, self.studio = resource, what, remedy, studio

    @property
    def facts(self) -> dict[str, str]:
        """The parts of the message by name."""
        page = {"studio": self.studio} if self.studio else {}
        return {"resource": self.resource, "what_happened": self.what, "remedy": self.remedy, **page}


def remedy_for(text: str) -> str:
    """The remedy for an error with this text."""
    return next((remedy for signs, remedy in REMEDIES if any(sign in text for sign in signs)), GENERAL_REMEDY)


@contextmanager
def faults_of(resource: str, studio: str | None = None) -> Iterator[None]:
    """Turns the errors of Azure's libraries into `AzureMLError` about a resource, without secrets in it or in its causes."""
    from azure.ai.ml.exceptions import MlException
    from azure.core.exceptions import AzureError

    try:
        yield
    except (AzureError, MlException) as error:
        text = message_of(error)
        raise AzureMLError(resource, text, remedy_for(f"{type(error).__name__} {text}"), studio) from None


def message_of(error: Exception) -> str:
    """An error's status, code and message, in one line without secrets."""
    status = getattr(error, "status_code", None) or 0
    code, message = _code_and_message(error)
    # an operation's failure comes in a response whose own status is a success
    refused = str(status) if status >= 400 else ""
    parts = [part for part in (refused, code) if part]
    line = " ".join(without_secrets(message).split()).rstrip(".")[:LONGEST]
    return f"{' '.join(parts)}: {line}" if parts else line


def _code_and_message(error: Exception) -> tuple[str | None, str]:
    """Azure's own code and message, from any of the forms in which errors carry them."""
    inner: Any = getattr(error, "error", None)
    if getattr(inner, "message", None):
        return getattr(inner, "code", None), str(inner.message)
    text = str(getattr(error, "message", None) or error) or type(error).__name__
    try:
        document = json.loads(text)["error"]
        return document.get("code"), str(document["message"])
    except (KeyError, TypeError, ValueError):
        return None, text


def is_missing(error: Exception) -> bool:
    """Whether an error says that the requested resource does not exist."""
    from azure.ai.ml.exceptions import ErrorCategory, MlException
    from azure.core.exceptions import ResourceNotFoundError

    if isinstance(error, ResourceNotFoundError):
        return True
    category = getattr(error, "error_category", None)
    return isinstance(error, MlException) and category == ErrorCategory.USER_ERROR and "not found" in str(error).lower()


def when_free(act: Callable[[], Found], wait_seconds: float, poll_seconds: float) -> Found:
    """What `act` returns. While Azure refuses it since someone else is changing the resource, it is tried again, for `wait_seconds`.

    Errors stay those of Azure's libraries; see `faults_of`.
    """
    from azure.core.exceptions import HttpResponseError

    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            return act()
        except HttpResponseError as error:
            if error.status_code != CONFLICT or not _is_in_progress(error) or time.monotonic() > deadline:
                raise
        time.sleep(poll_seconds)


def _is_in_progress(error: Exception) -> bool:
    """Whether a conflict is one with a change under way, which passes by itself; a name that is taken or a lock does not."""
    code, message = _code_and_message(error)
    return "inprogress" in f"{code} {message}".replace(" ", "").replace("-", "").lower()


def found_or_none(resource: str, get: Callable[[], Found], studio: str | None = None) -> Found | None:
    """What `get` returns, or none if the requested resource does not exist. Raises `AzureMLError` for every other fault."""
    with faults_of(resource, studio):
        try:
            return get()
        except Exception as error:
            if is_missing(error):
                return None
            raise
