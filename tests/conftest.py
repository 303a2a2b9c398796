"""What every test gets: an environment of its own. Arranging beyond that is done by `tests.builders`."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import psutil
import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

from resources.landing.folder import FolderLandingZone
from resources.warehouse.duckdb_file import DuckDBWarehouse
from tests.builders import Deployment, deployment, landing_in, put_reference_data, warehouse_in
from tests.emulators.azurite_server import Azurite, why_not
from tests.emulators.fakesnow_server import FakeSnowflake
from tests.homes import Home, NewHome, copied, ran_home, simulated_home
from tests.session import Shared

if TYPE_CHECKING:
    from tests.emulators.azureml import StandIn

SHARED = pytest.StashKey[Shared]()
BEFORE = pytest.StashKey[set[str]]()
"""What lay in the working directory before the session."""

SPREAD = (
    "tests/integration/blob/",
    "tests/integration/snowflake/",
    "tests/integration/test_killed.py",
    "tests/integration/test_run.py",
    "tests/unit/azureml/",
)
"""Where each test takes long and arranges for itself: whichever worker is free takes the next one."""

settings.register_profile("quick", max_examples=50, deadline=None)
settings.register_profile("depth", max_examples=300, deadline=None)
settings.load_profile("quick")

# The session, once for all workers --------------------------------------------------------------------------------------


def pytest_configure(config: pytest.Config) -> None:
    given = getattr(config, "workerinput", None)
    is_small = "not depth" in config.option.markexpr  # what is in depth takes more room than memory has
    config.stash[SHARED] = (
        Shared.new(in_memory=is_small) if given is None else Shared(Path(given["shared"]), given["mark"])
    )

    config.stash[BEFORE] = _lying_in(config)


def _lying_in(config: pytest.Config) -> set[str]:
    """The files and folders in the repository's root, caches apart."""
    return {path.name for path in config.rootpath.iterdir() if not path.name.startswith((".", "__pycache__"))}


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tells a worker of pytest-xdist where the session is."""
    shared = node.config.stash[SHARED]
    node.workerinput |= {"shared": str(shared.folder), "mark": shared.mark}


class ByFileOrTest(LoadScopeScheduling):
    """Files stay whole, for what a module arranges once and for tests that go on from one another; those of `SPREAD` do not."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid if nodeid.startswith(SPREAD) else nodeid.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFileOrTest:
    """How `-n` spreads the work: in the order of collection, where what takes longest comes first. Groups by `xdist_group` have no

    effect under pytest 9.2: it keeps the ids of tests where pytest-xdist does not look.
    """
    return ByFileOrTest(config, log)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """The controller ends what is shared when the last worker is done; whatever else still runs, or lies in the working directory, fails
    the session."""
    if hasattr(session.config, "workerinput"):
        return
    shared = session.config.stash[SHARED]
    shared.end_servers()
    faults = []
    for process in shared.survivors():
        with suppress(psutil.Error):
            faults.append(f"left running by a test, killed now: {process.pid} {process.cmdline()}")
            process.kill()
    left = sorted(_lying_in(session.config) - session.config.stash[BEFORE])
    faults += [f"left in the working directory by a test: {name}" for name in left]
    if faults:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
        terminal = session.config.pluginmanager.getplugin("terminalreporter")
        for fault in faults:
            terminal.write_line(fault, red=True)
    shared.remove()


# What a test gets -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def shared(pytestconfig: pytest.Config) -> Shared:
    """What all workers of this session have in common."""
    return pytestconfig.stash[SHARED]


@pytest.fixture(autouse=True)
def _environment_of_its_own() -> Iterator[None]:
    """No setting of the machine reaches a test, and none that a test exports, nor a place for modules that it adds, reaches the next."""
    before, places = dict(os.environ), list(sys.path)
    for name in before:
        if name.startswith(("GLOBOLATTE_", "DAGSTER_")):
            del os.environ[name]
    yield
    os.environ.clear()
    os.environ.update(before)
    sys.path[:] = places


@pytest.fixture
def landing(tmp_path: Path) -> FolderLandingZone:
    """An empty landing zone."""
    return landing_in(tmp_path)


@pytest.fixture(scope="session")
def azurite(shared: Shared) -> Azurite:
    """Azure's blob and queue storage, emulated; one for all tests, each of which makes containers of its own."""
    reason = why_not()
    if reason is not None:
        pytest.skip(reason)
    return Azurite.shared(shared)


@pytest.fixture(scope="session")
def fakesnow(shared: Shared) -> FakeSnowflake:
    """An emulator of Snowflake; one for all tests, each of which makes a database of its own."""
    return FakeSnowflake.shared(shared)


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
    """Azure ML, emulated, reachable from this process and those it starts. One for all tests of a worker: name things apart.

    The test fails if it requests what the stand-in does not model, or breaks a contract of Azure's models.
    """
    _running_azureml.faults.clear()
    _running_azureml.journal.clear()
    with _running_azureml.reachable():
        yield _running_azureml
    _running_azureml.journal.assert_clean()


@pytest.fixture(scope="session")
def new_home(tmp_path_factory: pytest.TempPathFactory) -> NewHome:
    """Makes empty homes."""
    return lambda: Home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def small_home(shared: Shared, new_home: NewHome) -> NewHome:
    """Makes homes into which the small chain has delivered, and nothing has run."""
    return lambda: copied(simulated_home(shared), new_home().folder)


@pytest.fixture(scope="session")
def home_that_ran(shared: Shared, new_home: NewHome) -> NewHome:
    """Makes homes in which the small chain has run once: rows, features, a champion, recommendations."""
    return lambda: copied(ran_home(shared), new_home().folder)


@pytest.fixture(scope="session")
def _migrated_warehouse(shared: Shared) -> DuckDBWarehouse:
    """Made once and copied: migrating takes longer than most tests."""
    return warehouse_in(shared.once("migrated-warehouse", lambda folder: put_reference_data(warehouse_in(folder))))


@pytest.fixture
def closed_warehouse(_migrated_warehouse: DuckDBWarehouse, tmp_path: Path) -> DuckDBWarehouse:
    """A warehouse that knows three units and three products; its file is free for other processes."""
    mine = warehouse_in(tmp_path)
    shutil.copy(_migrated_warehouse.file, mine.file)
    return mine


@pytest.fixture
def warehouse(closed_warehouse: DuckDBWarehouse) -> Iterator[DuckDBWarehouse]:
    """The same, kept open: opening the file takes longer than most loads."""
    with closed_warehouse.keep_open():
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


@pytest.fixture
def stepped_clock(tmp_path: Path) -> Callable[[int], list[str]]:
    """The command in front of another by which that one sees a clock that was set by so many seconds after the machine's start.

    It sees another `btime` in /proc/stat, in a mount namespace of its own; the machine's clock stays as it is.
    """
    may = ["unshare", "--map-root-user", "--mount", "true"]
    if shutil.which("unshare") is None or subprocess.run(may, capture_output=True, check=False).returncode:
        pytest.skip("no mount namespace can be made here")

    def command(step: int) -> list[str]:
        kernel = Path("/proc/stat").read_text()
        moved = re.sub(r"(?<=^btime )\d+", lambda found: str(int(found[0]) + step), kernel, flags=re.MULTILINE)
        assert moved != kernel
        file = tmp_path / f"stat{step}"
        file.write_text(moved)
        return [*may[:-1], "sh", "-c", f'mount --bind "{file}" /proc/stat && exec "$@"', "sh"]

    return command
