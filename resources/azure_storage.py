"""Connections to an Azure storage account: credentials from the environment, connections by dagster-azure, clear error messages."""

import logging
import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import dagster as dg

from resources.landing.landing_zone import LandingUnreachableError
from resources.settings.choices import CredentialKind

if TYPE_CHECKING:
    from azure.storage.blob import BlobServiceClient
    from azure.storage.queue import QueueServiceClient

KEY_VARIABLE = "GLOBOLATTE_BLOB_KEY"
SAS_VARIABLE = "GLOBOLATTE_BLOB_SAS"
CONNECT_SECONDS, READ_SECONDS = 10, 60

SIGNATURE = re.compile(r"(?i)\bsig=[^&\s'\"]+")
"""The secret part of a shared access signature, which travels in the address of a request."""


class MissingSecretError(RuntimeError):
    """The environment does not hold the secret that the chosen credential needs."""


class SignaturesLeftOut(logging.Filter):
    """Blanks signatures in what the HTTP library logs: it writes addresses out in full."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrites the record; lets it pass."""
        message = record.getMessage()
        if SIGNATURE.search(message):
            record.msg, record.args = without_secrets(message), None
        return True


NO_SIGNATURES = SignaturesLeftOut()


def without_secrets(text: str) -> str:
    """`text` with signatures, and the account's key and token as the environment holds them, blanked."""

    text = SIGNATURE.sub("sig=***", text)
    for variable in (KEY_VARIABLE, SAS_VARIABLE):
        secret = dg.EnvVar(variable).get_value()
        if secret:
            text = text.replace(secret, "***")
    return text


def secret_variable(kind: CredentialKind) -> str | None:
    """The variable of the secret that a credential needs; none if it needs none."""
    return {CredentialKind.KEY: KEY_VARIABLE, CredentialKind.SAS: SAS_VARIABLE}.get(kind)


def _secret(kind: CredentialKind) -> str:
    variable = secret_variable(kind)
    value = dg.EnvVar(variable).get_value() if variable is not None else None
    if not value:
        raise MissingSecretError(
            f"{variable} is not set, but GLOBOLATTE_BLOB_CREDENTIAL={kind} needs it; set it in the environment, or use "
            "GLOBOLATTE_BLOB_CREDENTIAL=default (see docs/azure-landing.md)"
        )
    return value


@contextmanager
def blob_service(account_url: str, kind: CredentialKind) -> "Iterator[BlobServiceClient]":
    """A connection to the account's blobs. Raises `MissingSecretError`."""
    from dagster_azure.blob import (
        AzureBlobStorageDefaultCredential,
        AzureBlobStorageKeyCredential,
        AzureBlobStorageResource,
        AzureBlobStorageSASTokenCredential,
    )

    _leave_signatures_out_of_logs()
    credential: Any = AzureBlobStorageDefaultCredential()
    if kind is CredentialKind.KEY:
        credential = AzureBlobStorageKeyCredential(key=_secret(kind))
    elif kind is CredentialKind.SAS:
        credential = AzureBlobStorageSASTokenCredential(token=_secret(kind))
    storage = AzureBlobStorageResource(account_url=account_url, credential=credential)
    with ExitStack() as stack:
        with _address_at_fault(account_url):
            service = stack.enter_context(storage.get_client())
        yield service


@contextmanager
def queue_service(account_url: str, kind: CredentialKind) -> "Iterator[QueueServiceClient]":
    """A connection to the account's queues. Raises `MissingSecretError`."""
    from azure.storage.queue import QueueServiceClient

    _leave_signatures_out_of_logs()
    credential: Any
    if kind is CredentialKind.DEFAULT:
        from azure.identity import DefaultAzureCredential

        credential = DefaultAzureCredential()
    else:
        credential = _secret(kind)
    with _address_at_fault(account_url):
        service = QueueServiceClient(account_url, credential=credential)
    with service:
        yield service


@contextmanager
def _address_at_fault(account_url: str) -> Iterator[None]:
    """Azure's libraries raise plain `ValueError` for an address and a credential that do not fit together."""
    try:
        yield
    except ValueError as fault:
        raise LandingUnreachableError(account_url, without_secrets(str(fault)).rstrip(".")) from None


def _leave_signatures_out_of_logs() -> None:
    for name in ("urllib3.connectionpool", "urllib3.util.retry"):
        logging.getLogger(name).addFilter(NO_SIGNATURES)  # adding the same filter again changes nothing


@contextmanager
def faults_in_plain_words(where: str) -> Iterator[None]:
    """Turns the errors of Azure's libraries into `LandingUnreachableError`, without secrets in it or in its causes."""
    from azure.core.exceptions import AzureError

    try:
        yield
    except AzureError as error:
        raise LandingUnreachableError(where, fault_of(error)) from None


def fault_of(error: Exception) -> str:
    """The message of an error of Azure's libraries, in one line without secrets."""
    code = getattr(error, "error_code", None)
    code = getattr(code, "value", code)
    status = getattr(error, "status_code", None)
    lines = without_secrets(str(error)).strip().splitlines()
    parts = [f"{status} {code}" if status else "", lines[0].rstrip(".") if lines else type(error).__name__]
    return ": ".join(part for part in parts if part)


def request_options(retries: int) -> dict[str, Any]:
    """The options of a request: bounded waits, and the library's own retries (15 seconds and more apart)."""
    return {"retry_total": retries, "connection_timeout": CONNECT_SECONDS, "read_timeout": READ_SECONDS}
