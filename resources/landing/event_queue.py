"""The storage queue to which Event Grid sends the events of the landing zone. What a message means is not decided here."""

import json
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import PrivateAttr

from resources.azure_storage import faults_in_plain_words, queue_service, request_options
from resources.settings.choices import CredentialKind

if TYPE_CHECKING:
    from azure.storage.queue import QueueClient, QueueServiceClient

MESSAGES_OF_ONE_REQUEST = 32
"""Azure returns no more messages at a time."""
REQUESTS_AT_ONCE = 8
POISON_SUFFIX = "-poison"
LONGEST_STORED_TEXT = 20_000
"""Bytes of a poison message that are stored: a message has at most 64 KiB, and quoting may double them. An event has about 1,000."""


@dataclass(frozen=True)
class Message:
    """A received message. With `receipt` it can be deleted until it is received again; `tries` counts how often it was received."""

    id: str
    receipt: str
    text: str = ""
    tries: int = 0


class EventQueue(dg.ConfigurableResource):
    """A queue of events. A message that is received stays hidden for `hidden_seconds`, then comes again unless deleted."""

    account_url: str
    queue: str
    credential: CredentialKind = CredentialKind.DEFAULT
    hidden_seconds: int = 300
    retries: int = 1

    _connection: ExitStack = PrivateAttr(default_factory=ExitStack)
    _service: "QueueServiceClient | None" = PrivateAttr(default=None)
    _lock: Lock = PrivateAttr(default_factory=Lock)

    def _queue(self, name: str) -> "QueueClient":
        with self._lock:
            if self._service is None:
                self._service = self._connection.enter_context(
                    queue_service(self.account_url, CredentialKind(self.credential))
                )
            return self._service.get_queue_client(name)

    def receive(self, at_most: int, seconds: float) -> list[Message]:
        """Messages that are not hidden, as many as there are within the bounds. Raises `LandingUnreachableError`."""
        found: list[Message] = []
        deadline = time.monotonic() + seconds
        with faults_in_plain_words(self.describe()):
            while len(found) < at_most and time.monotonic() < deadline:
                page = [
                    Message(item.id, item.pop_receipt or "", item.content, item.dequeue_count or 0)
                    for item in self._queue(self.queue).receive_messages(
                        messages_per_page=MESSAGES_OF_ONE_REQUEST,
                        max_messages=MESSAGES_OF_ONE_REQUEST,
                        visibility_timeout=self.hidden_seconds,
                        **request_options(self.retries),
                    )
                ]
                found += page
                if not page:
                    break
        return found

    def delete(self, messages: Iterable[Message]) -> None:
        """Deletes messages. A message that was received again meanwhile is left to its new receiver."""
        messages = list(messages)
        with faults_in_plain_words(self.describe()), ThreadPoolExecutor(REQUESTS_AT_ONCE) as deleting:
            list(deleting.map(self._delete, messages))

    def _delete(self, message: Message) -> None:
        from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

        try:
            self._queue(self.queue).delete_message(message.id, message.receipt, **request_options(self.retries))
        except ResourceNotFoundError:
            return
        except HttpResponseError as fault:
            if getattr(fault, "error_code", None) != "PopReceiptMismatch":
                raise

    def poison(self, message: Message, reason: str) -> None:
        """Moves a message into the poison queue, with the reason. After a kill in between, it is in both queues."""
        from azure.core.exceptions import ResourceNotFoundError

        stored = message.text.encode()[:LONGEST_STORED_TEXT].decode(errors="ignore")
        text = json.dumps({"reason": reason, "tries": message.tries, "message": stored}, ensure_ascii=False)
        queue = self._queue(self.queue + POISON_SUFFIX)
        with faults_in_plain_words(self.describe()):
            try:
                queue.send_message(text, time_to_live=-1, **request_options(self.retries))
            except ResourceNotFoundError:
                queue.create_queue(**request_options(self.retries))
                queue.send_message(text, time_to_live=-1, **request_options(self.retries))
            self._delete(message)

    def lengths(self) -> tuple[int, int]:
        """About how many messages are in the queue, and in its poison queue. Raises `LandingUnreachableError`."""
        from azure.core.exceptions import ResourceNotFoundError

        options = request_options(self.retries)
        with faults_in_plain_words(self.describe()):
            waiting = self._queue(self.queue).get_queue_properties(**options).approximate_message_count
            try:
                properties = self._queue(self.queue + POISON_SUFFIX).get_queue_properties(**options)
            except ResourceNotFoundError:
                return waiting or 0, 0
        return waiting or 0, properties.approximate_message_count or 0

    def describe(self) -> str:
        """The queue's address."""
        return f"queue {self.queue} of {self.account_url}"
