"""The verdicts of monitoring: frozen records that can be stored, compared and decided on."""

from dataclasses import dataclass
from enum import StrEnum

from globolatte_ml.monitoring.windows import Window


class Status(StrEnum):
    """The status of a column or a window. `BROKEN` is not drift: the data are unusable, whatever they seem to show. `NOTED` is a column
    that changed or lost its values, which neither the model nor the load needs; no window has it."""

    OK = "ok"
    DRIFTED = "drifted"
    BELOW_BAND = "below_band"
    BROKEN = "broken"
    NOTED = "noted"
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


@dataclass(frozen=True)
class PerformanceVerdict:
    """The champion's predictions for a window's orders against what was bought.

    Attributes:
        log_loss, hit_rate_at_1: on the window's orders; none where the data are broken.
        highest_log_loss, lowest_hit_rate: the band from the champion's own holdout.
    """

    window: Window
    status: Status
    log_loss: float | None
    hit_rate_at_1: float | None
    highest_log_loss: float
    lowest_hit_rate: float
