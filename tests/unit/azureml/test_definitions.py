"""What a workspace is asked for, without a workspace: search spaces, tags, errors, folders and YAML."""

import json
import math
import re
from dataclasses import asdict
from pathlib import Path

import pytest

from resources.endpoint.azureml.endpoint import desired_as_tags, desired_from_tags, other_tags
from resources.endpoint.deployment_spec import BatchLimits, DeploymentSpec, Probe, write_folder
from resources.endpoint.endpoint import Deployment, DesiredState, Mirror
from resources.ml.azureml import models
from resources.ml.azureml.environments import ensure_environment, serving_conda, serving_environment
from resources.ml.azureml.faults import AzureMLError, remedy_for
from resources.ml.azureml.training_jobs import early_termination, sampling, search_space
from resources.ml.azureml.workspace import Workspace
from resources.ml.training_method import (
    Distribution,
    DistributionKind,
    EarlyTermination,
    EarlyTerminationKind,
    Sampling,
    SweepMethod,
    choice,
    loguniform,
)
from resources.settings.azureml import AzureMLSettings
from resources.settings.settings import PROJECT_ROOT
from tests.azureml_builders import settings_of
from tests.builders import normal, uniform
from tests.emulators.azureml import StandIn
from tests.emulators.azureml.published_images import IMAGES

LOGNORMAL = Distribution(DistributionKind.LOGNORMAL, mean=1.0, deviation=2.0)
QLOGNORMAL = Distribution(DistributionKind.LOGNORMAL, mean=1.0, deviation=2.0, step=5.0)


def settings(**more: object) -> AzureMLSettings:
    return AzureMLSettings(subscription="s", resource_group="rg", workspace="ws", **more)


@pytest.mark.parametrize(
    ("ours", "azures"),
    [
        (choice(1.0, 2.0), ["choice", [[1.0, 2.0]]]),
        (uniform(0.0, 2.0), ["uniform", [0.0, 2.0]]),
        (uniform(0.0, 2.0, step=0.5), ["quniform", [0.0, 2.0, 0.5]]),
        (loguniform(0.01, 1.0), ["loguniform", [math.log(0.01), 0.0]]),
        (loguniform(1.0, 100.0, step=10.0), ["qloguniform", [0.0, math.log(100.0), 10.0]]),
        (normal(5.0, 2.0), ["normal", [5.0, 2.0]]),
        (normal(5.0, 2.0, step=1.0), ["qnormal", [5.0, 2.0, 1.0]]),
        (LOGNORMAL, ["lognormal", [1.0, 2.0]]),
        (QLOGNORMAL, ["qlognormal", [1.0, 2.0, 5.0]]),
    ],
)
def test_each_distribution_is_azures_and_a_loguniforms_bounds_are_logarithms(ours: Distribution, azures: list) -> None:
    assert search_space({"penalty": ours})["penalty"]._to_rest_object() == azures


@pytest.mark.parametrize(
    ("ours", "azures"),
    [
        ("grid", ("grid", None)),
        ("random", ("random", "random")),
        ("sobol", ("random", "sobol")),
        ("bayesian", ("bayesian", None)),
    ],
)
def test_each_sampling_is_azures(ours: str, azures: tuple[str, str | None]) -> None:
    made = sampling(SweepMethod({"penalty": choice(0.1)}, Sampling(ours)))
    assert (made.type, getattr(made, "rule", None)) == azures


@pytest.mark.parametrize("kind", EarlyTerminationKind)
def test_each_early_termination_is_azures(kind: EarlyTerminationKind) -> None:
    made = early_termination(EarlyTermination(kind, every=2, after=3, slack=0.2, percentage=40))
    assert (made.evaluation_interval, made.delay_evaluation) == (2, 3)
    assert made.type.replace("_", "").startswith(kind.value)


