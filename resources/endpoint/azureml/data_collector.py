"""Runs inside a deployment: hands requests and answers to Azure's data collector, which model monitors read.

This file is copied into the deployment's folder and stands alone: it imports nothing of this project. Only a deployment with a data
collector uses it, and only there is the package `azureml-ai-monitoring` installed.
"""

import logging
import os
from collections.abc import Callable, Sequence
from typing import Any

SWITCH = "GLOBOLATTE_COLLECT_DATA"
INPUTS, OUTPUTS = "model_inputs", "model_outputs"
FIELDS = ("customer_id", "known_customer", "business_unit", "weather", "daypart")

logger = logging.getLogger("azmlinfsrv.globolatte")


def listeners() -> list[Callable[[Any], None]]:
    """The listeners that the scoring service reports each call to: the collector, or none. Raises `ImportError` without its package."""
    return [Collected().offer] if os.environ.get(SWITCH) == "1" else []


class Collected:
    """The two collections of a deployment. Faults are logged, and the deployment goes on answering."""

    def __init__(self) -> None:
        from azureml.ai.monitoring import Collector

        def lost(error: Exception) -> None:
            logger.warning("the data collector took nothing: %s", error)

        self._inputs, self._outputs = (Collector(name=name, on_error=lost) for name in (INPUTS, OUTPUTS))

    def offer(self, entry: Any) -> None:
        """Queues one call (`request_id` and `answers`): one row per request, and the best answer beside it."""
        import pandas as pd
        from azureml.ai.monitoring.context import BasicCorrelationContext

        answers: Sequence[Any] = entry.answers
        call = BasicCorrelationContext(id=entry.request_id or None)
        requests = [{**{name: getattr(one, name) for name in FIELDS}, "date": one.date.isoformat()} for one in answers]
        best = [
            {
                "prediction_id": one.prediction_id,
                "product_id": one.ranked[0].product_id,
                "probability": one.ranked[0].probability,
            }
            for one in answers
        ]
        self._inputs.collect(pd.DataFrame(requests), call)
        self._outputs.collect(pd.DataFrame(best), call)
