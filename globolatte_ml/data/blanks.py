"""The one rule of blanks: whitespace of Unicode around a value is no part of it, in files, requests and batches alike."""

import pyarrow as pa
import pyarrow.compute as pc


def trimmed(text: str) -> str:
    """`text` without whitespace at its ends: characters of Unicode's White_Space, and the separators U+001C to U+001F."""
    return text.strip()


def trimmed_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """`trimmed` of each text of a column; NULL stays NULL."""
    return pc.utf8_trim_whitespace(column)


def filled_column(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """`trimmed` of each text of a column, and NULL where nothing is left of it."""
    texts = trimmed_column(column)
    return pc.if_else(pc.equal(texts, ""), pa.scalar(None, texts.type), texts)
