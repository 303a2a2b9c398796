"""Everything that one stand-in holds while it runs."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from tests.emulators.azureml.calls import Journal
from tests.emulators.azureml.faults import Faults
from tests.emulators.azureml.login import Tenant
from tests.emulators.azureml.operations import Operations
from tests.emulators.azureml.storage import Storage
from tests.emulators.azureml.store import Resource, Store

if TYPE_CHECKING:
    from tests.emulators.azureml.jobs.runs import Runs
    from tests.emulators.azureml.serving.servers import Servers


@dataclass
class World:
    """State shared by all handlers. `environment` is what a process needs to reach the stand-in."""

    folder: Path
    storage: Storage
    faults: Faults = field(default_factory=Faults)
    journal: Journal = field(default_factory=Journal)
    store: Store = field(default_factory=Store)
    tenant: Tenant = field(default_factory=Tenant)
    environment: dict[str, str] = field(default_factory=dict)
    databases: dict[str, Callable[[str], bytes]] = field(default_factory=dict)
    """What a query gives, as Parquet, by the name of a connection."""
    batch_jobs: dict[str, list[str]] = field(default_factory=dict)
    """The ids of jobs by the id of the batch deployment that runs them."""
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    operations: Operations = field(init=False)
    runs: "Runs" = field(init=False)
    servers: "Servers" = field(init=False)

    def __post_init__(self) -> None:
        from tests.emulators.azureml.jobs.runs import Runs
        from tests.emulators.azureml.serving.servers import Servers

        self.operations = Operations(self.faults)
        self.runs, self.servers = Runs(self), Servers(self)

    def stop(self) -> None:
        """Ends every job and inference server."""
        self.runs.stop()
        self.operations.join()
        self.servers.stop()

    def registry_asset(self, registry: str, kind: str, name: str, version: str) -> Resource | None:
        """A version in a registry, by the registry's name alone."""
        found = self.store.of_kind("registries", registry)
        return None if found is None else self.store.get(f"{found['id']}/{kind}/{name}/versions/{version}")
