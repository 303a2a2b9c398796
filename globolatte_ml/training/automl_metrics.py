"""What an AutoML search makes large, by the names that Azure's AutoML gives them.

Belongs here: metrics of class probabilities. Does not belong here: how models are judged (`metrics.py`): no gate reads these.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Metric = Callable[[np.ndarray, np.ndarray], float]


def accuracy(chosen: np.ndarray, shares: np.ndarray) -> float:
    """Share of orders whose most probable class was chosen; `chosen` (n,) are columns of `shares` (n, T)."""
    return float((shares.argmax(axis=1) == chosen).mean())


def auc_weighted(chosen: np.ndarray, shares: np.ndarray) -> float:
    """Area under the curve of each class against the others, weighted by how often it was chosen."""
    from sklearn.metrics import roc_auc_score

    return _weighted(chosen, shares, lambda was, share: float(roc_auc_score(was, share)))


def average_precision_score_weighted(chosen: np.ndarray, shares: np.ndarray) -> float:
    """Average precision of each class, weighted by how often it was chosen."""
    from sklearn.metrics import average_precision_score

    return _weighted(chosen, shares, lambda was, share: float(average_precision_score(was, share)))


def norm_macro_recall(chosen: np.ndarray, shares: np.ndarray) -> float:
    """Mean recall of the classes that were chosen, moved so that guessing gives 0."""
    hit = shares.argmax(axis=1) == chosen
    recall = float(np.mean([hit[chosen == one].mean() for one in np.unique(chosen)]))
    guess = 1.0 / shares.shape[1]
    return (recall - guess) / (1.0 - guess)


def precision_score_weighted(chosen: np.ndarray, shares: np.ndarray) -> float:
    """Precision of each class, weighted by how often it was chosen."""
    from sklearn.metrics import precision_score

    return float(precision_score(chosen, shares.argmax(axis=1), average="weighted", zero_division=0.0))


def _weighted(chosen: np.ndarray, shares: np.ndarray, one_class: Callable[[np.ndarray, np.ndarray], float]) -> float:
    """Over the classes that some orders chose and others did not: only these can be told apart."""
    classes, counts = np.unique(chosen, return_counts=True)
    if len(classes) == 1:
        return 0.5
    scores = [one_class(chosen == one, shares[:, one]) for one in classes]
    return float(np.average(scores, weights=counts))


METRICS: dict[str, Metric] = {
    metric.__name__: metric
    for metric in (
        accuracy,
        auc_weighted,
        average_precision_score_weighted,
        norm_macro_recall,
        precision_score_weighted,
    )
}
