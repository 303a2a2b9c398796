"""Loads a file, or the beginning, middle and end of a large one, into a warehouse in memory: by the same code as every load.

So what is shown is what a load would do, row for row; nothing of it stays.
"""

import datetime as dt
import io
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa

from globolatte_ingest.declarations import product_names, unit_declaration
from globolatte_ingest.load import LoadContext, load_batch
from globolatte_ingest.paths import SalesFile
from globolatte_ingest.reading.landed_bytes import FileLimits
from resources.landing.landing_zone import LandedFile, Level, Page
from resources.warehouse.duckdb_file import DuckDBWarehouse

WHOLE_UP_TO = 16 * 1024 * 1024
"""Bytes up to which a file is loaded as a whole."""
PIECE_BYTES = 4 * 1024 * 1024
"""What is taken of the beginning, the middle and the end of a larger one."""
SHOWN_ROWS = 8
MOST_EXAMPLES = 3

FIRST_ROWS = f"""
select * from sales_data.sales_transactions order by row_number limit {SHOWN_ROWS}
"""

REASONS = "select reason, count(*) as rows from sales_data.quarantine group by reason order by rows desc, reason"

EXAMPLES = f"""
select reason, line_number, detail, raw_text
from sales_data.quarantine
qualify row_number() over (partition by reason order by row_number) <= {MOST_EXAMPLES}
order by reason, row_number
"""

SUMS = """
select
    count(*) as rows, cast(coalesce(sum(total_price), 0) as varchar) as takings,
    count(*) filter (where kind = 'refund') as refunds, count(*) filter (where kind = 'void') as voids,
    count(*) filter (where customer_id is null) as anonymous, count(distinct order_id) as orders
from sales_data.sales_transactions
"""


@dataclass(frozen=True)
class Preview:
    """What a load would do: the file's status with the reason, the first rows as the tables would have them, and the quarantine.

    `is_part`: only the beginning, the middle and the end of the file were loaded.
    """

    status: str
    reason: str | None
    rows: tuple[dict[str, Any], ...]
    reasons: Mapping[str, int]
    examples: tuple[dict[str, Any], ...]
    sums: Mapping[str, Any]
    is_part: bool


@dataclass(frozen=True)
class _OneFile:
    """A landing zone with one file in it."""

    file: LandedFile
    content: bytes

    def files(self, prefix: str = "") -> Iterator[LandedFile]:
        if self.file.path.startswith(prefix):
            yield self.file

    def level(self, prefix: str = "") -> Level:  # noqa: ARG002 - nothing lists it level by level
        return Level(files=(self.file,))

    def page(self, prefix: str = "", start: str | None = None) -> Page:  # noqa: ARG002 - there is only one
        return Page(tuple(self.files(prefix)), None)

    @contextmanager
    def open(self, file: LandedFile) -> Iterator[BinaryIO]:  # noqa: ARG002 - there is only one
        yield io.BytesIO(self.content)

    def describe(self) -> str:
        return "memory"


def preview(
    placed: SalesFile,
    content: bytes,
    table: Mapping[str, Any],
    units: pa.Table,
    products: pa.Table,
    context: "PreviewContext",
) -> Preview:
    """What loading these bytes at this place would do under this declaration of its unit."""
    piece = sample_of(content, placed.file.path)
    unit = {row["folder"]: row["business_unit_id"] for row in units.to_pylist()}
    zones = {row["business_unit_id"]: row["time_zone"] for row in units.to_pylist()}
    own = unit[placed.folder]
    declared = (
        unit_declaration(own, table).with_names(product_names(products.to_pylist())).with_zones(zones[own], zones)
    )
    warehouse = DuckDBWarehouse(file=f":memory:onboarding-{uuid.uuid4().hex}")
    with warehouse.keep_open():
        warehouse.replace("sales_data.business_units", units)
        warehouse.replace("sales_data.products", products)
        loading = LoadContext(
            "onboarding",
            context.now,
            unit,
            context.limits,
            context.max_bad_share,
            {placed.folder: declared},
        )
        file = placed.file._replace(size=len(piece))
        load_batch(warehouse, _OneFile(file, piece), [SalesFile(file, placed.folder, placed.date)], loading)
        with warehouse.transaction() as transaction:
            [entry] = transaction.fetch("select status, reason from sales_data.load_ledger").to_pylist()
            reasons = transaction.fetch(REASONS).to_pylist()
            [sums] = transaction.fetch(SUMS).to_pylist()
            return Preview(
                entry["status"],
                entry["reason"],
                tuple(transaction.fetch(FIRST_ROWS).to_pylist()),
                {row["reason"]: row["rows"] for row in reasons},
                tuple(transaction.fetch(EXAMPLES).to_pylist()),
                sums,
                len(piece) < len(content),
            )


@dataclass(frozen=True)
class PreviewContext:
    """When it is loaded (UTC without offset) and under which limits, as for every load."""

    now: dt.datetime
    limits: FileLimits
    max_bad_share: float


def sample_of(content: bytes, path: str) -> bytes:
    """The whole of a small file; of a large one in text, its beginning, some of its middle, and its end, in whole rows."""
    if len(content) <= WHOLE_UP_TO or not path.lower().endswith(".csv") or b"\x00" in content[:1024]:
        return content
    ends = _row_ends(content)
    middle = (len(content) - PIECE_BYTES) // 2
    cuts = [0, PIECE_BYTES, middle, middle + PIECE_BYTES, len(content) - PIECE_BYTES]
    places = [0, *(int(ends[np.searchsorted(ends, cut)]) for cut in cuts[1:])]
    return content[: places[1]] + content[places[2] : places[3]] + content[places[4] :]


def _row_ends(content: bytes) -> np.ndarray:
    """The places after line ends that end a row: those after an even number of quotes."""
    data = np.frombuffer(content, np.uint8)
    ends = np.flatnonzero(data == 10) + 1
    if b'"' in content:
        ends = ends[np.searchsorted(np.flatnonzero(data == 34), ends) % 2 == 0]
    return np.append(ends, len(content))
