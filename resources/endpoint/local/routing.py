"""Which deployment answers a request: pure decisions over the supervisor's routes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from resources.endpoint.endpoint import Mirror


@dataclass(frozen=True)
class Route:
    """A deployment's address, and whether the supervisor found it healthy."""

    name: str
    port: int
    healthy: bool
    traffic: int
    model_version: str = ""
    levels: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """What its requests may say, by field; nothing before it has told."""


@dataclass(frozen=True)
class Routes:
    """All routes. `version` changes whenever any of them changes."""

    version: str = ""
    routes: tuple[Route, ...] = ()
    mirror: Mirror | None = None
    problems: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> "Routes":
        """The routes as the supervisor wrote them."""
        mirror = document.get("mirror")
        return cls(
            document["version"],
            tuple(Route(**route) for route in document["routes"]),
            Mirror(**mirror) if mirror else None,
            document.get("problems", {}),
        )

    def named(self, name: str) -> Route | None:
        """The route of that deployment."""
        return next((route for route in self.routes if route.name == name), None)


def shared_levels(routes: Routes) -> dict[str, tuple[str, ...]]:
    """By field, what every deployment with traffic takes; nothing of a field of which one of them has not told."""
    told = [route.levels for route in routes.routes if route.traffic > 0]
    fields = [name for name in told[0] if all(name in levels for levels in told)] if told else []
    shared = {
        name: tuple(one for one in told[0][name] if all(one in levels[name] for levels in told)) for name in fields
    }
    return {name: levels for name, levels in shared.items() if levels}


class NoRouteError(Exception):
    """No deployment can answer: the HTTP status and a message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def choose(routes: Routes, draw: float, wanted: str | None = None, avoid: Collection[int] = ()) -> Route:
    """The deployment that gets a request.

    Args:
        routes: the places.
        draw: a random number in [0, 1): its place in the traffic split decides.
        wanted: the deployment that the caller named, if any; it may have no traffic.
        avoid: ports that failed a moment ago; taken only if nothing else is left.

    Raises:
        NoRouteError: 404 for a deployment that does not exist, 503 if none can answer.
    """
    if wanted is not None:
        return _directly(routes, wanted)
    shared = [route for route in routes.routes if route.traffic > 0 and route.healthy]
    if not shared:
        raise NoRouteError(503, _why(routes))
    drawn = _by_draw([route for route in routes.routes if route.traffic > 0], draw)
    fresh = [route for route in shared if route.port not in avoid]
    if drawn in fresh:
        return drawn
    return _by_draw(fresh or shared, draw)


def mirrors(routes: Routes, answered: str, draw: float) -> Route | None:
    """The deployment that gets a copy of a request answered by `answered`, or none."""
    mirror = routes.mirror
    if mirror is None or mirror.deployment == answered or draw * 100 >= mirror.percent:
        return None
    route = routes.named(mirror.deployment)
    return route if route is not None and route.healthy else None


def _by_draw(routes: list[Route], draw: float) -> Route:
    left = draw * sum(route.traffic for route in routes)
    for route in routes:
        left -= route.traffic
        if left < 0:
            return route
    return routes[-1]


def _directly(routes: Routes, wanted: str) -> Route:
    route = routes.named(wanted)
    if route is None:
        there = ", ".join(sorted(route.name for route in routes.routes)) or "none yet"
        raise NoRouteError(404, f"there is no deployment {wanted[:40]!r}; there are: {there}")
    if not route.healthy:
        raise NoRouteError(503, f"deployment {wanted!r} is not healthy{_reason(routes, wanted)}; try again in a moment")
    return route


def _why(routes: Routes) -> str:
    if not routes.routes:
        return "nothing is deployed yet; run the job `deploy`"
    names = ", ".join(f"{route.name}{_reason(routes, route.name)}" for route in routes.routes)
    return f"no deployment with traffic is healthy ({names}); it is being started, try again in a moment"


def _reason(routes: Routes, name: str) -> str:
    return f": {routes.problems[name]}" if name in routes.problems else ""
