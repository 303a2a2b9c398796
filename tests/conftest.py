"""What every test gets: an environment of its own. Arranging beyond that is done by `tests.builders`."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
import pytest

from resources.landing.folder import FolderLandingZone
from resources.warehouse.duckdb_file import DuckDBWarehouse
from tests.builders import Deployment, deployment, landing_in, put_reference_data, warehouse_in
from tests.emulators.azurite_server import Azurite, why_not
from tests.emulators.fakesnow_server import FakeSnowflake

if TYPE_CHECKING:
    from tests.emulators.azureml import StandIn


@pytest.fixture(autouse=True)
def _environment_of_its_own() -> Iterator[None]:
    """No setting of the machine reaches a test, and none that a test exports reaches the next."""
    before = dict(os.environ)
    for name in before:
        if name.startswith(("GLOBOLATTE_", "DAGSTER_")):
            del os.environ[name]
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def landing(tmp_path: Path) -> FolderLandingZone:
    """An empty landing zone."""
    return landing_in(tmp_path)


@pytest.fixture(scope="session")
def azurite(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    """Azure's blob and queue storage, emulated; one for all tests of a process, each of which makes containers of its own."""
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    server = Azurite(tmp_path_factory.mktemp("azurite") / "azurite.log")
    try:
        yield server.start()
    finally:
        server.kill()


@pytest.fixture(scope="session")
def fakesnow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FakeSnowflake]:
    """An emulator of Snowflake; one for all tests of a process, each of which makes a database of its own."""
    server = FakeSnowflake(tmp_path_factory.mktemp("fakesnow"))
    try:
        yield server.start()
    finally:
        server.kill()


@pytest.fixture(scope="session")
def _running_azureml(tmp_path_factory: pytest.TempPathFactory) -> Iterator["StandIn"]:
    from tests.emulators.azureml import azureml_standin

    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    with azureml_standin(tmp_path_factory.mktemp("azureml")) as running:
        yield running


@pytest.fixture
def azureml(_running_azureml: "StandIn") -> Iterator["StandIn"]:
    """Azure ML, emulated, reachable from this process and those it starts. One for all tests of a process: name things apart.

    The test fails if it asks for what the stand-in does not model, or breaks a contract of Azure's models.
    """
    _running_azureml.faults.clear()
    _running_azureml.journal.clear()
    with _running_azureml.reachable():
        yield _running_azureml
    _running_azureml.journal.assert_clean()


@pytest.fixture(scope="session")
def _migrated_warehouse(tmp_path_factory: pytest.TempPathFactory) -> DuckDBWarehouse:
    """Made once and copied: migrating takes longer than most tests."""
    made = warehouse_in(tmp_path_factory.mktemp("migrated"))
    put_reference_data(made)
    return made


@pytest.fixture
def closed_warehouse(_migrated_warehouse: DuckDBWarehouse, tmp_path: Path) -> DuckDBWarehouse:
    """A warehouse that knows three units and three products; its file is free for other processes."""
    mine = warehouse_in(tmp_path)
    shutil.copy(_migrated_warehouse.file, mine.file)
    return mine


@pytest.fixture
def warehouse(closed_warehouse: DuckDBWarehouse) -> Iterator[DuckDBWarehouse]:
    """The same, kept open: opening the file takes longer than most loads."""
    with closed_warehouse.kept_open():
        yield closed_warehouse


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    """A Dagster instance that is gone after the test."""
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture
def deployed(tmp_path: Path, instance: dg.DagsterInstance) -> Deployment:
    """A deployment that nothing has landed in yet."""
    return deployment(tmp_path, instance)


@pytest.fixture
def ready(deployed: Deployment, warehouse: DuckDBWarehouse) -> Deployment:
    """A deployment whose warehouse knows three units and three products, and is kept open."""
    assert deployed.warehouse.file == warehouse.file
    return deployed
