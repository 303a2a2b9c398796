"""The clock. Everything that needs the time takes it from a `Clock`, so that a season can be run in minutes."""

import datetime as dt
from zoneinfo import ZoneInfo

import dagster as dg


class Clock(dg.ConfigurableResource):
    """The time: the real one, or a fixed moment.

    `fixed_at` is an ISO date and time with offset.
    """

    fixed_at: str | None = None

    def now(self) -> dt.datetime:
        """The current moment, in UTC."""
        if self.fixed_at is not None:
            return dt.datetime.fromisoformat(self.fixed_at).astimezone(dt.UTC)
        return dt.datetime.now(dt.UTC)

    def timestamp(self) -> dt.datetime:
        """The current moment in UTC without offset, as stored in the warehouse."""
        return self.now().replace(tzinfo=None)

    def today(self, time_zone: str = "UTC") -> dt.date:
        """The calendar date in `time_zone` (an IANA name)."""
        return self.now().astimezone(ZoneInfo(time_zone)).date()
