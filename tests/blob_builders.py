"""Containers and queues of an emulated storage account, and files put into them. Plain functions, real things."""

import base64
import json
import os
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import dagster as dg
from azure.core.credentials import AzureNamedKeyCredential
from azure.core.exceptions import ResourceNotFoundError
from azure.storage.blob import BlobServiceClient, ContainerClient
from azure.storage.queue import QueueClient, QueueServiceClient

from resources.azure_storage import KEY_VARIABLE
from resources.environment import clock_of
from resources.landing.blob import BlobLandingZone
from resources.landing.event_queue import POISON_SUFFIX, EventQueue
from resources.landing.landing_zone import LandedFile
from resources.settings.choices import CredentialKind
from tests.builders import Deployment, deployment
from tests.emulators.azurite_server import ACCOUNT, Azurite

TOPIC = "/subscriptions/0/resourceGroups/globolatte/providers/Microsoft.Storage/storageAccounts/globolatte"
EVENT_TIME = "2022-02-01T03:04:05.678Z"


def service(azurite: Azurite) -> BlobServiceClient:
    """The account, entered by its key, with no patience."""
    return BlobServiceClient(azurite.account_url, AzureNamedKeyCredential(ACCOUNT, azurite.key), retry_total=0)


def new_container(azurite: Azurite) -> ContainerClient:
    """An empty container."""
    return service(azurite).create_container(f"landing-{uuid.uuid4().hex[:12]}")


def zone_of(azurite: Azurite, container: ContainerClient, kind: CredentialKind = CredentialKind.KEY) -> BlobLandingZone:
    """The landing zone of a container; the account's key is put into this test's environment."""
    os.environ[KEY_VARIABLE] = azurite.key
    return BlobLandingZone(
        account_url=azurite.account_url, container=container.container_name, credential=kind, retries=0
    )


@dataclass(frozen=True)
class Bay:
    """A container seen from where the files come from, and the landing zone on it."""

    container: ContainerClient
    zone: BlobLandingZone

    @classmethod
    def new(cls, azurite: Azurite) -> "Bay":
        container = new_container(azurite)
        return cls(container, zone_of(azurite, container))

    def put(self, path: str, content: bytes) -> LandedFile:
        """Uploads a blob in place of an earlier one."""
        self.container.upload_blob(path, content, overwrite=True)
        return self.landed(path)

    def landed(self, path: str) -> LandedFile:
        """The blob at `path`, as the landing zone lists it."""
        return next(file for file in self.zone.files(path) if file.path == path)

    def append(self, path: str, content: bytes) -> None:
        """Makes a blob longer."""
        before = self.container.download_blob(path).readall()
        self.container.upload_blob(path, before + content, overwrite=True)

    def remove(self, path: str) -> None:
        """Deletes a blob."""
        self.container.delete_blob(path)


# Events ----------------------------------------------------------------------------------------------------------------


def event_of(
    file: LandedFile, container: str, api: str = "PutBlob", *, cloud: bool = False, kind: str = "BlobCreated"
) -> dict[str, object]:
    """Event Grid's event of a blob, in its own schema or as a CloudEvent."""
    data = {
        "api": api,
        "clientRequestId": str(uuid.uuid4()),
        "requestId": str(uuid.uuid4()),
        "eTag": file.etag,
        "contentType": "text/csv",
        "contentLength": file.size,
        "blobType": "BlockBlob",
        "url": f"https://{ACCOUNT}.blob.core.windows.net/{container}/{quote(file.path)}",
        "sequencer": "00000000000004420000000000028963",
        "storageDiagnostics": {"batchId": str(uuid.uuid4())},
    }
    subject = f"/blobServices/default/containers/{container}/blobs/{file.path}"
    name = f"Microsoft.Storage.{kind}"
    common = {"id": str(uuid.uuid4()), "subject": subject, "data": data}
    if cloud:
        return {"specversion": "1.0", "type": name, "source": TOPIC, "time": EVENT_TIME, **common}
    return {
        "topic": TOPIC, "eventType": name, "eventTime": EVENT_TIME, "dataVersion": "", "metadataVersion": "1", **common
    }  # fmt: skip


def text_of(event: object, *, plain: bool = False) -> str:
    """An event as the text of a message."""
    text = json.dumps(event)
    return text if plain else base64.b64encode(text.encode()).decode()


