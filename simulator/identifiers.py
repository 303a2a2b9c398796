"""Identifiers as they appear in files: a letter and a zero-padded number that counts from 1."""

from typing import Any

import numpy as np

MINIMUM_WIDTH = {"P": 3, "C": 4, "O": 7, "T": 8}


def product_ids(count: int) -> list[str]:
    """P001, P002, …"""
    return _identifiers("P", 0, count, count).to_pylist()


def customer_ids(count: int) -> list[str]:
    """C0001, C0002, …"""
    return _identifiers("C", 0, count, count).to_pylist()


def order_ids(count: int, earlier: int = 0) -> Any:
    """O0000001, O0000002, … as an Arrow string array; `earlier` numbers are taken already."""
    return _identifiers("O", earlier, earlier + count, earlier + count)


def transaction_ids(first: int, last: int, count: int) -> Any:
    """Arrow string array of the transaction ids of lines `first` to `last` (0-based, `last` excluded) of `count`."""
    return _identifiers("T", first, last, count)


def _identifiers(prefix: str, first: int, last: int, count: int) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    width = max(MINIMUM_WIDTH[prefix], len(str(count)))
    digits = pc.utf8_lpad(pa.array(np.arange(first + 1, last + 1)).cast(pa.string()), width, "0")
    return pc.binary_join_element_wise(pa.scalar(prefix), digits, "")
