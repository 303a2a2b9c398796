"""Connections to Snowflake, by a password, a key pair or an OAuth token, with dagster-snowflake's `SnowflakeResource`.

Secrets come from the environment, are read when a connection is made, and are in no setting, error or log. Snowflake's errors are
also turned into clear messages here.
"""

import json
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import dagster as dg

from resources.settings.choices import SnowflakeAuthentication, required
from resources.warehouse.warehouse import WarehouseBusyError, WarehouseUnusableError

PASSWORD_VARIABLE = "GLOBOLATTE_SNOWFLAKE_PASSWORD"  # noqa: S105 - the name of a variable
PRIVATE_KEY_VARIABLE = "GLOBOLATTE_SNOWFLAKE_PRIVATE_KEY"
PASSPHRASE_VARIABLE = "GLOBOLATTE_SNOWFLAKE_PRIVATE_KEY_PASSPHRASE"  # noqa: S105 - the name of a variable
TOKEN_VARIABLE = "GLOBOLATTE_SNOWFLAKE_TOKEN"  # noqa: S105 - the name of a variable

LONGEST_QUERY_TAG = 2000


def credentials(authentication: SnowflakeAuthentication, private_key_path: str | None) -> dict[str, Any]:
    """The arguments of `SnowflakeResource` for authentication. Raises `MissingSettingError` if a secret is missing."""
    why = f"GLOBOLATTE_SNOWFLAKE_AUTHENTICATION={authentication}"
    if authentication is SnowflakeAuthentication.PASSWORD:
        return {"password": _secret(PASSWORD_VARIABLE, why)}
    if authentication is SnowflakeAuthentication.OAUTH:
        return {"authenticator": "oauth", "token": _secret(TOKEN_VARIABLE, why)}
    passphrase = dg.EnvVar(PASSPHRASE_VARIABLE).get_value() or None
    if private_key_path:
        return {"private_key_path": private_key_path, "private_key_password": passphrase}
    return {"private_key": _secret(PRIVATE_KEY_VARIABLE, why), "private_key_password": passphrase}


def _secret(variable: str, why: str) -> str:
    return required(dg.EnvVar(variable).get_value(), variable, why)


def query_tag() -> str:
    """The query tag of our statements in Snowflake's query history: run and assets, within a run."""
    try:
        context = dg.OpExecutionContext.get()
        run_id = context.run.run_id
        keys = sorted(key.to_user_string() for key in context.selected_asset_keys) if context.has_assets_def else []
    except (dg.DagsterInvariantViolationError, AttributeError):
        return json.dumps({"app": "globolatte"})
    tag = {"app": "globolatte", "run_id": run_id, "op": context.op.name, "assets": keys}
    text = json.dumps(tag)
    return text if len(text) <= LONGEST_QUERY_TAG else json.dumps({**tag, "assets": len(keys)})


def snowflake_error() -> type[Exception]:
    """What all errors of Snowflake's connector are; importing it says nothing about its own dependencies."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="urllib3 .* doesn't match a supported version")
        from snowflake.connector.errors import Error
    return Error


class SnowflakeAccount(dg.ConfigurableResource):
    """Where to connect, as whom, and for how long to wait. `compute` is the virtual warehouse. Secrets are in the environment alone.

    `wait_seconds` bounds the wait for another transaction that writes, `network_seconds` that for an answer.
    """

    account: str
    user: str
    database: str
    compute: str
    role: str | None = None
    authentication: SnowflakeAuthentication = SnowflakeAuthentication.KEY
    private_key_path: str | None = None
    host: str | None = None
    port: int | None = None
    protocol: str = "https"
    wait_seconds: float = 300.0
    network_seconds: int = 60

    def integration(self) -> Any:
        """dagster-snowflake's resource for one connection; it holds a secret, so it lives no longer than that."""
        from dagster_snowflake import SnowflakeResource

        arguments = credentials(self.authentication, self.private_key_path)
        token = arguments.pop("token", None)
        place = {"host": self.host, "port": self.port, "protocol": self.protocol} if self.host else {}
        return SnowflakeResource(
            account=self.account,
            user=self.user,
            database=self.database,
            warehouse=self.compute,
            role=self.role,
            paramstyle="qmark",
            timezone="UTC",
            login_timeout=self.network_seconds,
            network_timeout=self.network_seconds,
            additional_snowflake_connection_args={
                **place,
                **({"token": token} if token else {}),
                "arrow_number_to_decimal": True,
                "session_parameters": {
                    "QUERY_TAG": query_tag(),
                    "LOCK_TIMEOUT": max(1, round(self.wait_seconds)),
                    "TIMESTAMP_TYPE_MAPPING": "TIMESTAMP_NTZ",
                    "TIMESTAMP_NTZ_OUTPUT_FORMAT": "YYYY-MM-DD HH24:MI:SS.FF6",
                },
            },
            **arguments,
        )

    @contextmanager
    def connected(self) -> Iterator[Any]:
        """An open connection, closed afterwards; parameters of statements are marked by `?`."""
        with self.integration().get_connection() as connection:
            try:
                yield connection
            except BaseException:  # dagster-snowflake closes only connections that ended without an error
                connection.close(retry=False)
                raise


