"""Snowflake's errors in plain words: what is wrong, and what to do. Decided by error number first, by the message where it has to be."""

import re
from dataclasses import dataclass

from resources.warehouse.warehouse import WarehouseBusyError, WarehouseUnusableError

NOTHING_LEFT = "Nothing of the transaction is in it; what was committed before is kept"


@dataclass(frozen=True)
class Fault:
    """A kind of fault: the error numbers that mean it, or else words of the message; and what to do."""

    numbers: frozenset[int]
    words: re.Pattern[str]
    what: str
    remedy: str


def _fault(numbers: tuple[int, ...], words: str, what: str, remedy: str) -> Fault:
    return Fault(frozenset(numbers), re.compile(words, re.IGNORECASE), what, remedy)


FAULTS = (
    _fault(
        (390100, 390101, 390144, 390303, 390318, 390195),
        "incorrect username or password|jwt token is invalid|oauth access token",
        "refused who we say we are",
        "check GLOBOLATTE_SNOWFLAKE_USER and the secret that GLOBOLATTE_SNOWFLAKE_AUTHENTICATION names (docs/snowflake.md)",
    ),
    _fault(
        (390189, 390186),
        "role .* (does not exist|is not granted|not authorized|not assigned)",
        "does not give us the role",
        "create it and grant it to the user (infra/snowflake), or set GLOBOLATTE_SNOWFLAKE_ROLE to one that the user has",
    ),
    _fault(
        (606, 90073, 90109, 90064),
        "no active warehouse|warehouse .* (suspended|cannot be resumed|exceeded its quota|does not exist)",
        "has no virtual warehouse at work for us",
        "resume it or let it resume itself (auto_resume), look whether its resource monitor's quota is used up, and check "
        "GLOBOLATTE_SNOWFLAKE_WAREHOUSE",
    ),
    _fault((390422, 390420), "not allowed to access snowflake", "does not let this address in", "ask for it in the network policy"),
    _fault(
        (3001,), "insufficient privileges", "does not let our role do this", "grant what infra/snowflake/roles.sql grants"
    ),
    _fault(
        (250001, 250003, 250005, 250006, 250008, 251005, 251007, 251012, 261000, 290500, 290502, 290503, 290504, 253003, 253012),
        "could not connect|failed to connect|connection (was )?(closed|aborted|refused|reset)|connection is closed|timed? ?out",
        "does not answer",
        "check the network and GLOBOLATTE_SNOWFLAKE_ACCOUNT, then run again; the ledger says what is loaded",
    ),
)  # fmt: skip
LOCKED = re.compile(r"lock timeout|waiter .*aborted|statement .* has locked", re.IGNORECASE)
LOCKED_NUMBERS = frozenset({625, 604, 57014})


def fault_of(number: int | None, message: str) -> Fault | None:
    """The kind of a fault. Refusals come as connection errors whose message says more, so words count before numbers."""
    for fault in FAULTS:
        if fault.words.search(message):
            return fault
    return next((fault for fault in FAULTS if number in fault.numbers), None)


def in_plain_words(error: Exception, where: str) -> Exception:
    """The error to raise in place of one of Snowflake's; the same one where it is about a statement of ours."""
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
