"""The blend of the two experts, taste model and regression: a logarithmic pool of their probabilities.

Belongs here: pooling, and learning its two weights. Does not belong here: the experts.

log p = a log p_taste + b log p_regression + constant (Genest and Zidek 1986). The weights are learned on orders that neither expert
saw, later ones than those that both were fitted on: they say whom to trust, and how sure to be.
"""

from __future__ import annotations

import numpy as np

from globolatte_ml.data.shares import softmax

REGRESSION_ALONE = np.array([0.0, 1.0])
EXPECTED, PRIOR_ORDERS = np.array([0.8, 0.2]), 4.0
"""The weights before anything is known, and the strength of that belief."""
ITERATIONS = 50


def pool(weights: np.ndarray, log_taste: np.ndarray, log_regression: np.ndarray) -> np.ndarray:
    """Probabilities (n, K), rows summing to 1, of log probabilities (n, K) of each expert, up to a constant per row."""
    return softmax(weights[0] * log_taste + weights[1] * log_regression)


def learn_blend(log_taste: np.ndarray, log_regression: np.ndarray, chosen: np.ndarray) -> np.ndarray:
    """The weights (2,), neither negative, under which n later choices are most probable; `chosen`: (n,) positions."""
    from scipy.optimize import minimize

    rows = np.arange(len(chosen))
    experts = np.stack([log_taste, log_regression])

    def objective(weights: np.ndarray) -> tuple[float, np.ndarray]:
        probabilities = pool(weights, log_taste, log_regression)
        away = weights - EXPECTED
        gained = experts[:, rows, chosen] - (experts * probabilities).sum(axis=2)
        loss = -np.log(probabilities[rows, chosen]).sum() + PRIOR_ORDERS * (away**2).sum()
        return float(loss), 2 * PRIOR_ORDERS * away - gained.sum(axis=1)

    found = minimize(
        objective, EXPECTED, jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * 2, options={"maxiter": ITERATIONS}
    )
    weights: np.ndarray = found.x
    return weights
