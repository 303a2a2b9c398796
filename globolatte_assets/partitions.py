"""How raw sales are partitioned: business unit (its landing folder) by business date."""

import datetime as dt
from collections.abc import Sequence

import dagster as dg

BUSINESS_UNIT = "business_unit"
DATE = "date"


def sales_partitions(folders: Sequence[str], first_business_date: dt.date) -> dg.MultiPartitionsDefinition:
    """Business unit by business date, from the first date that can be delivered through tomorrow (UTC).

    Keys read `canada|2022-01-01`. In the east of Greenwich, it is tomorrow already: what a unit delivers is judged by its own clock.
    """
    return dg.MultiPartitionsDefinition(
        {
            BUSINESS_UNIT: dg.StaticPartitionsDefinition(sorted(folders)),
            DATE: dg.DailyPartitionsDefinition(start_date=first_business_date.isoformat(), end_offset=2),
        }
    )


def partition_key(folder: str, date: dt.date) -> str:
    """The partition of one business unit's one date, such as `canada|2022-01-01`."""
    return f"{folder}|{date.isoformat()}"
