"""What a message of the event queue says, as a table of messages."""

import base64
import json

import pytest

from globolatte_ingest.blob_events import UnreadableEventError, blob_written
from resources.landing.landing_zone import LandedFile
from tests.blob_builders import event_of, text_of

FILE = LandedFile("sales/usa/2022/01/31/a.csv", "0x8DA1B2C3", 42)


@pytest.mark.parametrize("cloud", [False, True])
@pytest.mark.parametrize("plain", [False, True])
@pytest.mark.parametrize("api", ["PutBlob", "PutBlockList", "CopyBlob", "FlushWithClose", "SftpCommit"])
def test_a_written_blob_is_read_from_either_schema_in_either_coding(cloud: bool, plain: bool, api: str) -> None:
    text = text_of(event_of(FILE, "landing", api, cloud=cloud), plain=plain)
    assert blob_written(text) == ("landing", FILE)


@pytest.mark.parametrize(
    "event",
    [
        event_of(FILE, "landing", "CreateFile"),
        event_of(FILE, "landing", "SftpCreate"),
        event_of(LandedFile("sales/usa/2022/01/31/a.csv.filepart", "1", 1), "landing", "SftpCommit"),
        event_of(FILE, "landing", "FlushFile"),
        event_of(FILE, "landing", "AppendBlock"),
        event_of(FILE, "landing", "DeleteBlob", kind="BlobDeleted"),
        event_of(FILE, "landing", "PutBlob", kind="BlobTierChanged"),
        {"eventType": "Microsoft.EventGrid.SubscriptionValidationEvent", "data": {"validationCode": "x"}},
    ],
)
def test_other_events_tell_of_no_written_blob(event: dict[str, object]) -> None:
    assert blob_written(text_of(event)) is None


@pytest.mark.parametrize(
    "path",
    [
        "sales/usa/2022/01/31/two words.csv",
        "sales/usa/2022/01/31/100%25 &?#+.csv",
        "sales/usa/2022/01/31/☕'\"; DROP.csv",
        "a/../b.csv",
    ],
)
def test_names_are_decoded_once(path: str) -> None:
    written = blob_written(text_of(event_of(LandedFile(path, "0x1", 1), "landing")))
    assert written is not None
    assert written[1].path == path


def test_a_hierarchical_account_s_own_address_names_the_same_blob() -> None:
    event = event_of(FILE, "landing", "FlushWithClose")
    event["data"] = {**event["data"], "url": f"https://a.dfs.core.windows.net/landing/{FILE.path}"}
    assert blob_written(text_of(event)) == ("landing", FILE)


def test_the_subject_names_the_blob_where_there_is_no_address() -> None:
    event = event_of(FILE, "landing")
    event["data"] = {"api": "PutBlob"}
    assert blob_written(text_of(event)) == ("landing", LandedFile(FILE.path, "", 0))


def test_etags_lose_their_quotes_and_a_list_of_one_event_is_that_event() -> None:
    event = event_of(FILE, "landing")
    event["data"] = {**event["data"], "eTag": '"0x8DA1B2C3"'}
    assert blob_written(text_of([event])) == ("landing", FILE)


def test_a_byte_order_mark_and_line_breaks_do_no_harm() -> None:
    text = "\ufeff" + json.dumps(event_of(FILE, "landing"), indent=2)
    assert blob_written(text) == blob_written(base64.b64encode(text.encode()).decode()) == ("landing", FILE)


CREATED = "Microsoft.Storage.BlobCreated"
A_CONTAINER = "/blobServices/default/containers/a"
NO_EVENTS = [
    ("", "no JSON"),
    ("hello", "neither JSON nor base64"),
    ("{", "no JSON"),
    ("[" * 100_000, "no JSON"),
    ("bm90IGpzb24=", "no JSON"),
    ("////", "neither JSON nor base64"),
    ("[]", "no event"),
    ("[1, 2]", "no event"),
    ("{}", "neither eventType nor type"),
    ('{"eventType": 7}', "neither eventType nor type"),
    (json.dumps({"eventType": CREATED}), "without data"),
    (json.dumps({"eventType": CREATED, "data": {"api": "PutBlob"}}), "subject 'None' does not name a blob"),
    (json.dumps({"type": CREATED, "subject": A_CONTAINER, "data": {"api": "PutBlob"}}), "does not name a blob"),
    (
        json.dumps(
            {"type": CREATED, "subject": f"{A_CONTAINER}/blobs/b", "data": {"api": "PutBlob", "url": "http://[x/a/b"}}
        ),
        "is no address",
    ),
]


@pytest.mark.parametrize(("text", "why"), NO_EVENTS, ids=range(len(NO_EVENTS)))
def test_what_is_no_event_says_why(text: str, why: str) -> None:
    with pytest.raises(UnreadableEventError, match=why):
        blob_written(text)
