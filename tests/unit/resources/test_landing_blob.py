"""What a container has that other landing zones have not: credentials, snapshots, folders without content, reads in several requests."""

import datetime as dt
import http.client
import logging
import os
import traceback
import urllib.parse
from pathlib import Path
from types import SimpleNamespace
from typing import BinaryIO

import pytest
from azure.storage.blob import ContainerSasPermissions, ContentSettings, generate_container_sas

from resources.azure_storage import KEY_VARIABLE, SAS_VARIABLE, MissingSecretError, without_secrets
from resources.landing import blob
from resources.landing.blob import BlobLandingZone
from resources.landing.landing_zone import LandingUnreachableError, NoFile, SupersededError
from resources.settings.choices import CredentialKind
from tests.blob_builders import Bay, new_container, zone_of
from tests.emulators.azurite_server import ACCOUNT, Azurite
from tests.emulators.go_between import relay

BIG = 40 * 1024 * 1024
"""More than one request fetches."""


@pytest.fixture
def bay(azurite: Azurite) -> Bay:
    return Bay.new(azurite)


def paths(zone: BlobLandingZone, prefix: str = "") -> list[str]:
    return [file.path for file in zone.files(prefix)]


def sas_of(azurite: Azurite, bay: Bay) -> str:
    return generate_container_sas(
        ACCOUNT,
        bay.container.container_name,
        account_key=azurite.key,
        permission=ContainerSasPermissions(read=True, list=True, write=True),
        expiry=dt.datetime.now(dt.UTC) + dt.timedelta(hours=1),
    )


# What is listed --------------------------------------------------------------------------------------------------------


def test_a_listing_goes_on_over_as_many_pages_as_there_are(bay: Bay) -> None:
    names = [f"sales/usa/2022/01/31/{number:02d}.csv" for number in range(23)]
    for name in names:
        bay.container.upload_blob(name, b"x")
    zone = bay.zone.model_copy(update={"page_size": 5})
    assert paths(zone, "sales/usa/2022/01/31/") == names
    seen, start = [], None
    while (page := zone.page("sales/usa/", start)).next is not None:
        seen, start = [*seen, *page.files], page.next
    assert [file.path for file in (*seen, *page.files)] == names
    bay.container.upload_blob("sales/usa/2022/01/31/30.csv", b"x")
    later = zone.page("sales/usa/", start)  # the page that was the last one
    assert [file.path for file in later.files][-1:] == ["sales/usa/2022/01/31/30.csv"]


def test_snapshots_uncommitted_and_deleted_blobs_are_not_there(bay: Bay) -> None:
    kept, gone = bay.put("kept.csv", b"one"), bay.put("gone.csv", b"one")
    bay.container.get_blob_client(kept.path).create_snapshot()
    bay.container.get_blob_client("half.csv").stage_block("MDAx", b"half")
    bay.remove(gone.path)
    assert list(bay.zone.files()) == [kept]


def test_the_id_of_a_version_that_the_container_keeps_is_told_once_and_opens_it(bay: Bay) -> None:
    """The emulator keeps no versions: the container is asked through a client that tells an id, and finds by it what was there before."""
    file = bay.put("sales/a.csv", b"one")
    with bay.zone.open(file):
        pass
    assert bay.zone.version_id(file) is None, "nothing is remembered where the container keeps no versions"

    class Versioned:
        def __init__(self, name: str, version_id: str | None) -> None:
            self.name, self.version = name, version_id
            self.properties = SimpleNamespace(version_id=version_id or "2026-11-30T21:00:00.0000000Z")

        def download_blob(self, **_: object) -> "Versioned":
            return self

        def readinto(self, stream: BinaryIO) -> None:
            stream.write(f"{self.name} {self.version}".encode())

    zone = bay.zone.model_copy()
    zone._client = SimpleNamespace(get_blob_client=lambda name, version_id=None: Versioned(name, version_id))
    with zone.open(file) as stream:
        assert stream.read() == b"sales/a.csv None"
    version = zone.version_id(file)
    assert (version, zone.version_id(file)) == ("2026-11-30T21:00:00.0000000Z", None)
    with zone.open_version(file.path, str(version)) as stream:
        assert stream.read() == b"sales/a.csv 2026-11-30T21:00:00.0000000Z"


