"""Writing Parquet so that the same rows give the same bytes, however they came in pieces."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pyarrow as pa

ROWS_IN_A_GROUP = 122_880


def write_in_equal_groups(file: Path, schema: "pa.Schema", tables: "Iterable[pa.Table]") -> None:
    """Writes the tables as one file, one after the other, in groups of `ROWS_IN_A_GROUP` rows."""
    import pyarrow as pa
    from pyarrow import parquet

    with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
        waiting = schema.empty_table()
        for table in tables:
            waiting = pa.concat_tables([waiting, table])
            while waiting.num_rows >= ROWS_IN_A_GROUP:
                writer.write_table(waiting.slice(0, ROWS_IN_A_GROUP).combine_chunks(), ROWS_IN_A_GROUP)
                waiting = waiting.slice(ROWS_IN_A_GROUP)
        if waiting.num_rows:
            writer.write_table(waiting.combine_chunks(), ROWS_IN_A_GROUP)
