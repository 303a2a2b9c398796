"""Which customers the challenger answers: by hash of experiment and customer.

The same customer is on the same side in every request, on every machine and after every restart; two experiments split
independently of each other; and who was on the canary stays on it when its share grows.
"""

from globolatte_ml.data.customer_hash import hash_share


def is_on_challenger(experiment: str, customer: str, share: float) -> bool:
    """Whether the challenger answers this customer at this share.

    experiment: such as the challenger's content hash. customer: its id; of a request that names none, an id of the request itself.
    """
    if not 0.0 <= share <= 1.0:
        raise ValueError(f"share {share} of customers is not between 0 and 1")
    return hash_share(experiment, customer) < share
