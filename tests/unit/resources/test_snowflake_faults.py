"""Snowflake's errors in plain words: which number or message means what. By Snowflake's documentation."""

import pytest

from resources.warehouse.snowflake_account import in_plain_words
from resources.warehouse.warehouse import WarehouseBusyError, WarehouseUnusableError

WHERE = "Snowflake database GLOBO_LATTE_DB of a-b (user u)"


class ConnectorError(Exception):
    """Has what all errors of Snowflake's connector have."""

    def __init__(self, errno: int, msg: str) -> None:
        super().__init__(msg)
        self.errno, self.msg = errno, msg


@pytest.mark.parametrize(
    ("number", "message", "told"),
    [
        (250001, "Failed to connect to DB. Incorrect username or password was specified.", "refused who we say we are"),
        (390144, "JWT token is invalid.", "refused who we say we are"),
        (390303, "Invalid OAuth access token.", "refused who we say we are"),
        (
            250001,
            "Role 'X' specified in the connect string does not exist or not authorized.",
            "does not give us the role",
        ),
        (606, "No active warehouse selected in the current session.", "no virtual warehouse at work"),
        (
            90073,
            "Warehouse 'W' cannot be resumed because resource monitor 'M' has exceeded its quota.",
            "no virtual warehouse",
        ),
        (390422, "IP 192.0.2.1 is not allowed to access Snowflake.", "does not let this address in"),
        (3001, "Insufficient privileges to operate on schema 'SALES_DATA'", "does not let our role do this"),
        (250001, "Could not connect to Snowflake backend after 2 attempt(s).", "does not answer"),
        (290503, "HTTP 503: Service Unavailable", "does not answer"),
        (253003, "While putting file(s) there was an error", "does not answer"),
    ],
)
def test_a_fault_says_what_is_wrong_and_what_to_do(number: int, message: str, told: str) -> None:
    error = in_plain_words(ConnectorError(number, message), WHERE)
    assert isinstance(error, WarehouseUnusableError)
    for part in (WHERE, told, message, "; ", "Nothing of the transaction is in it"):
        assert part in str(error)


def test_waiting_too_long_for_another_writer_is_being_busy() -> None:
    error = in_plain_words(ConnectorError(625, "Statement '01' has locked table 'T' in transaction 1"), WHERE)
    assert isinstance(error, WarehouseBusyError)


def test_an_error_about_a_statement_of_ours_stays_what_it_is() -> None:
    error = ConnectorError(904, "SQL compilation error: invalid identifier 'X'")
    assert in_plain_words(error, WHERE) is error
