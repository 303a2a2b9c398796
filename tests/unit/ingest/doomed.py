"""Loads in processes of their own that are killed, starved of disk, or run at the same time. Started by forkserver: no test is here.

Each function is a process' whole life: it loads what lies in a folder's landing zone, as the ingest job does.
"""

import os
import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from globolatte_ingest import kill_points
from globolatte_ingest.discovery import work_in
from globolatte_ingest.kept_files import KeptFiles
from globolatte_ingest.load import LoadReport, do_work
from globolatte_ingest.paths import USUAL_LAYOUT, SalesLayout
from resources.landing.folder import FolderLandingZone
from resources.landing.landing_zone import LandedFile
from resources.landing.path_patterns import PathPattern
from resources.warehouse.duckdb_file import DuckDBWarehouse
from tests.builders import DAY, RULES, landing_in, load_context, warehouse_in

DECLARED = replace(
    RULES,
    layout=SalesLayout((*USUAL_LAYOUT.patterns, PathPattern("exports/*.csv")), "canada", RULES.first_business_date),
)
"""The usual paths, and some that tell neither unit nor date."""
MAX_BAD_SHARE = 0.5
DISK_IS_FULL = 3
CANNOT_WRITE = 4


def run(warehouse: DuckDBWarehouse, landing: FolderLandingZone, run_id: str = "run") -> LoadReport:
    """One run of the ingest job's body over the day."""
    own = work_in(warehouse, landing, "usa", {DAY}, DECLARED)
    undated = work_in(warehouse, landing, DECLARED.layout.home_folder, {DECLARED.layout.home_date}, DECLARED)
    work = replace(own, files=[*own.files, *undated.files], there=own.there | undated.there)  # one batch of both kinds
    kept = KeptFiles(Path(warehouse.file).parent / "kept_files")
    return do_work(warehouse, landing, work, load_context(run_id, max_bad_share=MAX_BAD_SHARE, kept=kept))


def die() -> None:
    """As if the machine had taken the process away."""
    os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class Doomed:
    """Dies at the named point, or so long after it, while what follows or the commit is at work."""

    name: str
    after_seconds: float | None = None

    def __call__(self, name: str) -> None:
        if name != self.name:
            return
        if self.after_seconds is None:
            die()
        threading.Timer(self.after_seconds or 0, die).start()


@dataclass(frozen=True)
class LandingThatIsDeadly:
    """A folder whose reader dies in the middle of a file."""

    inner: FolderLandingZone

    def files(self, prefix: str = "") -> Iterator[LandedFile]:
        yield from self.inner.files(prefix)

    @contextmanager
    def open(self, file: LandedFile) -> Iterator[BinaryIO]:
        with self.inner.open(file) as stream:
            stream.read(10)
            die()
            yield stream

    def describe(self) -> str:
        return self.inner.describe()


def killed_at(folder: str, doomed: Doomed) -> None:
    """Loads until the named point."""
    kill_points.hook = doomed
    run(warehouse_in(Path(folder)), landing_in(Path(folder)), "killed")


def killed_while_reading(folder: str) -> None:
    """Dies with a file open."""
    run(warehouse_in(Path(folder)), LandingThatIsDeadly(landing_in(Path(folder))), "killed")


def killed_after(folder: str) -> None:
    """Dies when everything is committed and nothing was reported."""
    run(warehouse_in(Path(folder)), landing_in(Path(folder)), "killed")
    die()


def one_of_two(folder: str, run_id: str) -> None:
    """Loads at the same time as another one."""
    run(warehouse_in(Path(folder), wait_seconds=60), landing_in(Path(folder)), run_id)


def with_little_disk(folder: str, more_bytes: int) -> None:
    """No file of this process can grow past the warehouse's size and so many bytes."""
    from resources.warehouse.warehouse import WarehouseUnusableError

    warehouse = warehouse_in(Path(folder))
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    limit = Path(warehouse.file).stat().st_size + more_bytes
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        run(warehouse, landing_in(Path(folder)))
    except WarehouseUnusableError:
        os._exit(DISK_IS_FULL)


def without_permission(folder: str) -> None:
    """The warehouse's file may be read only; root, whom that would not stop, becomes nobody."""
    from resources.warehouse.warehouse import WarehouseUnusableError

    if os.geteuid() == 0:
        os.setgid(65534)
        os.setuid(65534)
    try:
        run(warehouse_in(Path(folder)), landing_in(Path(folder)))
    except WarehouseUnusableError:
        os._exit(CANNOT_WRITE)
