"""What was known, decided and served at a moment of the past."""

import datetime as dt
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from globolatte_lineage import statements
from globolatte_lineage.records import rows_of
from resources.warehouse.warehouse import Transaction

Row = Mapping[str, Any]


@dataclass(frozen=True)
class AsOf:
    """What was on record before `moment` (UTC without offset).

    last_event: of the ledger; what came after it was not known. files: the latest version then of each path, with the status that it had
    then. decision: the latest verdict on a model, and who was champion after it. state: the one that was served. answers: what the
    endpoint answered in the 24 hours before, by deployment, model and state. The latter three are none or empty where nothing is on record.
    """

    moment: dt.datetime
    last_event: int
    files: Sequence[Row]
    decision: Row | None
    state: Row | None
    answers: Sequence[Row]

    @property
    def statuses(self) -> dict[str, int]:
        """How many files were in each status."""
        return dict(sorted(Counter(str(file["status"]) for file in self.files).items()))

    def as_document(self) -> dict[str, Any]:
        """The whole as JSON values, but for dates and times."""
        return {**vars(self), "statuses": self.statuses}


def as_of(transaction: Transaction, moment: dt.datetime) -> AsOf:
    """What was on record before `moment` (UTC without offset).

    The ledger counts up to the last event before it: events are numbered as they were committed, so a step of the clock leaves none out.
    """
    [found] = rows_of(transaction, statements.LAST_EVENT_BEFORE, moment)
    decisions = rows_of(transaction, statements.DECISIONS_BEFORE, moment)
    states = rows_of(transaction, statements.STATES_BEFORE, moment)
    return AsOf(
        moment=moment,
        last_event=int(found["last_event"]),
        files=rows_of(transaction, statements.FILES_AS_OF, found["last_event"]),
        decision=decisions[0] if decisions else None,
        state=states[0] if states else None,
        answers=rows_of(transaction, statements.ANSWERS_ON, moment - dt.timedelta(days=1), moment),
    )
