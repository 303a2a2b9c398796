"""The environments of jobs and deployments: an image and a conda file, versioned by both; and the code that they contain."""

import importlib.metadata
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resources.ml.azureml.faults import faults_of, found_or_none
from resources.ml.azureml.provenance import hash_of_values
from resources.ml.azureml.workspace import Workspace
from resources.settings.settings import PROJECT_ROOT

if TYPE_CHECKING:
    from azure.ai.ml.entities import Environment


TRAINING_PACKAGES = ("dagster-pipes", "mlflow", "numpy", "onnx", "onnxruntime", "pandas", "pyarrow", "scikit-learn")
SERVING_PACKAGES = (
    "azure-identity",
    "azure-storage-blob",
    "azureml-inference-server-http",
    "numpy",
    "onnxruntime",
    "pandas",
    "pyarrow",
)
BATCH_PACKAGES = ("azure-identity", "azure-storage-blob", "numpy", "onnxruntime", "pandas", "pyarrow")
NOT_HERE = {
    "azureml-mlflow": "azureml-mlflow>=1.60",
    "azureml-ai-monitoring": "azureml-ai-monitoring>=1.0",
    "azureml-core": "azureml-core>=1.60",
    "azureml-dataset-runtime": "azureml-dataset-runtime[fuse]>=1.60",
}
"""Packages that only Azure's own machines use, and that need not be installed where Dagster runs."""


def conda_file(packages: Sequence[str], name: str) -> dict[str, Any]:
    """The versions installed in this environment, so that a job computes the same as a subprocess here."""
    python = f"python={sys.version_info.major}.{sys.version_info.minor}"
    pins = [NOT_HERE.get(package) or f"{package}=={importlib.metadata.version(package)}" for package in packages]
    return {"name": name, "channels": ["conda-forge"], "dependencies": [python, "pip", {"pip": pins}]}


def training_environment(workspace: Workspace) -> "Environment":
    """The environment of training jobs."""
    conda = conda_file((*TRAINING_PACKAGES, "azureml-mlflow"), "globolatte-training")
    return _environment(workspace.settings.image, conda)


def serving_environment(workspace: Workspace, conda: dict[str, Any]) -> "Environment":
    """The environment of deployments; `conda` is the result of `serving_conda`."""
    return _environment(workspace.settings.inference_image, conda)


def serving_conda(*, collects_data: bool) -> dict[str, Any]:
    """The conda file of a deployment."""
    more = ("azureml-ai-monitoring",) if collects_data else ()
    return conda_file((*SERVING_PACKAGES, *more), "globolatte-serving")


def batch_conda() -> dict[str, Any]:
    """The conda file of a batch deployment; Azure's driver of batches needs azureml-core and its mount."""
    return conda_file((*BATCH_PACKAGES, "azureml-core", "azureml-dataset-runtime"), "globolatte-batch")


def batch_environment(workspace: Workspace, conda: dict[str, Any]) -> "Environment":
    """The environment of batch deployments."""
    return _environment(workspace.settings.image, conda)


def _environment(image: str, conda: dict[str, Any]) -> "Environment":
    from azure.ai.ml.entities import Environment

    version = hash_of_values({"image": image, "conda": conda})
    return Environment(name=conda["name"], version=version, image=image, conda_file=conda)


def ensure_environment(workspace: Workspace, environment: "Environment") -> str:
    """Registers an environment if it is not there; its address."""
    name, version = str(environment.name), str(environment.version)
    what = f"environment {name}:{version}"
    if found_or_none(what, lambda: workspace.client.environments.get(name, version=version)) is None:
        with faults_of(what):
            workspace.client.environments.create_or_update(environment)
    return f"azureml:{name}:{version}"


SCIENCE = PROJECT_ROOT / "globolatte_ml"


def copy_science(folder: Path) -> Path:
    """Copies `globolatte_ml` into a folder; the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(SCIENCE, folder / SCIENCE.name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc", "monitoring"))
    return folder