def test_a_desired_state_survives_as_tags(tmp_path: Path) -> None:
    folder = str(tmp_path / models.folder_name("7", "a" * 64))
    one, other = Deployment(folder, "7", "a" * 64), Deployment(str(tmp_path / f"8-{'b' * 12}"), "8", "b" * 64)
    state = DesiredState({"blue": one, "green": other}, {"blue": 90, "green": 10}, Mirror("green", 5))
    tags = desired_as_tags(state)
    assert all(len(value) <= 256 for value in tags.values())
    assert desired_from_tags({"team": "coffee", **tags}, tmp_path) == state
    assert other_tags({"team": "coffee", **tags}) == {"team": "coffee"}
    assert desired_from_tags({}, tmp_path) == DesiredState()


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("OutOfQuota: Not enough quota", "ask for more quota"),
        ("403 AuthorizationFailed", "AzureML Data Scientist"),
        ("ClientAuthenticationError 401 ExpiredAuthenticationToken", "az login"),
        ("429 TooManyRequests", "wait a few minutes"),
        ("something new", "run it again"),
    ],
)
def test_each_error_has_its_remedy(said: str, remedy: str) -> None:
    error = AzureMLError("compute c", said, remedy_for(said), "https://ml.azure.com/x")
    assert remedy in str(error)
    assert all(part in str(error) for part in ("compute c", said, "https://ml.azure.com/x"))


def test_a_deployment_stands_as_a_folder_that_can_be_read_back(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "customers.parquet").write_bytes(b"state")
    spec = DeploymentSpec(
        "blue", "3", "c" * 64, "s1", instances_max=4, probe=Probe(5), batch=BatchLimits(10), conda={"name": "n"}
    )
    folder = write_folder(spec, tmp_path / "deployment", tmp_path / "state")
    assert json.loads((folder / "deployment.json").read_text()) == asdict(spec)
    assert (folder / "state" / "current_state").read_text() == "s1"
    assert (folder / "state" / "states" / "s1" / "customers.parquet").read_bytes() == b"state"
    assert {"score.py", "batch_score.py", "conda.yml", "deployment.json", "globolatte_ml"} <= {
        p.name for p in folder.iterdir()
    }
    assert json.loads((folder / "swagger2.json").read_text())["swagger"] == "2.0"
    assert json.loads((folder / "swagger3.json").read_text())["openapi"] == "3.0.3"
    assert json.loads((folder / "swagger3.1.json").read_text())["openapi"] == "3.1.0"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"endpoint": "a"}, "3 to 32 letters"),
        ({"endpoint_kind": "kubernetes"}, "ENDPOINT_COMPUTE"),
        ({"instance_count": 3, "instance_count_max": 2}, "INSTANCE_COUNT_MAX is below"),
    ],
)
def test_settings_that_do_not_fit_are_refused(more: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        settings(**more)


def test_images_are_names_that_microsoft_publishes() -> None:
    """Wherever in the product such a name stands; a setting may name any other."""
    rooms = [
        PROJECT_ROOT / name
        for name in ("resources", "globolatte_ml", "globolatte_cli", "globolatte_assets", "infra", "docs")
    ]
    kinds = {".py", ".md", ".toml", ".yml", ".yaml", ".json"}
    texts = [file.read_text() for room in rooms for file in room.rglob("*") if file.suffix in kinds]
    named = {name.rstrip(".") for text in texts for name in re.findall(r"mcr\.microsoft\.com/azureml/[\w./:-]+", text)}
    chosen = settings()
    assert {chosen.image, chosen.inference_image} <= named <= set(IMAGES)


def test_an_image_that_nobody_publishes_is_refused_by_the_stand_in(azureml: StandIn) -> None:
    workspace = Workspace(
        settings_of(azureml, "images", inference_image="mcr.microsoft.com/azureml/minimal-py399-inference")
    )
    with pytest.raises(AzureMLError, match="minimal-py399-inference is not in the registry's published list"):
        ensure_environment(workspace, serving_environment(workspace, serving_conda(collects_data=False)))
