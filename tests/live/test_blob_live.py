"""The container and the queue of a real storage account: what no emulator can show. Skipped where no account is named.

Set `GLOBOLATTE_LIVE_BLOB_ACCOUNT_URL`, `GLOBOLATTE_LIVE_BLOB_CONTAINER` (one that tests may write to), and for events
`GLOBOLATTE_LIVE_BLOB_QUEUE`, which an Event Grid subscription of that container feeds. The identity is whatever
`DefaultAzureCredential` finds (`az login`); it needs Storage Blob Data Contributor and Storage Queue Data Message Processor.
"""

import os
import time
import uuid
from collections.abc import Iterator

import pytest

from globolatte_ingest.blob_events import blob_written
from resources.azure_storage import blob_service
from resources.landing.blob import BlobLandingZone
from resources.landing.event_queue import EventQueue
from resources.landing.landing_zone import LandedFile, SupersededError
from resources.settings.choices import CredentialKind

ACCOUNT_URL = os.environ.get("GLOBOLATTE_LIVE_BLOB_ACCOUNT_URL", "")
CONTAINER = os.environ.get("GLOBOLATTE_LIVE_BLOB_CONTAINER", "")
QUEUE = os.environ.get("GLOBOLATTE_LIVE_BLOB_QUEUE", "")

pytestmark = pytest.mark.skipif(
    not (ACCOUNT_URL and CONTAINER),
    reason="no storage account is named: set GLOBOLATTE_LIVE_BLOB_ACCOUNT_URL and GLOBOLATTE_LIVE_BLOB_CONTAINER",
)


class Shore:
    """A folder of the container that only this test knows."""

    def __init__(self) -> None:
        self.zone = BlobLandingZone(account_url=ACCOUNT_URL, container=CONTAINER, credential=CredentialKind.DEFAULT)
        self.prefix = f"globolatte-live-test/{uuid.uuid4().hex}/"

    def put(self, name: str, content: bytes) -> LandedFile:
        with blob_service(ACCOUNT_URL, CredentialKind.DEFAULT) as service:
            service.get_blob_client(CONTAINER, self.prefix + name).upload_blob(content, overwrite=True)
        return next(file for file in self.zone.files(self.prefix + name) if file.path == self.prefix + name)


@pytest.fixture
def shore() -> Iterator[Shore]:
    made = Shore()
    yield made
    with blob_service(ACCOUNT_URL, CredentialKind.DEFAULT) as service:
        container = service.get_container_client(CONTAINER)
        for file in made.zone.files(made.prefix):
            container.delete_blob(file.path)


def test_a_file_is_listed_and_read_with_the_machine_s_identity(shore: Shore) -> None:
    file = shore.put("it's ☕ 100%25.csv", b"content")
    assert list(shore.zone.files(shore.prefix)) == [file]
    with shore.zone.open(file) as stream:
        assert stream.read() == b"content"


def test_a_replaced_file_is_superseded(shore: Shore) -> None:
    listed = shore.put("a.csv", b"one")
    shore.put("a.csv", b"two")
    with pytest.raises(SupersededError), shore.zone.open(listed):
        pytest.fail("another version was given out")


def test_files_are_listed_in_path_order_over_pages(shore: Shore) -> None:
    names = ["A.csv", "a.csv", "a/b.csv", "z.csv", "é.csv", "☕.csv", "👩.csv"]
    for name in names:
        shore.put(name, b"x")
    listed = [
        file.path.removeprefix(shore.prefix)
        for file in shore.zone.model_copy(update={"page_size": 2}).files(shore.prefix)
    ]
    assert listed == sorted(names)
    assert shore.zone.level(shore.prefix).folders == (f"{shore.prefix}a/",)


@pytest.mark.skipif(not QUEUE, reason="no queue is named: set GLOBOLATTE_LIVE_BLOB_QUEUE")
def test_event_grid_reports_a_written_file(shore: Shore) -> None:
    queue = EventQueue(
        account_url=ACCOUNT_URL.replace(".blob.", ".queue."),
        queue=QUEUE,
        credential=CredentialKind.DEFAULT,
        hidden_seconds=30,
    )
    file = shore.put("it's ☕ 100%25.csv", b"content")
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for message in queue.receive(32, 10):
            written = blob_written(message.text)
            if written is not None and written[1].path == file.path:
                queue.delete([message])
                assert (written[0], written[1].etag) == (CONTAINER, file.etag)
                return
        time.sleep(2)
    pytest.fail("Event Grid told of nothing within two minutes")