NOTHING_LEFT = "Nothing of the transaction is in it; what was committed before is still there"


class Fault(NamedTuple):
    """A kind of fault: the error numbers that mean it, or else words of the message; and what to do."""

    numbers: tuple[int, ...]
    words: str
    what: str
    remedy: str


FAULTS = (
    Fault(
        (390100, 390101, 390144, 390303, 390318, 390195),
        "incorrect username or password|jwt token is invalid|oauth access token",
        "refused who we say we are",
        "check GLOBOLATTE_SNOWFLAKE_USER and the secret that GLOBOLATTE_SNOWFLAKE_AUTHENTICATION names (docs/snowflake.md)",
    ),
    Fault(
        (390189, 390186),
        "role .* (does not exist|is not granted|not authorized|not assigned)",
        "does not give us the role",
        "create it and grant it to the user (infra/snowflake), or set GLOBOLATTE_SNOWFLAKE_ROLE to one that the user has",
    ),
    Fault(
        (606, 90073, 90109, 90064),
        "no active warehouse|warehouse .* (suspended|cannot be resumed|exceeded its quota|does not exist)",
        "has no virtual warehouse at work for us",
        "resume it or let it resume itself (auto_resume), look whether its resource monitor's quota is used up, and check "
        "GLOBOLATTE_SNOWFLAKE_WAREHOUSE",
    ),
    Fault((390422, 390420), "not allowed to access snowflake", "does not let this address in", "ask for it in the network policy"),
    Fault(
        (3001,), "insufficient privileges", "does not let our role do this", "grant what infra/snowflake/roles.sql grants"
    ),
    Fault(
        (250001, 250003, 250005, 250006, 250008, 251005, 251007, 251012, 261000, 290500, 290502, 290503, 290504, 253003, 253012),
        "could not connect|failed to connect|connection (was )?(closed|aborted|refused|reset)|connection is closed|timed? ?out",
        "does not answer",
        "check the network and GLOBOLATTE_SNOWFLAKE_ACCOUNT, then run again; the ledger says what is loaded",
    ),
)  # fmt: skip
LOCKED = re.compile(r"lock timeout|waiter .*aborted|statement .* has locked", re.IGNORECASE)
LOCKED_NUMBERS = frozenset({625, 604, 57014})


def fault_of(number: int | None, message: str) -> Fault | None:
    """The kind of a fault. Refusals are connection errors with a more specific message, so the message counts before the number."""
    for fault in FAULTS:
        if re.search(fault.words, message, re.IGNORECASE):
            return fault
    return next((fault for fault in FAULTS if number in fault.numbers), None)


def in_plain_words(error: Exception, where: str) -> Exception:
    """The error to raise instead of Snowflake's; the same error if it is about a statement of ours."""
    number, message = getattr(error, "errno", None), str(getattr(error, "msg", None) or error)
    if number in LOCKED_NUMBERS or LOCKED.search(message):
        return WarehouseBusyError(
            f"{where}: another transaction kept its turn for too long ({message}); let it finish, then run again "
            "(GLOBOLATTE_WAREHOUSE_WAIT_SECONDS sets the wait)"
        )
    fault = fault_of(number, message)
    if fault is None:
        return error
    return WarehouseUnusableError(f"{where}: Snowflake {fault.what} ({message}); {fault.remedy}. {NOTHING_LEFT}")
