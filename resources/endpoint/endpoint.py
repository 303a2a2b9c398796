"""The online endpoint: what should run, what does run, and the protocol of every implementation."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

ENDPOINT_NAME = "recommender"
NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
WHOLE = 100
DEPLOYMENT_HEADER = "azureml-model-deployment"
"""The header that picks a deployment in a request, and names the one that answered in an answer."""


@dataclass(frozen=True)
class Deployment:
    """One model behind the endpoint. It is the same wherever its files are."""

    model_folder: str = field(compare=False)
    model_version: str
    content_hash: str


@dataclass(frozen=True)
class Mirror:
    """Copies `percent` of the requests to a deployment whose answers are not used."""

    deployment: str
    percent: int


@dataclass(frozen=True)
class DesiredState:
    """What should run: deployments by name, whole percentages of traffic (summing to 100 unless there is no deployment), mirror.

    Raises `ValueError` that names what is inconsistent.
    """

    deployments: Mapping[str, Deployment] = field(default_factory=dict)
    traffic: Mapping[str, int] = field(default_factory=dict)
    mirror: Mirror | None = None

    def __post_init__(self) -> None:
        for name in self.deployments:
            if not NAME.fullmatch(name):
                raise ValueError(f"deployment {name!r}: use lower-case letters, digits and '-', such as 'blue'")
        unknown = sorted(set(self.traffic) - set(self.deployments))
        if unknown:
            raise ValueError(f"traffic names {unknown[0]!r}, which is no deployment; deploy it first")
        wrong = [f"{name}={percent}" for name, percent in self.traffic.items() if not 0 <= percent <= WHOLE]
        if wrong:
            raise ValueError(f"traffic {wrong[0]} is no percentage; use 0 to 100")
        total = sum(self.traffic.values())
        if self.deployments and total != WHOLE:
            raise ValueError(f"traffic sums to {total}; it must sum to 100")
        if self.mirror is not None:
            self._check(self.mirror)

    def _check(self, mirror: Mirror) -> None:
        if mirror.deployment not in self.deployments:
            raise ValueError(f"the mirror names {mirror.deployment!r}, which is no deployment; deploy it first")
        if not 1 <= mirror.percent <= WHOLE:
            raise ValueError(f"the mirror takes {mirror.percent} percent; use 1 to 100")

    @property
    def live(self) -> str | None:
        """The deployment with the most traffic."""
        return max(self.traffic, key=lambda name: self.traffic[name], default=None)


@dataclass(frozen=True)
class ObservedDeployment:
    """What one deployment does. `status` is what it reports about itself: state version, log counts."""

    name: str
    deployment: Deployment
    phase: str
    """starting, serving, waiting to start again, or draining."""
    healthy: bool
    restarts: int
    since: str
    traffic: int
    status: Mapping[str, Any] = field(default_factory=dict)
    last_error: str | None = None

    @property
    def problems(self) -> list[str]:
        """What is wrong with it, one sentence each: the process, the customer state, the prediction log."""
        log = self.status.get("prediction_log") or {}
        return [str(found) for found in (self.last_error, self.status.get("state_error"), log.get("fault")) if found]


@dataclass(frozen=True)
class ObservedState:
    """What runs. `routed`: the gateway uses exactly these deployments. `converged`: the newest desired state is served, and nothing of
    an older one runs any more.
    """

    url: str | None
    running: bool
    healthy: bool
    routed: bool
    converged: bool
    deployments: Sequence[ObservedDeployment] = ()
    page: str | None = None
    """A page about the endpoint for people: its health, or its place in a studio."""

    def named(self, name: str) -> ObservedDeployment | None:
        """The newest deployment of that name."""
        return next((item for item in self.deployments if item.name == name and item.phase != "draining"), None)


class EndpointError(RuntimeError):
    """The endpoint cannot do what was requested; the message says what to do. `facts`: its parts by name, where a platform gives them."""

    def __init__(self, message: str, facts: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.facts: dict[str, str] = dict(facts or {})


class Endpoint(Protocol):
    """Answers questions online. Implementations: `LocalEndpoint`, `AzureMLEndpoint`."""

    def desired(self) -> DesiredState:
        """What should run."""

    def deploy(self, desired: DesiredState) -> None:
        """Declares what should run, and returns at once; the change goes on in the background."""

    def wait_healthy(self, name: str, seconds: float | None = None) -> ObservedDeployment:
        """Waits until a deployment serves the model declared for it. Raises `EndpointError` with the end of its log if it does not."""

    def wait_until_converged(self, seconds: float | None = None) -> ObservedState:
        """Waits until traffic is as declared and everything else has ended. Raises `EndpointError`."""

    def observed(self) -> ObservedState:
        """What runs."""

    def score(self, requests: Sequence[Mapping[str, Any]], deployment: str | None = None) -> dict[str, Any]:
        """The answer to one call, from a certain deployment if named. Raises `EndpointError` with the endpoint's message."""

    def describe(self) -> str:
        """Where this endpoint is, for people; no secret in it."""
