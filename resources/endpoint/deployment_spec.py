"""One deployment as a value, and as a folder that a person can read: `score.py`, `model/`, `state/`, `conda.yml`, `deployment.json`."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from globolatte_ml.scoring.api_document import AZURE as AZURE_API
from globolatte_ml.scoring.api_document import Dialect, describe
from resources.settings.settings import PROJECT_ROOT

DOCUMENT, CONDA, MODEL, STATE = "deployment.json", "conda.yml", "model", "state"
APPEND_ROW, SUMMARY_ONLY = "append_row", "summary_only"
"""Where a batch's answers go: into one file of all rows, or into one file per file of requests."""
SCRIPT, BATCH_SCRIPT = "score.py", "batch_score.py"
DESCRIBED = {
    "swagger2.json": Dialect.SWAGGER_2,
    "swagger3.json": Dialect.OPENAPI_3_0,
    "swagger3.1.json": Dialect.OPENAPI_3_1,
}
"""What Azure's server gives at `/swagger.json`: without regions and weather types, which change with the customer state."""
SCIENCE = PROJECT_ROOT / "globolatte_ml"
AZURE = PROJECT_ROOT / "resources" / "endpoint" / "azureml"
BESIDE = (AZURE / "state_sync.py", AZURE / "data_collector.py")
"""The files that a deployment contains besides `globolatte_ml`; each imports nothing of this project."""
ENTRY = '''\
"""Answers with the model of this deployment: hands over to `globolatte_ml.{module}`, and has the customer states brought here."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import state_sync  # noqa: E402

state_sync.begin(HERE / "state")

from globolatte_ml import {module}  # noqa: E402
{collected}
init, run = {module}.init, {module}.run
'''
COLLECTED = """
import data_collector  # noqa: E402

score.listeners[:] = data_collector.listeners()
"""


@dataclass(frozen=True)
class Probe:
    """When an instance counts as alive and ready; seconds, by Azure's names."""

    initial_delay: int = 10
    period: int = 10
    timeout: int = 2
    failure_threshold: int = 30
    success_threshold: int = 1


@dataclass(frozen=True)
class RequestLimits:
    """How many requests an instance handles at a time, and for how long; by Azure's names."""

    request_timeout_ms: int = 5000
    max_concurrent_requests_per_instance: int = 4
    max_queue_wait_ms: int = 500


@dataclass(frozen=True)
class BatchLimits:
    """How a batch is split, and what happens if a part fails."""

    instances: int = 1
    mini_batch_files: int = 1
    concurrency: int = 1
    retries: int = 3
    timeout_seconds: int = 300
    failed_files_allowed: int = 0
    output: str = APPEND_ROW
    output_file: str = "predictions.csv"


@dataclass(frozen=True)
class DeploymentSpec:
    """A model with everything that serving needs. `instances_max`: the number of instances to scale up to; none for no scaling."""

    name: str
    model_version: str
    content_hash: str
    state_version: str
    instance_type: str = "Standard_DS3_v2"
    instances: int = 1
    instances_max: int | None = None
    requests: RequestLimits = field(default_factory=RequestLimits)
    probe: Probe = field(default_factory=Probe)
    batch: BatchLimits = field(default_factory=BatchLimits)
    app_insights: bool = False
    collect_data: bool = False
    conda: Mapping[str, Any] = field(default_factory=dict)
    look_seconds: float = 30.0
    """How often a deployment looks for a newer customer state and uploads its prediction log."""
    state_url: str | None = None
    """The container of newer customer states; none if the deployment always uses the state that it was made with."""

    @property
    def environment_variables(self) -> dict[str, str]:
        """What `globolatte_ml.scoring.service` reads."""
        return {
            "GLOBOLATTE_DEPLOYMENT": self.name,
            "GLOBOLATTE_MODEL_VERSION": self.model_version,
            "OMP_NUM_THREADS": "1",
            **({"GLOBOLATTE_COLLECT_DATA": "1"} if self.collect_data else {}),
            **(self._storage(self.state_url) if self.state_url else {}),
        }

    @property
    def batch_environment_variables(self) -> dict[str, str]:
        """What `globolatte_ml.batch_score` reads."""
        each = {"GLOBOLATTE_BATCH_OUTPUT": "files"} if self.batch.output == SUMMARY_ONLY else {}
        return {**self.environment_variables, **each}

    def _storage(self, url: str) -> dict[str, str]:
        names = ("GLOBOLATTE_STATE_SECONDS", "GLOBOLATTE_PREDICTION_LOG_SECONDS")
        return {"GLOBOLATTE_STATE_URL": url, **dict.fromkeys(names, f"{self.look_seconds:g}")}


def write_folder(spec: DeploymentSpec, folder: Path, state: Path, model: Path | None = None) -> Path:
    """Writes a deployment's folder; `model` is left out where a registry mounts it. `state`: the customer state's own folder."""

    folder.mkdir(parents=True, exist_ok=True)
    for file in BESIDE:
        shutil.copy(file, folder / file.name)
    for script, collected in ((SCRIPT, COLLECTED), (BATCH_SCRIPT, "")):
        text = ENTRY.replace("{module}", script.removesuffix(".py")).replace("{collected}", collected)
        (folder / script).write_text(text, encoding="utf-8")
    (folder / DOCUMENT).write_text(json.dumps(asdict(spec), indent=2, sort_keys=True) + "\n", encoding="utf-8")
    for name, dialect in DESCRIBED.items():
        (folder / name).write_text(json.dumps(describe(AZURE_API, dialect, {}), indent=2) + "\n", encoding="utf-8")
    (folder / CONDA).write_text(yaml.safe_dump(dict(spec.conda), sort_keys=False), encoding="utf-8")
    ignored = shutil.ignore_patterns("__pycache__", "*.pyc", "monitoring")
    shutil.copytree(SCIENCE, folder / SCIENCE.name, ignore=ignored, dirs_exist_ok=True)
    shutil.copytree(state, folder / STATE / "states" / spec.state_version, dirs_exist_ok=True)
    (folder / STATE / "current_state").write_text(spec.state_version, encoding="utf-8")
    if model is not None:
        shutil.copytree(model, folder / MODEL, dirs_exist_ok=True)
    return folder
