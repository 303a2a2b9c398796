"""AutoML as a training method: tables as data assets, a search by Azure's AutoML, and a job that builds our model on its result.

Azure's own model needs its libraries, on its Python; so the search is limited to algorithms that have an ONNX form, and that
graph is taken. The search fits on the tables alone, which hold no order of the holdout.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from globolatte_ml.automl_table import TARGET, TRAINING, VALIDATION, write_tables
from globolatte_ml.data.columns import InvalidDataError
from globolatte_ml.data.snapshot import read_snapshot
from resources.ml.azureml.data_assets import MLTABLE, ensure_by_content
from resources.ml.azureml.faults import AzureMLError, faults_of
from resources.ml.azureml.jobs import run_job
from resources.ml.azureml.training_jobs import OUT, JobParts, limited, named, snapshot_input
from resources.ml.azureml.workspace import Workspace
from resources.ml.ml_platform import Snapshot
from resources.ml.training_method import AutoMLMethod

if TYPE_CHECKING:
    from azure.ai.ml.automl import ClassificationJob
    from azure.ai.ml.entities import Command

TRAINING_TABLE, VALIDATION_TABLE = "globolatte-automl-training", "globolatte-automl-validation"
BEST_CHILD_TAG, BEST_CHILD_PROPERTY = "automl_best_child_run_id", "best_child_run_id"
ALGORITHM_PROPERTY = "run_algorithm"
BEST_MODEL = "best_model"
ARTIFACTS = "azureml://datastores/workspaceartifactstore/paths/ExperimentRun/dcid.{child}/outputs/"
"""Where Azure stores a trial's outputs: `model.onnx` beside its own `mlflow-model`."""

Tables = tuple[str, str]
LATEST_TABLES: Tables = (f"azureml:{TRAINING_TABLE}@latest", f"azureml:{VALIDATION_TABLE}@latest")
"""In definitions that are written down."""


def run(
    workspace: Workspace, method: AutoMLMethod, parts: JobParts, snapshot: Snapshot, say: Callable[[str], object]
) -> str:
    """Searches, then makes the model; returns the name of the job that has it as output. A job that exists already is continued."""
    tables = ensure_tables(workspace, snapshot)
    search = named(method, parts, snapshot.name, tables=tables)
    found = run_job(workspace, search, lambda name: automl_job(parts, method, tables, name), say)
    child, algorithm = best_child(workspace, found)
    say(f"Azure ML job {found} found {algorithm}: {workspace.job_page(child)}")
    adoption = named(method, parts, snapshot.name, found=child)
    return run_job(workspace, adoption, lambda name: adoption_job(parts, method, (child, algorithm), name), say)


def ensure_tables(workspace: Workspace, snapshot: Snapshot) -> Tables:
    """The tables of a snapshot as MLTable assets, versioned by their content; their addresses."""
    with tempfile.TemporaryDirectory(prefix="globolatte-tables-") as scratch:
        try:
            training, validation = write_tables(read_snapshot(snapshot.folder), Path(scratch))
        except InvalidDataError as error:
            remedy = "correct what it says, then run it again"
            raise AzureMLError(f"snapshot {snapshot.name}", str(error), remedy) from None
        tags = {"snapshot": snapshot.name}
        return (
            ensure_by_content(workspace, TRAINING_TABLE, training, MLTABLE, tags),
            ensure_by_content(workspace, VALIDATION_TABLE, validation, MLTABLE, tags),
        )


def tables_job(parts: JobParts, name: str) -> "Command":
    """Makes the tables in the workspace and registers them, for a search that nobody's Dagster prepares."""
    from azure.ai.ml import Output, command

    made = {TRAINING: TRAINING_TABLE, VALIDATION: VALIDATION_TABLE}
    copied = "".join(f" && cp -r tables/{folder}/. ${{{{outputs.{folder}}}}}/" for folder in made)
    job = command(
        **parts.common(),
        command=f"python -m globolatte_ml.automl_table --snapshot ${{{{inputs.snapshot}}}} --out tables{copied}",
        inputs={"snapshot": snapshot_input(parts)},
        outputs={folder: Output(type=MLTABLE, name=asset) for folder, asset in made.items()},
    )
    return limited(parts, job, name)


def automl_job(parts: JobParts, method: AutoMLMethod, tables: Tables, name: str) -> "ClassificationJob":
    """Azure's search for a classifier. Serverless it takes the size that Azure chooses: the SDK writes a size that the service refuses."""
    from azure.ai.ml import Input, Output, automl

    training, validation = (Input(type=MLTABLE, path=path) for path in tables)
    job = automl.classification(
        training_data=training,
        target_column_name=TARGET,
        primary_metric=method.metric.value,
        validation_data=validation if method.folds is None else None,
        n_cross_validations=method.folds,
        **({"compute": parts.compute} if parts.compute else {}),
    )
    job.outputs = {
        BEST_MODEL: Output(type="mlflow_model")
    }  # given to the function, it is of a type that the SDK cannot write as YAML
    job.set_limits(
        max_trials=method.trials,
        max_concurrent_trials=min(method.concurrent, method.trials),
        timeout_minutes=method.minutes,
        trial_timeout_minutes=min(method.trial_minutes, method.minutes),
        enable_early_termination=True,
    )
    job.set_featurization(mode=method.featurization.value)
    job.set_training(
        enable_onnx_compatible_models=True,
        enable_model_explainability=method.explain,
        enable_stack_ensemble=False,
        enable_vote_ensemble=False,
        blocked_training_algorithms=[algorithm.value for algorithm in method.blocked] or None,
    )
    return parts.dress(job, name)


def best_child(workspace: Workspace, search: str) -> tuple[str, str]:
    """The run of a search's best trial, and its algorithm. Raises `AzureMLError` if no trial was completed."""
    page = workspace.job_page(search)
    with faults_of(f"job {search}", page):
        job = workspace.client.jobs.get(search)
        stated: dict[str, Any] = {**(job.properties or {}), **(job.tags or {})}
        child = stated.get(BEST_CHILD_TAG) or stated.get(BEST_CHILD_PROPERTY)
        if not child:
            remedy = "raise minutes and trial_minutes in [automl], then run it again"
            raise AzureMLError(f"job {search}", "names no best trial", remedy, page)
        algorithm = (workspace.client.jobs.get(child).properties or {}).get(ALGORITHM_PROPERTY, "unknown")
    return str(child), str(algorithm)


def adoption_job(parts: JobParts, method: AutoMLMethod, found: tuple[str, str], name: str) -> "Command":
    """Our `train.py` with the found classifier in place of the regression."""
    from azure.ai.ml import Input, Output, command

    child, algorithm = found
    job = command(
        **parts.common(),
        command="python -m globolatte_ml.azureml_job --snapshot ${{inputs.snapshot}} --out ${{outputs.out}} "
        f"--tabular ${{{{inputs.found}}}} --algorithm ${{{{inputs.algorithm}}}} --seed {method.seed}",
        inputs={
            "snapshot": snapshot_input(parts),
            "found": Input(type="uri_folder", path=ARTIFACTS.format(child=child), mode="download"),
            "algorithm": algorithm,
        },
        outputs={OUT: Output(type="uri_folder")},
    )
    return limited(parts, job, name)
