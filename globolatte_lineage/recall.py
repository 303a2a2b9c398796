"""A file that was wrong: what its rows reached, and what is at stake. What one would otherwise have to find out by comparing two chains."""

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from globolatte_lineage import statements
from globolatte_lineage.forward import trace_file
from globolatte_lineage.graph import Kind, Trace
from globolatte_lineage.records import Places, rows_of
from resources.warehouse.warehouse import Transaction


@dataclass(frozen=True)
class Recall:
    """What the rows of a file reached.

    takings: what they sum to by currency; "" where the rows name none. customers: whose features count its rows, sorted.
    trace: models, states, answers, recommendations and campaigns.
    """

    path: str
    dates: tuple[dt.date, ...]
    lines: int
    orders: int
    customers: tuple[str, ...]
    takings: Mapping[str, str]
    trace: Trace

    @property
    def models(self) -> list[str]:
        """The model versions whose training read the rows."""
        return [node.facts["version"] for node in self.trace.of_kind(Kind.MODEL)]

    def as_document(self) -> dict[str, Any]:
        """The whole as JSON values, but for dates."""
        return {
            **{name: getattr(self, name) for name in ("path", "lines", "orders", "models", "takings")},
            "dates": list(self.dates),
            "customers": list(self.customers),
            "trace": self.trace.as_document(),
        }


def recall_file(transaction: Transaction, places: Places, path: str) -> Recall:
    """What a file's rows that are loaded now reached. Raises `forward.NothingKnownError` for a path that is not in the ledger."""
    trace = trace_file(transaction, places, path)
    counts = next((node.facts for node in trace.of_kind(Kind.LINES)), {})
    takings = rows_of(transaction, statements.TAKINGS_OF_FILE, path)
    return Recall(
        path=path,
        dates=tuple(row["business_date"] for row in rows_of(transaction, statements.DATES_OF_FILE, path)),
        lines=counts.get("lines", 0),
        orders=counts.get("orders", 0),
        customers=tuple(row["customer_id"] for row in rows_of(transaction, statements.TOUCHED_CUSTOMERS, path)),
        takings={row["currency"]: str(row["amount"]) for row in takings},
        trace=trace,
    )
