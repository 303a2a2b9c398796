"""Starting and stopping a stand-in: Azurite over TLS, the app over TLS, and the proxy that leads clients to both."""

import asyncio
import logging
import os
import socket
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import uvicorn

from tests.emulators.azureml.calls import Journal
from tests.emulators.azureml.certificates import Certificates, make_certificates
from tests.emulators.azureml.faults import Faults
from tests.emulators.azureml.network import BLOB, Proxy
from tests.emulators.azureml.responsible_ai import add_registry
from tests.emulators.azureml.storage import Storage
from tests.emulators.azureml.workspaces import add_workspace
from tests.emulators.azureml.world import World
from tests.emulators.azurite_server import Azurite

START_SECONDS = 60
GROUP, WORKSPACE = "globolatte", "globolatte"


class StandIn:
    """A running stand-in: the calls to it, the faults to apply, and what a client needs to reach it."""

    def __init__(self, world: World, certificates: Certificates) -> None:
        self.world, self.certificates = world, certificates
        self.subscription_id = str(uuid.uuid4())
        self.resource_group, self.workspace_name = GROUP, WORKSPACE

    @property
    def faults(self) -> Faults:
        """What is to go wrong."""
        return self.world.faults

    @property
    def journal(self) -> Journal:
        """The calls, and those of them that the stand-in could not answer."""
        return self.world.journal

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to reach the stand-in: proxy, trust, a service principal, quick polling."""
        return dict(self.world.environment)

    @property
    def scored(self) -> Counter[tuple[str, str]]:
        """How many requests each (endpoint, deployment) answered."""
        return self.world.servers.scored

    @property
    def mirrored(self) -> Counter[tuple[str, str]]:
        """How many requests were copied to each (endpoint, deployment)."""
        return self.world.servers.mirrored

    @property
    def databases(self) -> dict[str, Callable[[str], bytes]]:
        """What an import by query gives, as Parquet, by the name of the workspace connection."""
        return self.world.databases

    @property
    def account_url(self) -> str:
        """The address of the workspace's blob storage."""
        return f"https://{BLOB}"

    @property
    def account_key(self) -> str:
        """The key of the workspace's storage account."""
        return self.world.storage.key

    def ml_client_arguments(self, **changed: Any) -> dict[str, Any]:
        """Arguments for `azure.ai.ml.MLClient`; the environment must be that of `reachable`."""
        from azure.identity import ClientSecretCredential

        tenant = self.world.tenant
        return {
            "credential": ClientSecretCredential(tenant.tenant_id, tenant.client_id, tenant.secret),
            "subscription_id": self.subscription_id,
            "resource_group_name": self.resource_group,
            "workspace_name": self.workspace_name,
            "enable_telemetry": False,
            "show_progress": False,
            **changed,
        }

    def ml_client(self, **changed: Any) -> Any:
        """The real SDK's client of the workspace."""
        from azure.ai.ml import MLClient

        return MLClient(**self.ml_client_arguments(**changed))

    def add_workspace(self, name: str) -> None:
        """Another workspace beside the first, such as one for production."""
        add_workspace(self.world, self.subscription_id, self.resource_group, name)

    @contextmanager
    def reachable(self) -> Iterator[None]:
        """Sets this process's environment so that clients made in it reach the stand-in."""
        before = dict(os.environ)
        os.environ.update(self.environment)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


@contextmanager
def azureml_standin(folder: Path) -> Iterator[StandIn]:
    """Runs a stand-in that keeps its files in `folder`; ends every process it started when it is left."""
    folder.mkdir(parents=True, exist_ok=True)
    certificates = make_certificates(folder / "certificates")
    azurite = Azurite(folder / "azurite.log", certificate=(certificates.certificate, certificates.key))
    try:
        azurite.start()
        storage = Storage(int(azurite.ports["Blob"]), azurite.key, certificates)
        world = World(folder, storage)
        standin = StandIn(world, certificates)
        with _serving(world, certificates, int(azurite.ports["Blob"])) as proxy_port:
            world.environment.update(_environment(standin, proxy_port))
            standin.add_workspace(WORKSPACE)
            add_registry(world)
            try:
                yield standin
            finally:
                world.stop()
    finally:
        azurite.kill()


def _environment(standin: StandIn, proxy_port: int) -> dict[str, str]:
    proxy, authority = f"http://127.0.0.1:{proxy_port}", str(standin.certificates.authority)
    tenant = standin.world.tenant
    return {
        "HTTPS_PROXY": proxy,
        "https_proxy": proxy,
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "REQUESTS_CA_BUNDLE": authority,
        "SSL_CERT_FILE": authority,
        "AZURE_TENANT_ID": tenant.tenant_id,
        "AZURE_CLIENT_ID": tenant.client_id,
        "AZURE_CLIENT_SECRET": tenant.secret,
        "AZUREML_RUN_POLLING_INTERVAL_MIN": "0",
        "AZUREML_RUN_POLLING_INTERVAL_MAX": "1",
    }


class _Thread(threading.Thread):
    """The event loop of the app and the proxy."""

    def __init__(self, world: World, certificates: Certificates, blob_port: int) -> None:
        super().__init__(daemon=True, name="azureml-stand-in")
        from tests.emulators.azureml.app import app_of

        self.socket = socket.create_server(("127.0.0.1", 0))
        self.server = uvicorn.Server(
            uvicorn.Config(
                app_of(world),
                log_level="critical",
                ssl_certfile=str(certificates.certificate),
                ssl_keyfile=str(certificates.key),
                lifespan="off",
                timeout_graceful_shutdown=1,
            )
        )
        self.proxy = Proxy(int(self.socket.getsockname()[1]), blob_port, world.journal.refuse_host)
        self.ready = threading.Event()

    def run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        await self.proxy.start()
        self.ready.set()
        await self.server.serve(sockets=[self.socket])
        await self.proxy.stop()


@contextmanager
def _serving(world: World, certificates: Certificates, blob_port: int) -> Iterator[int]:
    """Serves app and proxy in a thread; gives the proxy's port."""
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    thread = _Thread(world, certificates, blob_port)
    thread.start()
    assert thread.ready.wait(START_SECONDS), "the stand-in did not start"
    try:
        yield thread.proxy.port
    finally:
        thread.server.should_exit = True
        thread.join(timeout=START_SECONDS)
