"""Which files of a listing the ledger does not know as they are: decided in the warehouse, since listings are long and news are few."""

from collections.abc import Sequence

from globolatte_ingest.ledger import MISPLACED
from resources.landing.landing_zone import LandedFile
from resources.warehouse.warehouse import Transaction

OFF_THE_RECORD = f"""
with latest as (
    select path, max_by(etag, sequence) as etag, max_by(coalesce(reason, ''), sequence) as reason
    from sales_data.load_ledger
    where path in (select path from listed)
    group by path
)

select listed.place
from listed
left join latest on listed.path = latest.path
where latest.path is null or latest.etag <> listed.etag or position('{MISPLACED}' in latest.reason) = 1
order by listed.place
"""


def off_the_record(transaction: Transaction, listing: Sequence[LandedFile]) -> list[LandedFile]:
    """The files whose latest version on the record is another, or none, or was refused for its path alone."""
    import pyarrow as pa

    places = pa.array(range(len(listing)), pa.int64())
    paths = pa.array([path for path, _, _ in listing], pa.string())
    etags = pa.array([etag for _, etag, _ in listing], pa.string())
    transaction.stage("listed", pa.table({"place": places, "path": paths, "etag": etags}))
    return [listing[place] for place in transaction.fetch(OFF_THE_RECORD)["place"].to_pylist()]
