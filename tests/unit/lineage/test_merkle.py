"""Merkle trees: against the definition of RFC 6962 written down a second time, and its published vectors."""

import hashlib

import pytest

from globolatte_lineage.merkle import (
    EMPTY,
    Frontier,
    consistency_proof,
    inclusion_proof,
    is_consistent,
    leaf_hash,
    root_from_inclusion,
    root_of,
)

CONTENTS = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
"""The leaves that the field's implementations of Certificate Transparency are tested with."""

ROOTS = {
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}
LEAVES = [leaf_hash(b"%d" % number) for number in range(33)]


def by_definition(contents: list[bytes]) -> bytes:
    """MTH of section 2.1, word by word."""
    if not contents:
        return hashlib.sha256(b"").digest()
    if len(contents) == 1:
        return hashlib.sha256(b"\x00" + contents[0]).digest()
    cut = 1
    while cut * 2 < len(contents):
        cut *= 2
    return hashlib.sha256(b"\x01" + by_definition(contents[:cut]) + by_definition(contents[cut:])).digest()


@pytest.mark.parametrize(("size", "root"), ROOTS.items())
def test_the_published_vectors(size: int, root: str) -> None:
    assert root_of(map(leaf_hash, CONTENTS[:size])).hex() == root


@pytest.mark.parametrize("size", range(34))
def test_a_root_is_that_of_the_definition(size: int) -> None:
    assert root_of(LEAVES[:size]) == by_definition([b"%d" % number for number in range(size)])


def test_a_tree_that_grows_in_parts_is_the_tree_built_at_once() -> None:
    for cut in range(len(LEAVES) + 1):
        assert Frontier().extended(LEAVES[:cut]).extended(LEAVES[cut:]) == Frontier().extended(LEAVES)
    assert Frontier().root == EMPTY


def test_each_leaf_has_a_proof_and_no_other_leaf_has_it() -> None:
    for size in range(1, len(LEAVES) + 1):
        root = root_of(LEAVES[:size])
        for index in range(size):
            proof = inclusion_proof(index, LEAVES[:size])
            assert root_from_inclusion(index, size, LEAVES[index], proof) == root
            assert root_from_inclusion(index, size, leaf_hash(b"forged"), proof) != root
            assert root_from_inclusion(index, size, LEAVES[index], [*proof, EMPTY]) != root
            assert size == 1 or root_from_inclusion(index, size, LEAVES[index], proof[:-1]) != root
            assert size == 1 or root_from_inclusion((index + 1) % size, size, LEAVES[index], proof) != root


def test_each_beginning_is_consistent_and_no_other_history_is() -> None:
    forged = [leaf_hash(b"forged"), *LEAVES[1:]]
    for new in range(1, len(LEAVES) + 1):
        for old in range(1, new + 1):
            proof = consistency_proof(old, LEAVES[:new])
            roots = root_of(LEAVES[:old]), root_of(LEAVES[:new])
            assert is_consistent(old, roots[0], new, roots[1], proof)
            assert not is_consistent(old, root_of(forged[:old]), new, roots[1], proof)
            assert not is_consistent(old, roots[0], new, root_of(forged[:new]), proof)
            assert not is_consistent(old, roots[0], new, roots[1], [*proof, EMPTY])


@pytest.mark.parametrize("index", [-1, 5])
def test_a_leaf_outside_the_tree_has_no_proof(index: int) -> None:
    with pytest.raises(IndexError, match="of 5 leaves"):
        inclusion_proof(index, LEAVES[:5])
    with pytest.raises(IndexError, match="of 5"):
        consistency_proof(index + 1 if index > 0 else index, LEAVES[:5])
