"""Blue/green as decisions: which colour a model goes to, and what should run before and after the switch. Pure functions."""

from dataclasses import dataclass

from resources.endpoint.endpoint import WHOLE, Deployment, DesiredState, Endpoint
from resources.ml.ml_platform import ModelVersion

BLUE, GREEN = "blue", "green"


@dataclass(frozen=True)
class Rollout:
    """How a model gets all the traffic.

    `before`: what should have run until now. `beside`: the new deployment without traffic beside what serves now; `final`: the
    new one alone. `needed` is false if that is so already.
    """

    before: DesiredState
    colour: str
    replaces: str | None
    beside: DesiredState
    final: DesiredState
    needed: bool


def is_in_service(endpoint: Endpoint) -> bool:
    """Whether something was deployed, and the endpoint runs: one that is empty or was stopped is nobody's to start."""
    return endpoint.observed().running and endpoint.desired().live is not None


def lags_behind(endpoint: Endpoint, champion: ModelVersion | None) -> bool:
    """Whether an endpoint in service answers with another model than the champion."""
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
