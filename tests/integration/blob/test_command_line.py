"""The command line on a deployment whose landing zone is a container."""

import json
import os

from resources.azure_storage import KEY_VARIABLE
from tests.blob_builders import Bay, Events, blob_variables
from tests.builders import BUSINESS_UNITS_CSV, CUSTOMERS_CSV, PRODUCTS_CSV
from tests.emulators.azurite_server import Azurite
from tests.homes import Home, NewHome


def findings(home: Home, **settings: str) -> dict[str, dict[str, object]]:
    output = home.command("doctor", "--json", **settings).stdout
    assert os.environ[KEY_VARIABLE] not in output
    return {finding["name"]: finding for finding in json.loads(output)["findings"]}


def test_the_doctor_knows_container_and_queue_and_shows_no_secret(azurite: Azurite, new_home: NewHome) -> None:
    bay = Bay.new(azurite)
    events = Events.new(azurite, bay.container.container_name)
    for name, content in (
        ("business_units", BUSINESS_UNITS_CSV),
        ("products", PRODUCTS_CSV),
        ("customers", CUSTOMERS_CSV),
    ):
        bay.put(f"reference/{name}.csv", content)
    home, settings = new_home(), blob_variables(azurite, bay, events)
    found = findings(home, **settings)
    assert found["landing zone"]["fine"], found["landing zone"]
    assert bay.container.container_name in str(found["landing zone"]["state"])
    assert found["event queue"]["fine"], found["event queue"]
    events.say("no event")
    events.queue.poison(events.queue.receive(1, 1)[0], "is no event")
    assert "1 in its poison queue" in str(findings(home, **settings)["event queue"]["state"])
    wrong = findings(home, **{**settings, "GLOBOLATTE_BLOB_CONTAINER": "nowhere"})
    assert not wrong["landing zone"]["fine"]
    assert "ContainerNotFound" in str(wrong["landing zone"]["state"])


def test_without_its_account_the_container_is_a_known_error(new_home: NewHome) -> None:
    failed = new_home().command("run", GLOBOLATTE_LANDING="blob")
    assert failed.returncode != 0
    assert "GLOBOLATTE_BLOB_ACCOUNT_URL is not set" in failed.stderr + failed.stdout
    assert "Traceback" not in failed.stderr + failed.stdout
