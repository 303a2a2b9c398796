"""Matrix factorisation of implicit feedback by alternating least squares (Hu, Koren, Volinsky 2008), in numpy.

The peer that recommender libraries offer; the package `implicit` gives the same factors, yet no probabilities either.
"""

import numpy as np

FACTORS, REGULARISATION, CONFIDENCE, SWEEPS = 5, 0.1, 4.0, 15
TEMPERATURES = np.geomspace(0.5, 20.0, 12)


def product_factors(counts: np.ndarray, seed: int = 0) -> np.ndarray:
    """Product factors (K, f) from `counts` (customers, K)."""
    rng = np.random.default_rng(seed)
    products = 0.1 * rng.standard_normal((counts.shape[1], FACTORS))
    for _ in range(SWEEPS):
        customers = fold_in(counts, products)
        products = fold_in(counts.T, customers)
    return products


def fold_in(counts: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """The factors (n, f) of rows with `counts` (n, m), given those of the columns (m, f)."""
    confidence = CONFIDENCE * counts
    gram = factors.T @ factors + REGULARISATION * np.eye(factors.shape[1])
    left = gram + np.einsum("nm,mf,mg->nfg", confidence, factors, factors, optimize=True)
    right = ((1.0 + confidence) * (counts > 0)) @ factors
    solved: np.ndarray = np.linalg.solve(left, right[:, :, None])[:, :, 0]
    return solved
