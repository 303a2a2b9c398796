"""`LocalEndpoint`: the endpoint of one machine as a Dagster resource."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from resources.endpoint.endpoint import DesiredState, ObservedDeployment, ObservedState
from resources.endpoint.local.client import EndpointClient
from resources.endpoint.local.supervisor import Options


class LocalEndpoint(dg.ConfigurableResource):
    """The endpoint under `folder`. `port`: of its URL; `log_seconds`: see the setting prediction_log_seconds."""

    folder: str
    port: int | None = None
    log_seconds: float = 30.0
    wait_seconds: float = 90.0

    @property
    def client(self) -> EndpointClient:
        """The caller's side."""
        return EndpointClient(Options(Path(self.folder), self.port, self.log_seconds))

    def desired(self) -> DesiredState:
        """What should run."""
        return self.client.desired()

    def deploy(self, desired: DesiredState) -> None:
        """Declares what should run, and starts the supervisor if it does not run."""
        self.client.declare(desired)
        self.client.ensure_running()

    def wait_healthy(self, name: str, seconds: float | None = None) -> ObservedDeployment:
        """Waits until a deployment serves what is declared for it. Raises `EndpointError` with the last lines of its log."""
        return self.client.wait_healthy(name, seconds or self.wait_seconds)

    def wait_settled(self, seconds: float | None = None) -> ObservedState:
        """Waits until what runs is what should. Raises `EndpointError`."""
        return self.client.wait_settled(seconds or self.wait_seconds)

    def observed(self) -> ObservedState:
        """What runs."""
        return self.client.observed()

    def score(self, requests: Sequence[Mapping[str, Any]], deployment: str | None = None) -> dict[str, Any]:
        """The answer to one call. Raises `EndpointError` with the endpoint's own message."""
        return self.client.score(requests, deployment)

    def describe(self) -> str:
        """The URL and the folder."""
        return f"{self.observed().url or 'not running'}, kept in {self.folder}"
