"""`PreferenceModel`: the probability of each product as the next main product, given a customer's state and a context.

The estimator that everybody uses: it predicts (`predicting.py`), fits itself (`fitting.py`), and is written and read (`model_files.py`).
"""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from globolatte_ml.data.columns import InvalidDataError
from globolatte_ml.data.orders import Contexts, Orders, canonical_order
from globolatte_ml.data.states import CustomerStates
from globolatte_ml.model import model_files
from globolatte_ml.model.fitting import fit_model
from globolatte_ml.model.predicting import HALF_LIVES_IN_DAYS, PENALTIES, FittedModel

__all__ = ["HALF_LIVES_IN_DAYS", "PENALTIES", "PreferenceModel"]


class PreferenceModel(FittedModel):
    """A taste model blended with a multinomial logistic regression, in the manner of a scikit-learn classifier.

    The taste model (`taste.py`) knows how choices come about, if they do as it supposes; the regression on
    `features.features` supposes little, and corrects what the other has wrong. The blend's weights are learned on the
    validation orders, which neither was fitted on; without enough of them the regression answers alone.

    Arguments and learned attributes are those of `predicting.FittedModel`.
    """

    def fit(
        self,
        states: CustomerStates,
        contexts: Contexts,
        y: np.ndarray,
        products: Sequence[str] | None = None,
        fresh_from: np.datetime64 | None = None,
    ) -> "PreferenceModel":
        """Learn from n orders in any sequence.

        Args:
            states: n customer states as of the order.
            contexts: n contexts.
            y: main product ids, shape (n,), n >= 1.
            products: the catalogue; ids found only in `y` are added. Default: the products of `states`.
            fresh_from: the first date that is new to the model that this one is to replace; None if there is none.
        """
        from threadpoolctl import threadpool_limits  # comes with scikit-learn, which an endpoint does not have

        if len(y) == 0:
            raise ValueError("no orders to learn from; load sales before training")
        catalogue = tuple(sorted({*map(str, products or states.products), *map(str, np.unique(y))}))
        chosen = np.searchsorted(np.array(catalogue), y)
        rows = canonical_order(states, contexts, chosen)
        orders = Orders(states.for_products(catalogue), contexts, chosen).take(rows)
        with threadpool_limits(1):  # sums split over threads differ in their last bits, and a search makes much of that
            fit_model(self, orders, catalogue, fresh_from)
        return self

    def content_hash(self) -> str:
        """SHA-256 over the learned parameters in canonical form: the same training gives the same name."""
        canonical = json.dumps(model_files.as_document(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()

    def save(self, folder: Path) -> None:
        """Write `preference_model.json` and `preference_model.npz` into `folder` (created if need be); no pickle."""
        model_files.save(self, folder)

    @classmethod
    def load(cls, folder: Path) -> "PreferenceModel":
        """Read what `save` wrote; raises InvalidDataError for a missing or damaged file or another format version."""
        model = cls()
        try:
            model_files.restore(model, folder)
        except InvalidDataError:
            raise
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            fault = f"{type(error).__name__}: {error}"
            raise InvalidDataError(
                f"{folder}: the model is of another version, or damaged ({fault}); train it again"
            ) from error
        return model
