"""The data collector beside a deployment: takes what its script collects, and keeps it as files that are a data asset."""

import http.server
import json
import threading
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.emulators.azureml.assets import KINDS, keep_version
from tests.emulators.azureml.locations import place_of
from tests.emulators.azureml.store import Resource

if TYPE_CHECKING:
    from tests.emulators.azureml.world import World

PATH, KIND = "/modeldata/log", "azureml.inference."


class Agent:
    """Takes the events of one deployment over HTTP, as the container beside a deployment in Azure does."""

    def __init__(self, world: "World", deployment: Resource, folder: Path) -> None:
        self._world, self._name = world, uuid.uuid4().hex[:12]
        self._collections = deployment["properties"]["dataCollector"]["collections"]
        self._workspace, _, rest = deployment["id"].partition("/onlineEndpoints/")
        self._endpoint, _, self._deployment = rest.split("/")
        self._lock = threading.Lock()
        self.enabled = {
            name.lower(): int(100 * (one.get("samplingRate") or 1.0))
            for name, one in self._collections.items()
            if one.get("dataCollectionMode") == "Enabled"
        }
        self._config = folder / "data-collector.json"
        settings = {name: {"enabled": True, "sampleRatePercentage": rate} for name, rate in self.enabled.items()}
        self._config.write_text(json.dumps({"collections": settings}))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which the package in the deployment finds its agent."""
        host, port = self._server.server_address[:2]
        return {
            "AZUREML_MDC_CONFIG_PATH": str(self._config),
            "AZUREML_MDC_HOST": str(host),
            "AZUREML_MDC_PORT": str(port),
        }

    def stop(self) -> None:
        """Takes no more."""
        self._server.shutdown()
        self._server.server_close()

    def register(self) -> None:
        """Makes each collection a data asset, as Azure does once the deployment is there."""
        for name in self.enabled:
            found, version = f"{self._endpoint}-{self._deployment}-{name}", "1"
            given = {"dataType": "uri_folder", "dataUri": self._address(name), "description": None}
            asset, _ = keep_version(self._world, KINDS[0], self._workspace, found, version, given)
            self._collections[name] = {**self._collections[name], "dataId": asset["id"]}

    def _address(self, collection: str) -> str:
        path = f"modelDataCollector/{self._endpoint}/{self._deployment}/{collection}"
        return f"azureml://datastores/workspaceblobstore/paths/{path}"

    def keep(self, collection: str, event: dict[str, Any]) -> None:
        """Adds an event to the file of this hour."""
        root = place_of(self._world, self._workspace, self._address(collection))
        place = root.below(f"{datetime.now(UTC):%Y/%m/%d/%H}/{self._name}.jsonl")
        with self._lock:
            before = self._world.storage.read(place) or b""
            self._world.storage.write(place, before + json.dumps(event).encode() + b"\n")

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        agent = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                data = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                kind = self.headers.get("ce-type", "")
                collection = kind.removeprefix(KIND)
                known = self.path == PATH and collection in agent.enabled
                if known:
                    agent.keep(
                        collection,
                        {
                            "specversion": "1.0",
                            "id": self.headers.get("trace-id"),
                            "type": kind,
                            "correlationid": self.headers.get("ce-x-request-id"),
                            "data": data,
                        },
                    )
                self.send_response(200 if known else 404)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return None

        return Handler
