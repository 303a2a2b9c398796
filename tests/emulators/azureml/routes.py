"""Which function answers which request, and the models that its bodies must fit. Handlers register themselves."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.emulators.azureml.calls import Answer, Call

Handler = Callable[[Call], Answer]
ANY_NAME = r"[^/]+"


@dataclass(frozen=True)
class Contract:
    """Names of the SDK's REST models: what a request carries, what an answer carries, what a listed page holds."""

    takes: str | None = None
    gives: str | None = None
    lists: str | None = None


@dataclass(frozen=True)
class Route:
    """A method on host and path; `{name}` stands for one segment, `{name:path}` for the rest."""

    method: str
    template: str
    handler: Handler
    contract: Contract
    pattern: re.Pattern[str]
    open_to_all: bool


ROUTES: list[Route] = []


def route(
    method: str,
    template: str,
    *,
    takes: str | None = None,
    gives: str | None = None,
    lists: str | None = None,
    open_to_all: bool = False,
) -> Callable[[Handler], Handler]:
    """Registers a handler. `open_to_all`: it looks at who asks itself, or need not know."""

    def register(handler: Handler) -> Handler:
        contract = Contract(takes, gives, lists)
        ROUTES.append(Route(method, template, handler, contract, _pattern(template), open_to_all))
        return handler

    return register


def _pattern(template: str) -> re.Pattern[str]:
    parts = re.split(r"(\{\w+(?::path)?\})", template)
    return re.compile("".join(map(_part, parts)) + r"/?", re.IGNORECASE)


def _part(part: str) -> str:
    if not part.startswith("{"):
        return re.escape(part)
    name, _, kind = part[1:-1].partition(":")
    return f"(?P<{name}>{'.+' if kind else ANY_NAME})"


def found(method: str, address: str) -> tuple[Route, dict[str, str]] | None:
    """The route of a method and an address (host and path), with the names in it."""
    for candidate in _of(method):
        match = candidate.pattern.fullmatch(address)
        if match:
            return candidate, match.groupdict()
    return None


def _of(method: str) -> Iterator[Route]:
    return (candidate for candidate in ROUTES if candidate.method == method)
