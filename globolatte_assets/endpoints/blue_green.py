"""Blue/green as decisions: which colour a model goes to, and what should run before and after the switch. Pure functions."""

from dataclasses import dataclass

from resources.endpoint import WHOLE, Deployment, DesiredState

BLUE, GREEN = "blue", "green"


@dataclass(frozen=True)
class Rollout:
    """How a model gets all the traffic.

    `beside`: the new deployment without traffic beside what serves now; `final`: the new one alone. `needed` is false if
    that is so already.
    """

    colour: str
    replaces: str | None
    beside: DesiredState
    final: DesiredState
    needed: bool


def plan_rollout(current: DesiredState, wanted: Deployment) -> Rollout:
    """The rollout of a model over what should run now."""
    live = current.live
    if live is not None and current.deployments[live] == wanted:
        final = _alone(live, wanted)
        return Rollout(live, None, current, final, needed=current != final)
    colour = BLUE if live is None or live == GREEN else GREEN
    if live is None:
        return Rollout(colour, None, _alone(colour, wanted), _alone(colour, wanted), needed=True)
    beside = DesiredState({live: current.deployments[live], colour: wanted}, {live: WHOLE, colour: 0})
    return Rollout(colour, live, beside, _alone(colour, wanted), needed=True)


def _alone(colour: str, deployment: Deployment) -> DesiredState:
    return DesiredState({colour: deployment}, {colour: WHOLE})
