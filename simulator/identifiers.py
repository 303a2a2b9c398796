"""Identifiers as they appear in files: a letter and a zero-padded number that counts from 1."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


def product_ids(count: int) -> list[str]:
    """P001, P002, …"""
    return _identifiers("P", 3, count).to_pylist()


def customer_ids(count: int) -> list[str]:
    """C0001, C0002, …"""
    return _identifiers("C", 4, count).to_pylist()


def order_ids(count: int, earlier: int = 0) -> Any:
    """O0000001, O0000002, … as an Arrow string array; `earlier` numbers are taken already."""
    return _identifiers("O", 7, count, earlier)


def transaction_ids(count: int, earlier: int = 0) -> Any:
    """T00000001, T00000002, … as an Arrow string array; `earlier` numbers are taken already."""
    return _identifiers("T", 8, count, earlier)


def _identifiers(prefix: str, minimum_width: int, count: int, earlier: int = 0) -> Any:
    last = earlier + count
    width = max(minimum_width, len(str(last)))
    digits = pc.utf8_lpad(pa.array(np.arange(earlier + 1, last + 1)).cast(pa.string()), width, "0")
    return pc.binary_join_element_wise(pa.scalar(prefix), digits, "")