def test_the_folders_of_a_hierarchical_namespace_are_no_files(bay: Bay) -> None:
    bay.container.upload_blob("sales/usa", b"", metadata={"hdi_isfolder": "true"})
    bay.put("sales/usa/a.csv", b"")
    assert paths(bay.zone) == ["sales/usa/a.csv"]


@pytest.mark.parametrize("name", ["sales/a.csv.filepart", "sales/a.csv.part", "sales/a.CSV.TMP"])
def test_an_unfinished_copy_is_not_there_until_nobody_has_written_to_it_for_an_hour(
    bay: Bay, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    bay.container.upload_blob(name, b"x")
    bay.put("sales/b.csv", b"x")
    assert [file.path for file in bay.zone.files()] == ["sales/b.csv"]
    assert [file.path for file in bay.zone.level("sales/").files] == ["sales/b.csv"]
    monkeypatch.setattr(blob, "LISTED_AFTER_SECONDS", -60.0)
    assert [(file.path, file.etag) for file in bay.zone.files("sales/a")] == [(name, NoFile.UNFINISHED)]


def test_an_append_blob_is_another_version_after_each_block(bay: Bay) -> None:
    blob = bay.container.get_blob_client("a.csv")
    blob.create_append_blob()
    etags = [bay.landed("a.csv").etag]
    for block in (b"one\n", b"two\n"):
        blob.append_block(block)
        etags.append(bay.landed("a.csv").etag)
    assert len(set(etags)) == 3
    with bay.zone.open(bay.landed("a.csv")) as stream:
        assert stream.read() == b"one\ntwo\n"


def test_the_etag_is_the_same_however_azure_is_queried(bay: Bay) -> None:
    file = bay.put("a.csv", b"one")
    assert '"' not in file.etag
    assert file.etag == str(bay.container.get_blob_client("a.csv").get_blob_properties().etag).strip('"')


def put_raw(azurite: Azurite, bay: Bay, encoded_path: str, content: bytes) -> int:
    """Uploads under a name that client libraries would mend on the way."""
    host = urllib.parse.urlsplit(azurite.account_url)
    connection = http.client.HTTPConnection(str(host.hostname), host.port)
    target = f"{host.path}/{bay.container.container_name}/{encoded_path}?{sas_of(azurite, bay)}"
    connection.request("PUT", target, content, {"x-ms-blob-type": "BlockBlob", "x-ms-version": "2021-12-02"})
    return connection.getresponse().status


@pytest.mark.parametrize(
    "name",
    [
        'sales/usa/2022/01/31/it\'s "quoted".csv',
        "sales/usa/2022/01/31/100%25.csv",
        "sales/usa/2022/01/31/%2e%2e%2f.csv",
        "sales/usa/2022/01/31/..csv",
        "sales/usa/2022/01/31/'); DROP TABLE sales_data.load_ledger; --.csv",
        "sales/usa/2022/01/31/☕👩‍🍳🇲🇽.csv",
        "sales/usa/2022/01/31/" + "x" * (1000 - 25) + ".csv",
    ],
)
def test_a_name_is_a_name_and_nothing_else(bay: Bay, name: str) -> None:
    file = bay.put(name, b"content")
    assert paths(bay.zone) == [name]
    with bay.zone.open(file) as stream:
        assert stream.read() == b"content"


@pytest.mark.parametrize(
    "name", ["sales/usa/../../escape.csv", "sales/usa/2022/01/31/../../escape.csv", "./escape.csv"]
)
def test_a_name_that_climbs_is_listed_as_it_is_and_leads_to_no_other_blob(
    azurite: Azurite, bay: Bay, name: str
) -> None:
    """The libraries below would mend such a name into another blob's."""
    for target in ("escape.csv", "sales/usa/2022/escape.csv"):
        bay.put(target, b"not yours")
    assert put_raw(azurite, bay, name, b"climbing") == 201
    [climbing] = [file for file in bay.zone.files() if file.path == name]
    with pytest.raises(LandingUnreachableError, match="would lead to another blob"), bay.zone.open(climbing):
        pytest.fail("it was opened")


# Reading ---------------------------------------------------------------------------------------------------------------


def test_a_blob_with_a_content_encoding_is_read_as_it_was_written(bay: Bay) -> None:
    bay.container.upload_blob(
        "a.csv.gz", b"\x1f\x8b not unpacked", content_settings=ContentSettings(content_encoding="gzip")
    )
    with bay.zone.open(bay.landed("a.csv.gz")) as stream:
        assert stream.read() == b"\x1f\x8b not unpacked"


def zone_through(azurite: Azurite, bay: Bay, port: int) -> BlobLandingZone:
    """The same landing zone, reached by way of a relay."""
    url = azurite.account_url.replace(azurite.ports["Blob"], str(port))
    return BlobLandingZone(
        account_url=url, container=bay.container.container_name, credential=CredentialKind.KEY, retries=0
    )


@pytest.mark.parametrize("after", [1000, 33 * 1024 * 1024])
def test_a_blob_replaced_between_two_requests_of_one_read_is_superseded_not_mixed(
    azurite: Azurite, bay: Bay, after: int
) -> None:
    listed = bay.put("a.csv", b"1" * BIG)
    with relay(int(azurite.ports["Blob"]), after, lambda: bay.put("a.csv", b"2" * BIG)) as between:
        zone = zone_through(azurite, bay, between.own_port)
        with pytest.raises(SupersededError), zone.open(listed):
            pytest.fail("the blob was given out")
    assert between.happened


def test_a_blob_deleted_between_two_requests_of_one_read_is_superseded(azurite: Azurite, bay: Bay) -> None:
    listed = bay.put("a.csv", b"1" * BIG)
    with relay(int(azurite.ports["Blob"]), 33 * 1024 * 1024, lambda: bay.remove("a.csv")) as between:
        zone = zone_through(azurite, bay, between.own_port)
        with pytest.raises(SupersededError), zone.open(listed):
            pytest.fail("the blob was given out")


def test_a_service_that_stops_in_the_middle_of_a_read_gives_nothing_and_the_whole_file_later(tmp_path: Path) -> None:
    server = Azurite(tmp_path / "log", tmp_path / "data").start()
    try:
        bay = Bay.new(server)
        listed = bay.put("a.csv", b"1" * BIG)
        server.wait_until_kept("a.csv")
        with relay(int(server.ports["Blob"]), 34 * 1024 * 1024, server.kill) as between:
            zone = zone_through(server, bay, between.own_port)
            with pytest.raises(LandingUnreachableError, match=r"a\.csv in container"), zone.open(listed):
                pytest.fail("half of a blob was given out")
        server.start()
        with bay.zone.open(bay.landed("a.csv")) as stream:
            assert stream.read() == b"1" * BIG
        assert bay.landed("a.csv") == listed
    finally:
        server.kill()


# Credentials -----------------------------------------------------------------------------------------------------------


def test_a_shared_access_signature_opens_it(azurite: Azurite, bay: Bay) -> None:
    file = bay.put("a.csv", b"one")
    os.environ[SAS_VARIABLE] = sas_of(azurite, bay)
    zone = zone_of(azurite, bay.container, CredentialKind.SAS)
    assert list(zone.files()) == [file]
    with zone.open(file) as stream:
        assert stream.read() == b"one"


def test_the_default_credential_sends_tokens_over_https_only(azurite: Azurite, bay: Bay) -> None:
    """As far as an emulator can show it: the identity's token is never sent in the clear."""
    zone = zone_of(azurite, bay.container, CredentialKind.DEFAULT)
    with pytest.raises(LandingUnreachableError, match="HTTPS"):
        paths(zone)


@pytest.mark.parametrize(("kind", "variable"), [(CredentialKind.KEY, KEY_VARIABLE), (CredentialKind.SAS, SAS_VARIABLE)])
def test_a_missing_secret_is_named_with_its_remedy(
    bay: Bay, azurite: Azurite, kind: CredentialKind, variable: str
) -> None:
    zone = zone_of(azurite, bay.container, kind)
    os.environ.pop(variable, None)
    with pytest.raises(MissingSecretError, match=variable):
        paths(zone)


def test_a_container_that_is_not_there_is_not_taken_for_an_empty_one(azurite: Azurite, bay: Bay) -> None:
    zone = BlobLandingZone(
        account_url=azurite.account_url, container="nowhere", credential=CredentialKind.KEY, retries=0
    )
    with pytest.raises(LandingUnreachableError, match="ContainerNotFound"):
        paths(zone)


def test_no_secret_is_in_errors_logs_or_what_the_resource_shows_of_itself(
    azurite: Azurite, bay: Bay, caplog: pytest.LogCaptureFixture
) -> None:
    for name in (None, "urllib3", "urllib3.connectionpool"):  # another test's libraries may have quietened them
        caplog.set_level(logging.DEBUG, name)
        logging.getLogger(name).disabled = False
    bay.put("a.csv", b"one")
    os.environ[SAS_VARIABLE] = sas = sas_of(azurite, bay)
    wrong = azurite.key[:40] + "A" * 46 + "=="
    said = []
    zones = [
        zone_of(azurite, bay.container, CredentialKind.SAS),
        BlobLandingZone(
            account_url=f"http://127.0.0.1:1/{ACCOUNT}", container="landing", credential=CredentialKind.SAS, retries=0
        ),
        BlobLandingZone(account_url=azurite.account_url, container="nowhere", credential=CredentialKind.SAS, retries=0),
        zone_of(azurite, bay.container),
    ]
    for zone in zones:
        try:
            paths(zone)
        except LandingUnreachableError as error:
            said += traceback.format_exception(error)
        said += [repr(zone), zone.describe(), str(zone.model_dump())]
    os.environ[KEY_VARIABLE] = wrong
    with pytest.raises(LandingUnreachableError, match="403") as refused:
        paths(BlobLandingZone(**bay.zone.model_dump()))
    said.append(str(refused.value))
    signature = urllib.parse.parse_qs(sas)["sig"][0]
    text = "\n".join([*said, caplog.text])
    assert len(said) > 8
    assert "sig=***" in caplog.text or "sig=[REDACTED]" in caplog.text  # MLflow, where it is loaded, blanks them first
    for secret in (azurite.key, wrong, sas, signature, urllib.parse.quote(signature, safe="")):
        assert secret not in text


def test_what_looks_like_a_signature_is_blanked_wherever_it_stands() -> None:
    assert without_secrets("GET /a?sv=1&sig=abc%2Bdef%3D&se=2") == "GET /a?sv=1&sig=***&se=2"
    assert without_secrets("url: 'https://x/?sig=abc'") == "url: 'https://x/?sig=***'"


def test_several_threads_read_at_once_over_one_connection(bay: Bay) -> None:
    from concurrent.futures import ThreadPoolExecutor

    files = [bay.put(f"{number}.csv", str(number).encode() * 1000) for number in range(16)]

    def read(number: int) -> bytes:
        with bay.zone.open(files[number]) as stream:
            return stream.read()

    with ThreadPoolExecutor(8) as readers:
        assert list(readers.map(read, range(16))) == [str(number).encode() * 1000 for number in range(16)]


def test_containers_do_not_see_each_other(azurite: Azurite, bay: Bay) -> None:
    bay.put("a.csv", b"x")
    assert paths(zone_of(azurite, new_container(azurite))) == []
