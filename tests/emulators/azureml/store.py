"""The resources that the stand-in holds, in the shape in which Azure gives them, by ARM id. Ids do not heed case."""

import copy
import threading
from datetime import UTC, datetime
from typing import Any

from tests.emulators.azureml.calls import PROVIDER, Refused

Resource = dict[str, Any]


def now() -> str:
    """The time, as Azure writes it."""
    return datetime.now(UTC).isoformat()


class Store:
    """Resources by id. Hold `lock` to read and write as one step."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._resources: dict[str, Resource] = {}

    def get(self, resource_id: str) -> Resource | None:
        """The resource itself, or none."""
        return self._resources.get(resource_id.lower())

    def need(self, resource_id: str, code: str = "UserError", status: int = 404) -> Resource:
        """The resource itself; refuses the request if there is none."""
        found = self.get(resource_id)
        if found is None:
            raise Refused(status, code, f"Not found: {resource_id}")
        return found

    def put(self, resource: Resource) -> Resource:
        """Keeps a resource in place of an earlier one."""
        with self.lock:
            self._resources[resource["id"].lower()] = resource
        return resource

    def remove(self, resource_id: str) -> None:
        """Removes a resource and all below it."""
        gone = resource_id.lower()
        with self.lock:
            for key in [key for key in self._resources if key == gone or key.startswith(gone + "/")]:
                del self._resources[key]

    def children(self, collection_id: str) -> list[Resource]:
        """The resources directly in a collection, oldest first."""
        prefix = collection_id.lower() + "/"
        with self.lock:
            return [
                found
                for key, found in self._resources.items()
                if key.startswith(prefix) and "/" not in key[len(prefix) :]
            ]

    def of_type(self, below: str) -> list[Resource]:
        """All resources of a type below Azure ML's provider."""
        with self.lock:
            return [found for found in self._resources.values() if found["type"] == f"{PROVIDER}/{below}"]

    def refuse_twin(self, resource_id: str) -> None:
        """Refuses an endpoint whose name another workspace has taken: its name is its address in the region."""
        kind, name = resource_id.split("/")[-2:]
        other = self.of_kind(kind, name)
        if other is not None and other["id"].lower() != resource_id.lower():
            raise Refused(400, "BadArgument", f"Endpoint name {name} is taken; it must be unique in the region")

    def of_kind(self, kind: str, name: str) -> Resource | None:
        """A resource by the last two parts of its id, wherever it is."""
        end = f"/{kind}/{name}".lower()
        with self.lock:
            return next((found for key, found in self._resources.items() if key.endswith(end)), None)


def made(
    resource_id: str, below: str, properties: dict[str, Any], before: Resource | None = None, /, **more: object
) -> Resource:
    """A resource with the fields that every one has. `below` is its type below Azure ML's provider."""
    then = (before or {}).get("systemData", {})
    return {
        **more,
        "id": resource_id,
        "name": resource_id.rpartition("/")[2],
        "type": f"{PROVIDER}/{below}",
        "properties": properties,
        "systemData": {
            "createdAt": then.get("createdAt", now()),
            "createdBy": "stand-in",
            "createdByType": "Application",
            "lastModifiedAt": now(),
            "lastModifiedBy": "stand-in",
            "lastModifiedByType": "Application",
        },
    }


def seen(resource: Resource) -> Resource:
    """A copy that is safe to send: jobs and operations go on changing the resource.

    They set fields that are there and replace what is in them, but add none: a dictionary must not grow while it is copied.
    """
    return copy.deepcopy(resource)
