"""Arithmetic of shares: rows of numbers that sum to 1, made of counts and of scores.

`scipy.special` has two of these; a single prediction would pay more for its dispatch than for the arithmetic.
"""

import numpy as np


def shrunken_shares(counts: np.ndarray, prior: np.ndarray, strength: float) -> np.ndarray:
    """Posterior mean of a Dirichlet-multinomial: shape (n, K), all positive, rows summing to 1.

    `prior` (n, K) sums to 1 by row and counts like `strength` orders (empirical Bayes: Minka, "Estimating a Dirichlet
    distribution", 2000).
    """
    return (counts + strength * prior) / (counts.sum(axis=1, keepdims=True) + strength)


def softmax(scores: np.ndarray) -> np.ndarray:
    """Shares (n, K) in proportion to exp(scores)."""
    shares = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    return shares


def log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log shares along the last axis."""
    moved = logits - logits.max(axis=-1, keepdims=True)
    shares: np.ndarray = moved - np.log(np.exp(moved).sum(axis=-1, keepdims=True))
    return shares


def centred_log(shares: np.ndarray) -> np.ndarray:
    """Centred log-ratio (Aitchison 1982): log shares with row means of zero; of counts it is that of their shares."""
    logs = np.log(shares)
    centred: np.ndarray = logs - logs.mean(axis=1, keepdims=True)
    return centred
