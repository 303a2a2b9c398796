"""Lists as Azure gives them: in pages, each with the address of the next."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from tests.emulators.azureml.calls import Answer, Call
from tests.emulators.azureml.store import Resource, seen


def listed(call: Call, resources: list[Resource], query: Mapping[str, str] | None = None) -> Answer:
    """A page of the resources that the query leaves; `query` in place of the call's to filter by."""
    left = [
        resource for resource in resources if _wanted(call.query if query is None else query, resource["properties"])
    ]
    if "createdtime desc" in call.query.get("$orderBy", "").lower():
        left.reverse()
    if "$top" in call.query:
        left = left[: int(call.query["$top"])]
    start, size = int(call.query.get("$skip", "0")), call.world.faults.page_size
    body: dict[str, Any] = {"value": [seen(resource) for resource in left[start : start + size]]}
    if start + size < len(left):
        query = urlencode({**call.query, "$skip": start + size})
        body["nextLink"] = f"https://{call.host}{call.path}?{query}"
    return Answer(200, body)


def _wanted(query: Mapping[str, str], properties: dict[str, Any]) -> bool:
    view = query.get("listViewType", "ActiveOnly")
    if view != "All" and bool(properties.get("isArchived")) != (view == "ArchivedOnly"):
        return False
    if query.get("isDefault") == "true" and not properties.get("isDefault"):
        return False
    if "hash" in query and properties.get("properties", {}).get("hash_sha256") != query["hash"]:
        return False
    tags = [tag for tag in query.get("tags", "").split(",") if tag]
    return all(_tagged(properties.get("tags") or {}, tag) for tag in tags)


def _tagged(tags: dict[str, str], wanted: str) -> bool:
    name, equals, value = wanted.partition("=")
    return name in tags and (not equals or tags[name] == value)
