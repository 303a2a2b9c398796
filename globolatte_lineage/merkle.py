"""Merkle trees as in RFC 6962, section 2.1: SHA-256, 0x00 before a leaf, 0x01 before a node, so that neither passes for the other.

A tree of n leaves is split at the largest power of two below n. Hashes are 32 bytes.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

EMPTY = hashlib.sha256(b"").digest()
"""The root of a tree without leaves."""


def leaf_hash(content: bytes) -> bytes:
    """The hash of a leaf."""
    return hashlib.sha256(b"\x00" + content).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash of a node above two others."""
    return hashlib.sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True)
class Frontier:
    """What has to be kept of a tree to add to it: the roots of its complete subtrees, largest first. At most log2(size) + 1 of them."""

    size: int = 0
    peaks: tuple[bytes, ...] = ()

    def extended(self, leaves: Iterable[bytes]) -> "Frontier":
        """The frontier after adding leaf hashes. Costs what is added, whatever the size of the tree."""
        size, peaks = self.size, list(self.peaks)
        for leaf in leaves:
            merged, rest = leaf, size
            while rest & 1:
                merged = node_hash(peaks.pop(), merged)
                rest >>= 1
            peaks.append(merged)
            size += 1
        return Frontier(size, tuple(peaks))

    @property
    def root(self) -> bytes:
        """The root of the tree."""
        if not self.peaks:
            return EMPTY
        root = self.peaks[-1]
        for peak in reversed(self.peaks[:-1]):
            root = node_hash(peak, root)
        return root


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over leaf hashes."""
    return Frontier().extended(leaves).root


def _split(size: int) -> int:
    return 1 << ((size - 1).bit_length() - 1)


def inclusion_proof(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """The hashes that lead from the leaf at `index` (from 0) to the root, lowest first. Raises `IndexError` outside the tree."""
    if not 0 <= index < len(leaves):
        raise IndexError(f"leaf {index} is not in a tree of {len(leaves)} leaves; give 0 to {len(leaves) - 1}")
    if len(leaves) == 1:
        return []
    cut = _split(len(leaves))
    if index < cut:
        return [*inclusion_proof(index, leaves[:cut]), root_of(leaves[cut:])]
    return [*inclusion_proof(index - cut, leaves[cut:]), root_of(leaves[:cut])]


def root_from_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes]) -> bytes | None:
    """The root that a proof of inclusion leads to; None where its length does not fit a tree of `size` leaves."""
    if not 0 <= index < size:
        return None
    number, last, root = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return None
        if number & 1 or number == last:
            root = node_hash(step, root)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            root = node_hash(root, step)
        number, last = number >> 1, last >> 1
    return root if last == 0 else None


def consistency_proof(old: int, leaves: Sequence[bytes]) -> list[bytes]:
    """The hashes that show that the tree of the first `old` leaves is the beginning of this one. Raises `IndexError` outside of it."""
    if not 0 < old <= len(leaves):
        raise IndexError(f"a tree of {len(leaves)} leaves has no beginning of {old}; give 1 to {len(leaves)}")
    return _subproof(old, leaves, is_whole=True)


def _subproof(old: int, leaves: Sequence[bytes], *, is_whole: bool) -> list[bytes]:
    if old == len(leaves):
        return [] if is_whole else [root_of(leaves)]
    cut = _split(len(leaves))
    if old <= cut:
        return [*_subproof(old, leaves[:cut], is_whole=is_whole), root_of(leaves[cut:])]
    return [*_subproof(old - cut, leaves[cut:], is_whole=False), root_of(leaves[:cut])]


def is_consistent(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether a proof shows that the tree of `old` leaves is the beginning of that of `new` (RFC 9162, section 2.1.4.2)."""
    if not 0 < old <= new:
        return False
    if old == new:
        return not proof and old_root == new_root
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not path:
        return False
    number, last = old - 1, new - 1
    while number & 1:
        number, last = number >> 1, last >> 1
    first = second = path[0]
    for step in path[1:]:
        if last == 0:
            return False
        if number & 1 or number == last:
            first, second = node_hash(step, first), node_hash(step, second)
            while not number & 1 and number:
                number, last = number >> 1, last >> 1
        else:
            second = node_hash(second, step)
        number, last = number >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root