@dataclass(frozen=True)
class Events:
    """The queue of an emulated account: as Event Grid fills it, and as the sensor reads it."""

    client: QueueClient
    poisoned: QueueClient
    container: str
    queue: EventQueue

    @classmethod
    def new(cls, azurite: Azurite, container: str, hidden_seconds: int = 300) -> "Events":
        os.environ[KEY_VARIABLE] = azurite.key
        name = f"events-{uuid.uuid4().hex[:12]}"
        account = QueueServiceClient(
            azurite.queue_account_url, AzureNamedKeyCredential(ACCOUNT, azurite.key), retry_total=0
        )
        queue = EventQueue(
            account_url=azurite.queue_account_url,
            queue=name,
            credential=CredentialKind.KEY,
            hidden_seconds=hidden_seconds,
            retries=0,
        )
        return cls(account.create_queue(name), account.get_queue_client(name + POISON_SUFFIX), container, queue)

    def tell(self, *files: LandedFile, **how: object) -> None:
        """Event Grid reports files."""
        for file in files:
            self.client.send_message(text_of(event_of(file, self.container, **how)))

    def say(self, text: str) -> None:
        """A message of any text."""
        self.client.send_message(text)

    def come_again(self) -> None:
        """Whatever is hidden is to be seen again, as after the time for which it is hidden."""
        kept = self.queue.hidden_seconds
        assert kept <= 2, "only a queue that hides messages for a moment lets them come again in a test"
        time.sleep(kept + 0.1)

    @property
    def left(self) -> int:
        """Messages in the queue, hidden ones too."""
        return self.client.get_queue_properties().approximate_message_count or 0

    def poison(self) -> list[dict[str, object]]:
        """What the poison queue holds."""
        try:
            return [json.loads(message.content) for message in self.poisoned.peek_messages(32)]
        except ResourceNotFoundError:
            return []


# A whole deployment ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BlobDeployment:
    """A deployment whose landing zone is a container, with the queue of its events."""

    azurite: Azurite
    bay: Bay
    events: Events
    deployed: Deployment

    @classmethod
    def new(
        cls, azurite: Azurite, home: Path, instance: dg.DagsterInstance, hidden_seconds: int = 300, **settings: object
    ) -> "BlobDeployment":
        bay = Bay.new(azurite)
        events = Events.new(azurite, bay.container.container_name, hidden_seconds)
        chosen = {
            "landing": "blob",
            "blob_account_url": azurite.account_url,
            "blob_container": bay.container.container_name,
            "blob_credential": "key",
            "blob_queue": events.queue.queue,
            "blob_queue_account_url": azurite.queue_account_url,
            "blob_queue_hidden_seconds": hidden_seconds,
            "retry_base_seconds": 1e-9,
            **settings,
        }
        return cls(azurite, bay, events, deployment(home, instance, **chosen))

    def upload(self, path: str, content: bytes, **how: object) -> LandedFile:
        """A blob, and Event Grid's message about it."""
        file = self.bay.put(path, content)
        self.events.tell(file, **how)
        return file

    def tick(self, sensor: str = "blob_event_sensor", cursor: str | None = None) -> dg.SensorResult:
        """One evaluation of a sensor."""
        resources = {"events": self.events.queue, "landing": self.bay.zone, "clock": clock_of(self.deployed.settings)}
        context = dg.build_sensor_context(
            instance=self.deployed.instance,
            cursor=cursor,
            definitions=self.deployed.definitions,
            resources=resources,
        )
        result = self.deployed.definitions.resolve_sensor_def(sensor)(context)
        assert isinstance(result, dg.SensorResult)
        return result

    def execute(self, request: dg.RunRequest) -> dg.ExecuteInProcessResult:
        """The run of a request, with the key that Dagster's daemon would give it."""
        job = self.deployed.definitions.resolve_job_def(str(request.job_name))
        tags = {**request.tags, "dagster/run_key": str(request.run_key)}
        return job.execute_in_process(
            instance=self.deployed.instance, tags=tags, run_config=request.run_config, raise_on_error=False
        )

    def work(self, sensor: str = "blob_event_sensor", cursor: str | None = None) -> str | None:
        """Ticks, and runs what is requested, until nothing is requested any more; returns the cursor."""
        for _ in range(20):
            result = self.tick(sensor, cursor)
            cursor = result.cursor
            if not result.run_requests:
                return cursor
            for request in result.run_requests:
                self.execute(request)
        raise AssertionError("the sensor does not stop requesting runs")


def blob_variables(azurite: Azurite, bay: Bay, events: Events) -> dict[str, str]:
    """The settings by which a command finds this landing zone and its events."""
    return {
        "GLOBOLATTE_LANDING": "blob",
        "GLOBOLATTE_BLOB_ACCOUNT_URL": azurite.account_url,
        "GLOBOLATTE_BLOB_CONTAINER": bay.container.container_name,
        "GLOBOLATTE_BLOB_CREDENTIAL": "key",
        "GLOBOLATTE_BLOB_QUEUE": events.queue.queue,
        "GLOBOLATTE_BLOB_QUEUE_ACCOUNT_URL": azurite.queue_account_url,
        KEY_VARIABLE: azurite.key,
    }
