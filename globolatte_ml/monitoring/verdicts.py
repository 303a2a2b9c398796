"""The verdicts of monitoring: frozen records that can be kept, compared and decided on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from globolatte_ml.monitoring.windows import Window


class Status(StrEnum):
    """What is said of a column or a window. `BROKEN` is no drift: the data are unusable, whatever they seem to say."""

    OK = "ok"
    DRIFTED = "drifted"
    BELOW_BAND = "below_band"
    BROKEN = "broken"
    LEFT_OUT = "left_out"


@dataclass(frozen=True)
class ColumnVerdict:
    """One column of a window against the reference; no statistic where the column was not compared."""

    column: str
    method: str
    statistic: float | None
    threshold: float
    status: Status
    note: str = ""


@dataclass(frozen=True)
class DriftVerdict:
    """A window against the champion's snapshot.

    Attributes:
        reference: which orders of the snapshot it was compared with, and how many.
        faults: why the data are broken, one sentence each; empty otherwise.
    """

    window: Window
    status: Status
    columns: tuple[ColumnVerdict, ...]
    reference: str
    reference_orders: int
    faults: tuple[str, ...] = ()

    @property
    def drifted_columns(self) -> tuple[ColumnVerdict, ...]:
        """The columns that drifted, most severe first."""
        drifted = [column for column in self.columns if column.status is Status.DRIFTED]
        return tuple(sorted(drifted, key=lambda column: -(column.statistic or 0.0) / column.threshold))

    def sentence(self) -> str:
        """The verdict in one sentence."""
        name = f"{self.window.scope}, {self.window.first} to {self.window.last}, {self.window.orders} orders"
        if self.status is Status.BROKEN:
            return f"{name}: broken data; {'; '.join(self.faults)}"
        if self.status is Status.DRIFTED:
            moved = (f"{c.column} {c.statistic:.2f} > {c.threshold:.2f}" for c in self.drifted_columns)
            return f"{name}: drifted in {', '.join(moved)}"
        return f"{name}: no drift"


@dataclass(frozen=True)
class PerformanceVerdict:
    """The champion's predictions for a window's orders against what was bought.

    Attributes:
        log_loss, hit_rate_at_1: on the window's orders; none where the data are broken.
        highest_log_loss, lowest_hit_rate: the band from the champion's own holdout.
    """

    window: Window
    model_version: str
    status: Status
    log_loss: float | None
    hit_rate_at_1: float | None
    highest_log_loss: float
    lowest_hit_rate: float

    def sentence(self) -> str:
        """The verdict in one sentence."""
        name = f"{self.window.scope}, {self.window.first} to {self.window.last}, {self.window.orders} orders"
        if self.log_loss is None or self.hit_rate_at_1 is None:
            return f"{name}: not judged, the data are broken"
        where = "below its band" if self.status is Status.BELOW_BAND else "within its band"
        return (
            f"{name}: {where}; log loss {self.log_loss:.3f} (at most {self.highest_log_loss:.3f}), "
            f"hit@1 {self.hit_rate_at_1:.1%} (at least {self.lowest_hit_rate:.1%})"
        )
