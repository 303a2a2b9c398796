"""The regression expert's fit: multinomial logistic, L2-penalised.

Belongs here: the call to scikit-learn and what it needs. Does not belong here: features, and which penalty is best (`model.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np

MAXIMUM_ITERATIONS = 500
Watch = Callable[[], AbstractContextManager[object]]
_watches: list[Watch] = []


@contextmanager
def watched(watch: Watch) -> Iterator[None]:
    """Within it, the fit of a model's own regression happens inside `watch()`; those of candidates do not."""
    _watches.append(watch)
    try:
        yield
    finally:
        _watches.remove(watch)


def fit_regression(
    inputs: np.ndarray,
    chosen: np.ndarray,
    penalty: float,
    weights: np.ndarray | None,
    random_state: int,
    *,
    is_candidate: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (S, d) and intercepts (S,) for the S distinct values of `chosen` in sorted order; `penalty` is scikit-learn's C.

    inputs: (n, d). weights: (n,), None for equal ones.
    """
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(chosen)) == 1:
        return np.zeros((1, inputs.shape[1])), np.zeros(1)
    regression = LogisticRegression(C=penalty, max_iter=MAXIMUM_ITERATIONS, random_state=random_state)
    centre = inputs.mean(axis=0)  # the same optimum, since intercepts go unpunished, in a third of the iterations
    watch = _watches[-1]() if _watches and not is_candidate else nullcontext()
    with watch, warnings.catch_warnings():  # a candidate that did not converge is taken for what it scores
        warnings.simplefilter("ignore", ConvergenceWarning)
        regression.fit(inputs - centre, chosen, sample_weight=weights)
    coef, intercept = regression.coef_, regression.intercept_ - regression.coef_ @ centre
    if len(coef) == 1:  # scikit-learn keeps one row of log odds for two classes
        coef, intercept = np.vstack([np.zeros_like(coef), coef]), np.concatenate([[0.0], intercept])
    return coef, intercept
