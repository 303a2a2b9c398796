"""The command line on a deployment whose landing zone is a container."""

import json
import os
from concurrent.futures import ThreadPoolExecutor

import pytest

from resources.azure_storage import KEY_VARIABLE
from resources.warehouse.duckdb_file import DuckDBWarehouse
from tests.blob_builders import Bay, Events
from tests.builders import BUSINESS_UNITS_CSV, CUSTOMERS_CSV, PRODUCTS_CSV, sales
from tests.emulators.azurite_server import Azurite
from tests.homes import Home, NewHome


def settings_of(azurite: Azurite, bay: Bay, events: Events) -> dict[str, str]:
    return {
        "GLOBOLATTE_LANDING": "blob",
        "GLOBOLATTE_BLOB_ACCOUNT_URL": azurite.account_url,
        "GLOBOLATTE_BLOB_CONTAINER": bay.container.container_name,
        "GLOBOLATTE_BLOB_CREDENTIAL": "key",
        "GLOBOLATTE_BLOB_QUEUE": events.queue.queue,
        "GLOBOLATTE_BLOB_QUEUE_ACCOUNT_URL": azurite.queue_account_url,
        KEY_VARIABLE: azurite.key,
    }


def findings(home: Home, **settings: str) -> dict[str, dict[str, object]]:
    said = home.command("doctor", "--json", **settings).stdout
    assert os.environ[KEY_VARIABLE] not in said
    return {finding["name"]: finding for finding in json.loads(said)["findings"]}


def test_the_doctor_knows_container_and_queue_and_tells_no_secret(azurite: Azurite, new_home: NewHome) -> None:
    bay = Bay.new(azurite)
    events = Events.new(azurite, bay.container.container_name)
    for name, content in (
        ("business_units", BUSINESS_UNITS_CSV),
        ("products", PRODUCTS_CSV),
        ("customers", CUSTOMERS_CSV),
    ):
        bay.put(f"reference/{name}.csv", content)
    home, settings = new_home(), settings_of(azurite, bay, events)
    found = findings(home, **settings)
    assert found["landing zone"]["fine"], found["landing zone"]
    assert bay.container.container_name in str(found["landing zone"]["state"])
    assert found["event queue"]["fine"], found["event queue"]
    events.say("no event")
    events.queue.poison(events.queue.receive(1, 1)[0], "is no event")
    assert "1 in its poison queue" in str(findings(home, **settings)["event queue"]["state"])
    wrong = findings(home, **{**settings, "GLOBOLATTE_BLOB_CONTAINER": "nowhere"})
    assert not wrong["landing"]["fine"]
    assert "ContainerNotFound" in str(wrong["landing"]["state"])


def test_without_its_account_the_container_is_a_known_error(new_home: NewHome) -> None:
    failed = new_home().command("run", GLOBOLATTE_LANDING="blob")
    assert failed.returncode != 0
    assert "GLOBOLATTE_BLOB_ACCOUNT_URL is not set" in failed.stderr + failed.stdout
    assert "Traceback" not in failed.stderr + failed.stdout


CHAIN = ("--orders", "400", "--customers", "30", "--start", "2022-01-01", "--end", "2022-01-31")
A_DAY = "sales/usa/2022/01/31/sales.csv"


def fill(bay: Bay, home: Home) -> list[str]:
    """Uploads what a chain of its own has in its landing folder; returns the paths of the sales files."""
    landing = home.folder / "landing"
    files = [file for file in landing.rglob("*.csv") if file.is_file()]

    def upload(path: str) -> None:
        bay.container.upload_blob(path, (landing / path).read_bytes())

    paths = [file.relative_to(landing).as_posix() for file in files]
    with ThreadPoolExecutor(8) as uploading:
        list(uploading.map(upload, paths))
    return [path for path in paths if path.startswith("sales/")]


@pytest.mark.slow
def test_a_whole_run_over_a_container_and_the_day_after(azurite: Azurite, new_home: NewHome) -> None:
    """From the first blob to recommendations; then a correction that is held, its approval, and a retraction."""
    bay = Bay.new(azurite)
    settings = settings_of(azurite, bay, Events.new(azurite, bay.container.container_name))
    chain, home = new_home().simulate(*CHAIN), new_home()
    paths = fill(bay, chain)
    lines = sum(len((chain.folder / "landing" / path).read_text().splitlines()) - 1 for path in paths)

    first = home.ok("run", **settings)
    assert f"{len(paths)} files loaded with {lines:,} rows" in first
    assert not list((home.folder / "landing").iterdir())
    warehouse = DuckDBWarehouse(file=str(home.folder / "warehouse.duckdb"))
    assert len(sales(warehouse)) == lines
    assert warehouse.read("serving.recommendations").num_rows == 30 * 4 * 6
    assert "Nothing to do" in home.ok("run", **settings)

    header, *rows = bay.container.download_blob(A_DAY).readall().decode().splitlines(keepends=True)
    bay.put(A_DAY, "".join([header, *(row.replace("BU_US", "BU_BR") for row in rows)]).encode())
    assert "1 held" in home.ok("run", **settings)
    assert len(sales(warehouse)) == lines
    home.ok("quarantine", "release", A_DAY, **settings)
    assert len(sales(warehouse)) == lines - len(rows)
    home.ok("retract", A_DAY, "--yes", **settings)
    shown = home.ok("ledger", "show", A_DAY, **settings)
    assert "retracted" in shown
    assert "superseded" in shown
