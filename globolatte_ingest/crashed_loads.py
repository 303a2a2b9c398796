"""Loads that were started and ended in no ledger entry, and that no later version made pointless: what must be tried again."""

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass

from globolatte_ingest.ledger import Attempts
from globolatte_ingest.pending import RetryPolicy
from resources.warehouse.warehouse import Transaction

LOOKED_BACK = dt.timedelta(days=30)
"""Attempts before that are history: whatever they were at was alerted of, and the rotation still looks at its month."""

CRASHED = """
with recent as (
    select path, etag, max(attempt) as count, max(started_at) as last
    from sales_data.load_attempts
    where started_at >= ?
    group by path, etag
)

select recent.path, recent.etag, recent.count, recent.last
from recent
where not exists (
    select 1
    from sales_data.load_ledger as ledger
    where ledger.path = recent.path
        and (ledger.recorded_at > recent.last or (ledger.etag = recent.etag and ledger.attempt >= recent.count))
)
order by recent.last, recent.path
"""


@dataclass(frozen=True)
class CrashedLoad:
    """A file version whose load was started and did not end."""

    path: str
    etag: str
    attempts: Attempts


def crashed_loads(transaction: Transaction, now: dt.datetime) -> list[CrashedLoad]:
    """The crashed loads of the last `LOOKED_BACK`, the longest untried first. `now` is UTC without offset."""
    rows = transaction.fetch(CRASHED, (now - LOOKED_BACK,)).to_pylist()
    return [CrashedLoad(row["path"], row["etag"], Attempts(row["count"], row["last"])) for row in rows]


def places_to_try_again(
    crashed: Iterable[CrashedLoad], policy: RetryPolicy, now: dt.datetime, at_most: int
) -> list[str]:
    """The prefixes to list for the crashed loads that are due: the folders they lie in."""
    due = (item.path.rpartition("/")[0] + "/" for item in crashed if policy.is_due(item.attempts, now))
    return list(dict.fromkeys(due))[:at_most]


def given_up(crashed: Iterable[CrashedLoad], policy: RetryPolicy) -> list[CrashedLoad]:
    """The crashed loads that are asked for no more."""
    return [item for item in crashed if item.attempts.count >= policy.max_attempts]
