"""An endpoint with real processes, shared by the tests of a module and ended after them."""

import os

import psutil
import pytest

from resources.endpoint.local.processes import marked
from tests.endpoint_builders import Caller, deployment, endpoint_in, only, train_into


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Versions 1 and 2."""
    folder = tmp_path_factory.mktemp("models")
    return {version: deployment(train_into(folder / version, int(version)), version) for version in ("1", "2")}


def members_of_session(session):
    """The living processes of a session."""
    return [pid for pid in psutil.pids() if _session_of(pid) == session]


def _session_of(pid):
    try:
        return os.getsid(pid) if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE else None
    except (OSError, psutil.Error):
        return None


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory, models):
    """An endpoint on which version 1 serves; nothing of it runs afterwards."""
    made = endpoint_in(tmp_path_factory.mktemp("home"))
    made.deploy(only("blue", models["1"]))
    try:
        made.wait_healthy("blue")
        yield made
    finally:
        supervisor = made.supervisor()
        made.stop()
        assert supervisor is None or not members_of_session(supervisor.pid)
        assert not marked(made.files)


@pytest.fixture
def caller(endpoint, models):
    """A caller, with version 1 alone behind the endpoint."""
    endpoint.deploy(only("blue", models["1"]))
    endpoint.wait_until_converged()
    made = Caller(endpoint)
    yield made
    made.close()
