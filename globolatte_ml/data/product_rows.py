"""Which amounts of which products belong to whom, as sparse rows: what was never bought takes no memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

AMOUNTS = ("main_orders", "addon_lines", "decayed_main_30d", "decayed_main_120d")


@dataclass(frozen=True)
class ProductRows:
    """n rows of a table of K products that is mostly empty, compressed by row (CSR).

    The pairs of row i are those from `indptr[i]` to `indptr[i + 1]`; their products ascend, each stands there once, and at least one of
    its amounts is not 0.

    Attributes:
        indptr: int64, shape (n + 1,).
        product: int32 positions in the catalogue, shape (pairs,).
        main_orders, addon_lines, decayed_main_30d, decayed_main_120d: float64, shape (pairs,); see `CustomerStates`.
    """

    indptr: np.ndarray
    product: np.ndarray
    main_orders: np.ndarray
    addon_lines: np.ndarray
    decayed_main_30d: np.ndarray
    decayed_main_120d: np.ndarray

    def __len__(self) -> int:
        return len(self.indptr) - 1

    @classmethod
    def of_pairs(
        cls, n: int, row: np.ndarray, product: np.ndarray, amounts: Mapping[str, np.ndarray], sum_equal: bool = False
    ) -> "ProductRows":
        """n rows of pairs in any sequence; an amount that is not given is 0.

        Of equal pairs the last one counts, or the sum of all. Pairs without any amount, and rows or products below 0, are left out.
        """
        given = {name: np.asarray(of, dtype=np.float64) for name, of in amounts.items()}
        held = (row >= 0) & (product >= 0)
        held &= np.any([of != 0 for of in given.values()], axis=0) if given else False
        if not held.all():
            row, product, given = row[held], product[held], {name: of[held] for name, of in given.items()}
        row, product = row.astype(np.int64), product.astype(np.int32)
        same_row = row[1:] == row[:-1]
        if not ((row[1:] > row[:-1]) | same_row & (product[1:] > product[:-1])).all():
            order = np.lexsort((product, row))  # a stable sort: of equal pairs the last one stays the last
            row, product, given = row[order], product[order], {name: of[order] for name, of in given.items()}
            first = np.append(True, (row[1:] != row[:-1]) | (product[1:] != product[:-1]))
            if not first.all():
                start = np.flatnonzero(first)
                last = np.append(start[1:], len(row)) - 1
                given = {name: np.add.reduceat(of, start) if sum_equal else of[last] for name, of in given.items()}
                row, product = row[start], product[start]
        indptr = np.searchsorted(row, np.arange(n + 1))
        nothing = np.zeros(len(row))
        return cls(indptr, product, **{name: given.get(name, nothing) for name in AMOUNTS})

    @classmethod
    def of_dense(cls, n: int, **amounts: np.ndarray) -> "ProductRows":
        """n rows of tables (n, K); an amount that is not given is 0."""
        if not amounts:
            return cls.empty(n)
        row, product = np.nonzero(np.any([table != 0 for table in amounts.values()], axis=0))
        return cls.of_pairs(n, row, product, {name: table[row, product] for name, table in amounts.items()})

    @classmethod
    def empty(cls, n: int) -> "ProductRows":
        """n rows without any product."""
        none = np.empty(0, dtype=np.int64)
        return cls.of_pairs(n, none, none, {})

    @classmethod
    def one_after_the_other(cls, many: Sequence["ProductRows"]) -> "ProductRows":
        """The rows of all, in one piece."""
        ends = np.cumsum([0, *(len(rows.product) for rows in many)])
        indptr = [rows.indptr[1:] + end for rows, end in zip(many, ends[:-1], strict=True)]
        joined = {name: np.concatenate([getattr(rows, name) for rows in many]) for name in ("product", *AMOUNTS)}
        return cls(np.concatenate([np.zeros(1, np.int64), *indptr]), **joined)

    @property
    def lengths(self) -> np.ndarray:
        """How many products each row has, int64 of shape (n,)."""
        return np.diff(self.indptr)

    @property
    def row(self) -> np.ndarray:
        """The row of each pair, int64 of shape (pairs,)."""
        return np.repeat(np.arange(len(self)), self.lengths)

    @property
    def amounts(self) -> dict[str, np.ndarray]:
        """The four amounts by name, each of shape (pairs,)."""
        return {name: getattr(self, name) for name in AMOUNTS}

    def take(self, rows: np.ndarray) -> "ProductRows":
        """The rows at `rows`, positions; -1 gives an empty row."""
        if len(self) == 0:
            return ProductRows.empty(len(rows))
        lengths = np.where(rows < 0, 0, self.indptr[rows + 1] - self.indptr[rows])  # not `lengths`: a few of many rows
        indptr = np.append(0, np.cumsum(lengths))
        pairs = np.repeat(self.indptr[rows] - indptr[:-1], lengths) + np.arange(indptr[-1])
        return ProductRows(indptr, self.product[pairs], **{name: of[pairs] for name, of in self.amounts.items()})

    def moved(self, place: np.ndarray) -> "ProductRows":
        """The same over another catalogue: `place` (K,) says where each product stands there, -1 if it does not."""
        return ProductRows.of_pairs(len(self), self.row, place[self.product], self.amounts)

    def with_amounts_of(self, other: "ProductRows", names: Sequence[str]) -> "ProductRows":
        """These rows, but the amounts `names` from n other rows."""
        mine = {name: np.zeros(len(self.product)) if name in names else of for name, of in self.amounts.items()}
        theirs = {name: of if name in names else np.zeros(len(other.product)) for name, of in other.amounts.items()}
        both = {name: np.concatenate((mine[name], theirs[name])) for name in AMOUNTS}
        row, product = np.concatenate((self.row, other.row)), np.concatenate((self.product, other.product))
        return ProductRows.of_pairs(len(self), row, product, both, sum_equal=True)

    def dense(self, name: str, k: int) -> np.ndarray:
        """One amount as a table (n, k), made anew at each call: for small catalogues and few rows."""
        table = np.zeros((len(self), k))
        table[self.row, self.product] = getattr(self, name)
        return table

    def amount_of(self, name: str, product: np.ndarray) -> np.ndarray:
        """One amount of one product of each row, shape (n,): `dense(name, K)[arange(n), product]`."""
        values = np.zeros(len(self))
        row = self.row
        here = self.product == product[row]
        values[row[here]] = getattr(self, name)[here]
        return values

    def total(self, name: str) -> np.ndarray:
        """The sum of one amount over the products of each row, shape (n,)."""
        return np.bincount(self.row, weights=getattr(self, name), minlength=len(self))

    def ranks(self, names: Sequence[str], within: np.ndarray) -> np.ndarray:
        """The place of each row, int64 of shape (n,), equal for equal rows, in the sequence that `np.lexsort` makes of the dense columns
        of each amount (the last product of the last name weighs most) below `within` (n,): how many rows come before it.

        Amounts are at least 0. Takes time in proportion to the pairs of rows that nothing before tells apart.
        """
        _, found, size = np.unique(within, return_inverse=True, return_counts=True)
        rank = (np.cumsum(size) - size)[found]
        row = self.row
        for name in reversed(names):
            amount = getattr(self, name)
            held = amount != 0
            product, amount = self.product[held], amount[held]
            ends = np.searchsorted(row[held], np.arange(len(self) + 1))
            start, stop = ends[:-1], ends[1:]
            tied = np.flatnonzero(np.bincount(rank, minlength=len(self))[rank] > 1)
            for back in range(1, int((stop - start)[tied].max(initial=0)) + 1):
                at = stop[tied] - back
                has = at >= start[tied]
                keys = np.where(has, product[at], -1), np.where(has, amount[at], 0.0)
                rank[tied], still = _split(rank[tied], *keys)
                tied = tied[has & still]
                if not len(tied):
                    break
        return rank


def _split(rank: np.ndarray, *keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ranks of whole groups of equal ones, told apart by `keys`, the first weighing most; and which of them are still tied."""
    order = np.lexsort((*keys[::-1], rank))
    places = np.arange(len(rank))
    other = np.append(True, np.diff(rank[order]) != 0)
    group_start = np.maximum.accumulate(np.where(other, places, 0))
    for key in keys:
        other |= np.append(True, np.diff(key[order]) != 0)
    run = np.cumsum(other) - 1
    split, still = np.empty_like(rank), np.empty(len(rank), dtype=bool)
    split[order] = rank[order] + np.flatnonzero(other)[run] - group_start
    still[order] = np.bincount(run)[run] > 1
    return split, still
