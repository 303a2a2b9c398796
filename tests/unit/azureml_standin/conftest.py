"""The real SDK's client of the stand-in's workspace."""

from typing import Any

import pytest

from tests.emulators.azureml import StandIn


@pytest.fixture
def client(azureml: StandIn) -> Any:
    return azureml.ml_client()
