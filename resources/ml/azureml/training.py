"""Training by each method on Azure ML: the parts are made sure of, the job is begun or gone on with, its output is fetched."""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg

from resources.atomic import filled_once
from resources.ml.azureml import automl, responsible_ai, training_jobs
from resources.ml.azureml.computes import ensure_compute
from resources.ml.azureml.data_assets import SNAPSHOTS
from resources.ml.azureml.environments import copy_science, ensure_environment, training_environment
from resources.ml.azureml.faults import AzureMLError, faults_of, is_missing
from resources.ml.azureml.files import fetch, job_page
from resources.ml.azureml.jobs import attempt, run_job, run_under_pipes
from resources.ml.azureml.provenance import Provenance, hash_of_files, hash_of_values
from resources.ml.azureml.training_jobs import OUT, JobParts
from resources.ml.azureml.workspace import Workspace
from resources.ml.ml_platform import Snapshot
from resources.ml.training_method import AutoMLMethod, CommandMethod, PipelineMethod, SweepMethod, TrainingMethod

BEST_TRIAL = "best_child_run_id"


@dataclass(frozen=True)
class Finished:
    """A training that is done: its job, the job that has the output (a sweep's best trial), the output here."""

    job: str
    output_of: str
    folder: Path

    @property
    def model_address(self) -> str:
        """Where the model is in the workspace."""
        return f"azureml://jobs/{self.output_of}/outputs/{OUT}/paths/model"


def submit_training(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    method: TrainingMethod,
    snapshot: Snapshot,
    jobs_folder: Path,
) -> Finished:
    """Trains on a kept snapshot. Raises `AzureMLError` if a job fails."""
    with tempfile.TemporaryDirectory(prefix="globolatte-code-") as scratch:
        parts = JobParts(
            settings=workspace.settings,
            code=copy_science(Path(scratch) / "code"),
            environment=ensure_environment(workspace, training_environment(workspace)),
            compute=ensure_compute(workspace),
            snapshot=f"azureml:{SNAPSHOTS}:{snapshot.name}",
            tags=Provenance.of(context.run.run_id, snapshot.name).tags(method=method.kind.value),
        )
        job = _run(context, workspace, method, parts, snapshot)
    output_of = best_trial(workspace, job) if isinstance(method, SweepMethod) else job
    folder = filled_once(
        jobs_folder / output_of, lambda new: fetch(workspace, f"azureml://jobs/{output_of}/outputs/{OUT}", new)
    )
    return Finished(job, output_of, folder)


def _run(
    context: dg.AssetExecutionContext, workspace: Workspace, method: TrainingMethod, parts: JobParts, kept: Snapshot
) -> str:
    if isinstance(method, AutoMLMethod):
        return automl.run(workspace, method, parts, kept, context.log.info)
    base = training_jobs.named(method, parts, kept.name)
    if isinstance(method, CommandMethod):
        found = attempt(workspace, base)
        page = job_page(workspace, found.name)
        context.log.info(f"Azure ML job {found.name} {'is there and goes on' if found.is_there else 'begins'}: {page}")
        job = None if found.is_there else training_jobs.command_job(parts, method, found.name)
        run_under_pipes(context, workspace, found, job)
        return found.name
    if isinstance(method, SweepMethod):
        return run_job(workspace, base, lambda name: training_jobs.sweep_job(parts, method, name), context.log.info)
    return _run_pipeline(context, workspace, method, parts, kept)


def _run_pipeline(
    context: dg.AssetExecutionContext, workspace: Workspace, method: PipelineMethod, parts: JobParts, kept: Snapshot
) -> str:
    base = training_jobs.named(method, parts, kept.name)
    steps = ensure_components(workspace, training_jobs.components(parts, method.seed), parts)
    if not method.responsible_ai:
        return run_job(workspace, base, lambda name: training_jobs.pipeline_job(parts, steps, name), context.log.info)
    ours = ensure_components(workspace, {"inputs": responsible_ai.inputs_component(parts)}, parts)["inputs"]
    rai = responsible_ai.ensure(workspace, parts, method, kept)
    more = partial(responsible_ai.add_steps, rai, ours)
    return run_job(workspace, base, lambda name: training_jobs.pipeline_job(parts, steps, name, more), context.log.info)


def ensure_components(workspace: Workspace, components: Mapping[str, Any], parts: JobParts) -> dict[str, Any]:
    """A pipeline's components, registered under the version of their content."""
    registered = {}
    for name, component in components.items():
        version = hash_of_values([component.command, parts.environment, hash_of_files(parts.code)])
        with faults_of(f"component {component.name}:{version}"):
            try:
                registered[name] = workspace.client.components.get(component.name, version=version)
            except Exception as error:
                if not is_missing(error):
                    raise
                registered[name] = workspace.client.components.create_or_update(component, version=version)
    return registered


def best_trial(workspace: Workspace, sweep: str) -> str:
    """The job of a sweep's best trial. Raises `AzureMLError` if no trial told its loss."""
    with faults_of(f"job {sweep}", job_page(workspace, sweep)):
        properties = workspace.client.jobs.get(sweep).properties or {}
    found = properties.get(BEST_TRIAL)
    if not found:
        raise AzureMLError(
            f"job {sweep}",
            "has no best trial: none told its validation loss; the snapshot may have too few orders",
            "use GLOBOLATTE_TRAINING=command until more are loaded",
            job_page(workspace, sweep),
        )
    return str(found)


def forget(jobs_folder: Path, name: str) -> None:
    """Drops the fetched output of a job, to be fetched again."""
    shutil.rmtree(jobs_folder / name, ignore_errors=True)
