"""Whether a file has too many bad rows to be loaded without asking somebody. A pure decision."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Counts:
    """Data rows of a file, and how many of them are bad.

    A row that another file delivered before is not bad: it is certain, and it is loaded already.
    """

    rows: int
    bad: int

    @property
    def bad_share(self) -> float:
        """Part of the rows that is bad, 0 for a file without rows."""
        return self.bad / self.rows if self.rows else 0.0


def held_for(counts: Counts, max_bad_share: float, *, is_approved: bool) -> str | None:
    """Why the file is held until someone approves it; none if it is not. A share of just `max_bad_share` is not held."""
    if is_approved or counts.bad_share <= max_bad_share:
        return None
    return (
        f"{counts.bad} of {counts.rows} rows are bad, more than {max_bad_share:.0%} (GLOBOLATTE_MAX_BAD_SHARE); nothing is loaded: "
        "see `globolatte quarantine show`, then upload the file corrected, or load its good rows by `globolatte quarantine release`"
    )
