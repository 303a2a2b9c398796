"""A number that a customer always has: chance that can be repeated anywhere."""

import hashlib

HASH_DIGITS = 13


def hash_share(salt: str, customer: str) -> float:
    """A number in [0, 1) that a customer always has under this salt."""
    digest = hashlib.sha256(f"{salt}\x1f{customer}".encode()).hexdigest()[:HASH_DIGITS]
    return int(digest, 16) / 16.0**HASH_DIGITS
