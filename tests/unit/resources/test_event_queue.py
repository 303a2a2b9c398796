"""The event queue, on the emulator: giving out, coming again, deleting, poison."""

import logging
import os

import pytest

from resources.azure_storage import KEY_VARIABLE, SAS_VARIABLE
from resources.landing.event_queue import LONGEST_STORED_TEXT, EventQueue, Message
from resources.landing.landing_zone import LandingUnreachableError
from resources.settings.choices import CredentialKind
from tests.blob_builders import Events
from tests.emulators.azurite_server import ACCOUNT, Azurite


@pytest.fixture
def events(azurite: Azurite) -> Events:
    return Events.new(azurite, "landing", hidden_seconds=1)


def texts(messages: list[Message]) -> set[str]:
    return {message.text for message in messages}


def test_more_messages_than_one_request_gives_out_are_received_within_the_bound(events: Events) -> None:
    for number in range(70):
        events.say(str(number))
    first = events.queue.receive(40, 10)
    assert len(first) == 64
    assert len(first) + len(events.queue.receive(40, 10)) == 70
    assert events.queue.receive(40, 10) == []


def test_a_message_that_is_not_deleted_comes_again_and_one_that_is_does_not(events: Events) -> None:
    events.say("kept")
    events.say("deleted")
    first = events.queue.receive(10, 1)
    assert texts(first) == {"kept", "deleted"}
    events.queue.delete([message for message in first if message.text == "deleted"])
    events.come_again()
    [again] = events.queue.receive(10, 1)
    assert (again.text, again.tries) == ("kept", 2)


def test_a_message_that_was_received_again_is_left_to_its_new_receiver(events: Events) -> None:
    events.say("one")
    first = events.queue.receive(10, 1)
    events.come_again()
    second = events.queue.receive(10, 1)
    events.queue.delete(first)
    assert events.left == 1
    events.queue.delete(second)
    events.queue.delete(second)
    assert events.left == 0


def test_poison_keeps_the_reason_and_is_cut_to_what_a_message_can_hold(events: Events) -> None:
    events.say("bad")
    [bad] = events.queue.receive(10, 1)
    events.queue.poison(bad, "is no event: ☕ \x00")
    events.queue.poison(Message("x", "y", '☕"' * 60_000, 5), "long")
    first, second = events.poison()
    assert first == {"reason": "is no event: ☕ \x00", "tries": 1, "message": "bad"}
    assert len(str(second["message"]).encode()) <= LONGEST_STORED_TEXT
    assert events.queue.lengths() == (0, 2)


def test_a_queue_that_is_not_there_or_not_to_be_reached_says_so_without_secrets(
    azurite: Azurite, events: Events, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    os.environ[SAS_VARIABLE] = "sv=2021&sig=s3cr3tsignature"
    with pytest.raises(LandingUnreachableError, match="QueueNotFound"):
        EventQueue(**{**events.queue.model_dump(), "queue": "nowhere"}).receive(1, 1)
    for kind in (CredentialKind.KEY, CredentialKind.SAS):
        nobody = EventQueue(account_url=f"http://127.0.0.1:1/{ACCOUNT}", queue="events", credential=kind, retries=0)
        with pytest.raises(LandingUnreachableError) as fault:
            nobody.receive(1, 1)
        assert "s3cr3t" not in str(fault.value) + caplog.text + repr(nobody)
        assert os.environ[KEY_VARIABLE] not in str(fault.value) + caplog.text + repr(nobody)
