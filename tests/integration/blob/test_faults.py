"""Faults between the container and the tables: a service that stops in the middle of a load, two runs at once on one blob, odd names."""

import subprocess
import sys
from pathlib import Path

import pytest

from globolatte_ingest.load import load_batch
from resources.azure_storage import KEY_VARIABLE
from resources.landing.blob import BlobLandingZone
from resources.settings.choices import CredentialKind
from resources.settings.settings import PROJECT_ROOT
from resources.warehouse.duckdb_file import DuckDBWarehouse
from tests.blob_builders import Bay
from tests.builders import RULES, csv, everything, ledger, line, load_context, quarantine, sales, sales_path
from tests.emulators.azurite_server import Azurite
from tests.emulators.go_between import relay

MANY = 200_000


def big(first: int) -> bytes:
    """A file of more than one request, all of its rows good."""
    header, row = csv(line(1)).splitlines()
    return b"\n".join([header, *(row.replace(b"T00000001", b"T%08d" % n) for n in range(first, first + MANY)), b""])


def test_a_service_that_stops_in_the_middle_of_a_load_leaves_nothing_of_the_file_and_the_next_load_all_of_it(
    tmp_path: Path, closed_warehouse: DuckDBWarehouse
) -> None:
    server = Azurite(tmp_path / "log", tmp_path / "data").start()
    try:
        bay = Bay.new(server)
        small, large = (
            bay.put(sales_path("a.csv"), csv(line(0))),
            bay.put(sales_path("b.csv"), big(1) + b"\n" * 30_000_000),
        )
        server.wait_until_kept("b.csv")
        placed = [RULES.place(small), RULES.place(large)]
        with relay(int(server.ports["Blob"]), 34 * 1024 * 1024, server.kill) as between:
            url = server.account_url.replace(server.ports["Blob"], str(between.own_port))
            zone = BlobLandingZone(
                account_url=url, container=bay.container.container_name, credential=CredentialKind.KEY, retries=0
            )
            report = load_batch(closed_warehouse, zone, placed, load_context(max_file_bytes=10**9))
        assert between.happened
        assert large.path in report.not_read
        assert {path for path, _ in ledger(closed_warehouse)} <= {small.path}
        server.start()
        again = [item for item in placed if item.file.path in report.not_read]
        report = load_batch(closed_warehouse, bay.zone, again, load_context("again", max_file_bytes=10**9))
        assert report.not_read == ()
        assert ledger(closed_warehouse, "path, attempt, rows_loaded")[-1] == (large.path, 2, MANY)
        assert len(sales(closed_warehouse, "1")) == MANY + 1
    finally:
        server.kill()


ONE_OF_TWO = """
import sys, time
from pathlib import Path
from tests.builders import RULES, load_context
from globolatte_ingest.load import load_batch
from resources.landing.blob import BlobLandingZone
from resources.settings.choices import CredentialKind
from resources.warehouse.duckdb_file import DuckDBWarehouse
name, other, account_url, container, file = sys.argv[1:]
zone = BlobLandingZone(account_url=account_url, container=container, credential=CredentialKind.KEY, retries=0)
placed = [RULES.place(found) for found in zone.files()]
Path(name).touch()
while not Path(other).exists():
    time.sleep(0.005)
report = load_batch(DuckDBWarehouse(file=file, wait_seconds=60), zone, placed, load_context(Path(name).name, max_file_bytes=10**9))
print(len(report.loaded), report.rows_loaded)
"""


def test_two_runs_at_once_on_the_same_blobs_load_each_once(
    azurite: Azurite, tmp_path: Path, closed_warehouse: DuckDBWarehouse
) -> None:
    import os

    bay = Bay.new(azurite)
    bay.put(sales_path("a.csv"), csv(*(line(number) for number in range(1, 1001))))
    bay.put(sales_path("b.csv"), csv(*(line(number) for number in range(501, 1501))))
    common = [azurite.account_url, bay.container.container_name, closed_warehouse.file]
    names = [str(tmp_path / "one"), str(tmp_path / "two")]
    environment = {**os.environ, KEY_VARIABLE: azurite.key, "PYTHONPATH": str(PROJECT_ROOT)}
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", ONE_OF_TWO, mine, other, *common],
            env=environment,
            cwd=PROJECT_ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        for mine, other in (names, reversed(names))
    ]
    outputs = sorted(run.communicate(timeout=120)[0].strip() for run in runs)
    assert outputs == ["0 0", "2 1500"]
    assert [run.returncode for run in runs] == [0, 0]
    assert len(sales(closed_warehouse)) == 1500
    assert len(quarantine(closed_warehouse)) == 500
    assert ledger(closed_warehouse) == [(sales_path("a.csv"), "loaded"), (sales_path("b.csv"), "loaded")]
    with closed_warehouse.transaction() as transaction:
        attempts = transaction.fetch("select count(*) as n from sales_data.load_attempts")["n"][0].as_py()
    assert attempts == 4


NAMES = [
    'it\'s "quoted".csv',
    "100%25 %2e%2e%2f ?&#+.csv",
    "..csv",
    "'); DROP TABLE sales_data.load_ledger; --.csv",
    "☕👩‍🍳🇲🇽 ñ 日本.csv",
    "{braces} $(id) `id` \\n.csv".replace("\\", "|"),
    "=cmd|' C calc'!A0.csv",
    "x" * (1000 - len(sales_path(".csv"))) + ".csv",
]


def test_whatever_a_blob_is_called_it_is_data_and_no_sql_and_no_other_path(
    azurite: Azurite, closed_warehouse: DuckDBWarehouse
) -> None:
    bay = Bay.new(azurite)
    paths = [sales_path(name) for name in NAMES]
    assert max(map(len, paths)) == 1000
    files = [bay.put(path, csv(line(number))) for number, path in enumerate(paths)]
    before = everything(closed_warehouse)
    report = load_batch(closed_warehouse, bay.zone, [RULES.place(file) for file in files], load_context())
    assert sorted(report.loaded) == sorted(paths)
    assert sorted(path for path, _, _ in sales(closed_warehouse)) == sorted(paths)
    assert everything(closed_warehouse).keys() == before.keys()


@pytest.mark.parametrize("name", ["../../../../etc/passwd.csv", "..", "a/../../b.csv", "./a.csv", "back\\slash.csv"])
def test_a_name_that_would_climb_is_misplaced_and_never_opened(name: str) -> None:
    from globolatte_ingest.paths import MisplacedFile
    from resources.landing.landing_zone import LandedFile

    assert isinstance(RULES.place(LandedFile(sales_path(name), "e", 1)), MisplacedFile)
