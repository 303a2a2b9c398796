"""One HTTP request to the stand-in, its answer, and what every call leaves in the journal."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.emulators.azureml.network import MANAGEMENT

if TYPE_CHECKING:
    from tests.emulators.azureml.world import World

PROVIDER = "Microsoft.MachineLearningServices"
GROUP = MANAGEMENT + "/subscriptions/{subscription}/resourceGroups/{group}"
WORKSPACE = f"{GROUP}/providers/{PROVIDER}/workspaces/{{workspace}}"
REGISTRY = f"{GROUP}/providers/{PROVIDER}/registries/{{registry}}"


@dataclass(frozen=True)
class Call:
    """A request whose route is known. `names` are the parts of the path that the route names."""

    world: "World"
    method: str
    host: str
    path: str
    names: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    raw: bytes
    body: Any
    """The parsed JSON, or none."""

    @property
    def workspace_id(self) -> str:
        """The ARM id of the workspace that the path names."""
        return workspace_id(self.names["subscription"], self.names["group"], self.names["workspace"])

    @property
    def registry_id(self) -> str:
        """The ARM id of the registry that the path names."""
        scope = f"/subscriptions/{self.names['subscription']}/resourceGroups/{self.names['group']}"
        return f"{scope}/providers/{PROVIDER}/registries/{self.names['registry']}"

    @property
    def api_version(self) -> str | None:
        """The version of the API that the client speaks."""
        return self.query.get("api-version")


@dataclass(frozen=True)
class Answer:
    """A response; a body that is neither bytes nor none is sent as JSON."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Refused(Exception):  # noqa: N818
    """A request that the service refuses, in the shape of Azure's errors."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status, self.code, self.message, self.headers = status, code, message, dict(headers or {})

    def answer(self) -> Answer:
        return Answer(self.status, {"error": error_body(self.code, self.message)}, self.headers)


def error_body(code: str, message: str) -> dict[str, Any]:
    """The error that a failed request, operation or run carries."""
    component = {"type": "ComponentName", "info": {"value": "managementfrontend"}}
    return {"code": code, "message": message, "details": [], "additionalInfo": [component]}


def workspace_id(subscription: str, group: str, workspace: str) -> str:
    """The ARM id of a workspace."""
    return f"/subscriptions/{subscription}/resourceGroups/{group}/providers/{PROVIDER}/workspaces/{workspace}"


@dataclass(frozen=True)
class Recorded:
    """A call as the journal keeps it: the route stands for ids that differ from run to run."""

    method: str
    route: str
    api_version: str | None
    status: int

    def __str__(self) -> str:
        return f"{self.method} {self.status} {self.route} [{self.api_version or '-'}]"


class Journal:
    """The calls that were made. `unmodelled` and `violations` are failures of the test that caused them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.calls: list[Recorded] = []
        self.unmodelled: list[str] = []
        self.violations: list[str] = []
        self.refused_hosts: list[str] = []

    def clear(self) -> None:
        """Forgets everything."""
        with self._lock:
            self.calls, self.unmodelled, self.violations, self.refused_hosts = [], [], [], []

    def record(self, call: Recorded) -> None:
        """Keeps one call."""
        with self._lock:
            self.calls.append(call)

    def refuse_host(self, host: str) -> None:
        """Keeps a host that a client wanted to reach and that the stand-in does not play."""
        self.refused_hosts.append(host)

    def mark(self) -> int:
        """Where the journal stands; `since` takes it."""
        return len(self.calls)

    def since(self, mark: int) -> list[Recorded]:
        """The calls after a mark."""
        return self.calls[mark:]

    def assert_clean(self) -> None:
        """Raises `AssertionError` if anything was requested that the stand-in does not model, or that broke a contract."""
        assert not self.unmodelled, "not modelled by the stand-in: " + "; ".join(self.unmodelled)
        assert not self.violations, "not what Azure's models say: " + "; ".join(self.violations)
