from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from globolatte_ml.data.orders import time_split
from globolatte_ml.data.snapshot import read_snapshot
from globolatte_ml.model.model import PreferenceModel
from globolatte_ml.scoring.scorer import Scorer


@pytest.fixture(scope="session")
def build():
    """The builders of `ml_builders.py`."""
    name = "globolatte_ml_builders"
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / "ml_builders.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def chain(build):
    return build.chain(n_orders=900)


@pytest.fixture(scope="session")
def snapshot_folder(build, chain, tmp_path_factory):
    return build.write_snapshot(chain, tmp_path_factory.mktemp("snapshot"))


@pytest.fixture(scope="session")
def state_folder(build, chain, tmp_path_factory):
    return build.write_state(chain, tmp_path_factory.mktemp("state"))


@pytest.fixture(scope="session")
def snapshot(snapshot_folder):
    return read_snapshot(snapshot_folder)


@pytest.fixture(scope="session")
def model(snapshot):
    past = ~time_split(snapshot.ordered_at)
    return PreferenceModel().fit(
        snapshot.states.take(past), snapshot.contexts.take(past), snapshot.y[past], snapshot.products
    )


@pytest.fixture(scope="session")
def model_folder(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    model.save(folder)
    return folder


@pytest.fixture(scope="session")
def scorer(model_folder, state_folder):
    return Scorer.from_folders(model_folder, state_folder)


@pytest.fixture
def read(build, tmp_path):
    """A snapshot of a chain, through files."""
    return lambda chain: read_snapshot(build.write_snapshot(chain, tmp_path / "small"))
