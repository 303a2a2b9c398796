"""The blue/green rollout of a model to the online endpoint: a pure decision makes the plan, then it is carried out."""

import time
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from resources.endpoint.endpoint import WHOLE, Deployment, DesiredState, Endpoint, EndpointError
from resources.ml.ml_platform import ModelVersion

BLUE, GREEN = "blue", "green"


@dataclass(frozen=True)
class Rollout:
    """How a model gets all the traffic.

    `before`: the desired state until now. `beside`: the new deployment without traffic beside the serving one; `final`: the new
    deployment alone. `needed` is false if `final` is the case already.
    """

    before: DesiredState
    colour: str
    replaces: str | None
    beside: DesiredState
    final: DesiredState
    needed: bool


def is_in_service(endpoint: Endpoint) -> bool:
    """Whether something was deployed and the endpoint runs. An endpoint that is empty or was stopped is not started by this."""
    return endpoint.observed().running and endpoint.desired().live is not None


def lags_behind(endpoint: Endpoint, champion: ModelVersion | None) -> bool:
    """Whether an endpoint in service serves another model than the champion."""
    if champion is None or not is_in_service(endpoint):
        return False
    desired = endpoint.desired()
    return desired.live is not None and desired.deployments[desired.live].content_hash != champion.content_hash


def plan_rollout(current: DesiredState, wanted: Deployment) -> Rollout:
    """The rollout of a model over what should run now."""
    live = current.live
    if live is not None and current.deployments[live] == wanted:
        final = _alone(live, wanted)
        return Rollout(current, live, None, current, final, needed=current != final)
    colour = BLUE if live is None or live == GREEN else GREEN
    if live is None:
        return Rollout(current, colour, None, _alone(colour, wanted), _alone(colour, wanted), needed=True)
    beside = DesiredState({live: current.deployments[live], colour: wanted}, {live: WHOLE, colour: 0})
    return Rollout(current, colour, live, beside, _alone(colour, wanted), needed=True)


def _alone(colour: str, deployment: Deployment) -> DesiredState:
    return DesiredState({colour: deployment}, {colour: WHOLE})


def declared_or_served(endpoint: Endpoint) -> DesiredState:
    """The desired state. If its document is damaged, what serves now, so that the deployment repairs it."""
    try:
        return endpoint.desired()
    except EndpointError:
        serving = [item for item in endpoint.observed().deployments if item.healthy and item.traffic == WHOLE]
        return DesiredState({item.name: item.deployment for item in serving}, {item.name: WHOLE for item in serving})


def roll_out(endpoint: Endpoint, rollout: Rollout, question: dict[str, Any]) -> float:
    """Carries out a rollout; returns the smoke request's latency in milliseconds.

    Raises `EndpointError` after it has declared the earlier desired state again.
    """
    before = rollout.before
    try:
        endpoint.deploy(rollout.beside)
        endpoint.wait_healthy(rollout.colour)
        latency = smoke(endpoint, rollout, question)
    except BaseException:  # also if the run is terminated, the earlier deployment goes on serving
        with suppress(EndpointError):
            endpoint.deploy(before)
        raise
    if rollout.final != rollout.beside:
        endpoint.deploy(rollout.final)
    return latency


def smoke(endpoint: Endpoint, rollout: Rollout, question: dict[str, Any]) -> float:
    """Sends the new deployment one request; returns milliseconds. Raises `EndpointError` if another model answers, or not a ranking."""
    wanted = rollout.final.deployments[rollout.colour]
    started = time.perf_counter()
    answer = endpoint.score([question], deployment=rollout.colour)
    latency = 1000 * (time.perf_counter() - started)
    total = sum(product["probability"] for product in answer["recommendations"][0]["products"])
    if answer["model_version"] != wanted.model_version or abs(total - 1) > 1e-6:
        raise EndpointError(
            f"deployment {rollout.colour} answers with model version {answer['model_version']} and probabilities that sum to "
            f"{total}; expected version {wanted.model_version} and 1"
        )
    return latency
