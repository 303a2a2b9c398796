"""Which port the gateway listens on, and what is said of it."""

import socket
from contextlib import closing

import pytest

from resources.endpoint.endpoint import EndpointError
from resources.endpoint.local.files import EndpointFiles, write_json
from resources.endpoint.local.ports import Ports


@pytest.fixture
def files(tmp_path):
    return EndpointFiles(tmp_path / "endpoints")


def port_after(files, port=None):
    with closing(Ports(files, port)) as ports:
        return ports.port


def test_the_port_stays_the_same(files):
    assert port_after(files) == port_after(files)


def test_a_taken_port_is_named_and_remembered(files):
    usual = port_after(files)
    with socket.create_server(("127.0.0.1", usual)), closing(Ports(files, None)) as ports:
        assert ports.port != usual
        assert ports.note.startswith(f"port {usual}, its usual one, is taken")
    assert port_after(files) == usual


def test_the_port_of_an_earlier_version_is_its_own(files):
    usual = port_after(files)
    write_json(files.port, usual)
    with socket.create_server(("127.0.0.1", usual)), closing(Ports(files, None)) as ports:
        assert ports.note
    assert port_after(files) == usual


def test_a_copy_whose_original_runs_gets_a_port_of_its_own_for_good(files, tmp_path):
    with closing(Ports(files, None)) as original:
        copy = EndpointFiles(tmp_path / "copy")
        write_json(copy.port, {"port": original.port, "folder": str(files.folder)})
        with closing(Ports(copy, None)) as ports:
            own = ports.port
            assert own != original.port
            assert not ports.note
    assert port_after(copy) == own, "the original's is not taken away while it is down"


def test_a_moved_home_keeps_its_port(files, tmp_path):
    moved = EndpointFiles(tmp_path / "moved")
    usual = port_after(files)
    files.port.rename(tmp_path / "port")
    moved.folder.mkdir()
    (tmp_path / "port").rename(moved.port)
    assert port_after(moved) == usual


def test_a_taken_port_of_the_setting_is_an_error_with_the_remedy(files):
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(EndpointError, match="GLOBOLATTE_ENDPOINT_PORT"),
    ):
        Ports(files, taken.getsockname()[1])
