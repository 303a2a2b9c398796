"""Training by each method on Azure ML: registers what the job needs, starts or continues the job, downloads its output."""

import json
import tempfile
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import dagster as dg

from resources.atomic import filled_once
from resources.ml.azureml import automl, responsible_ai, training_jobs
from resources.ml.azureml.computes import ensure_compute
from resources.ml.azureml.data_assets import SNAPSHOTS
from resources.ml.azureml.environments import copy_science, ensure_environment, training_environment
from resources.ml.azureml.faults import AzureMLError, faults_of, found_or_none
from resources.ml.azureml.files import fetch
from resources.ml.azureml.jobs import attempt, run_job, run_under_pipes
from resources.ml.azureml.provenance import hash_of_files, hash_of_values, provenance_tags
from resources.ml.azureml.training_jobs import OUT, JobParts
from resources.ml.azureml.workspace import Workspace
from resources.ml.ml_platform import Snapshot, TrainedModel
from resources.ml.training_method import AutoMLMethod, CommandMethod, SweepMethod, TrainingMethod

BEST_TRIAL = "best_child_run_id"


def submit_training(
    context: dg.AssetExecutionContext,
    workspace: Workspace,
    method: TrainingMethod,
    snapshot: Snapshot,
    jobs_folder: Path,
) -> TrainedModel:
    """Trains on a stored snapshot. Raises `AzureMLError` if a job fails."""
    tags = provenance_tags(context.run.run_id, snapshot.name)
    with tempfile.TemporaryDirectory(prefix="globolatte-code-") as scratch:
        parts = JobParts(
            settings=workspace.settings,
            code=copy_science(Path(scratch) / "code"),
            environment=ensure_environment(workspace, training_environment(workspace)),
            compute=ensure_compute(workspace),
            snapshot=f"azureml:{SNAPSHOTS}:{snapshot.name}",
            tags={**tags, "method": method.kind.value},
        )
        job = _run(context, workspace, method, parts, snapshot)
    output_of = best_trial(workspace, job) if isinstance(method, SweepMethod) else job
    folder = filled_once(
        jobs_folder / output_of, lambda new: fetch(workspace, f"azureml://jobs/{output_of}/outputs/{OUT}", new)
    )
    parameters = json.loads((folder / "parameters.json").read_text(encoding="utf-8"))
    return TrainedModel(
        folder=folder / "model",
        content_hash=parameters["content_hash"],
        snapshot=snapshot.name,
        job_id=output_of,
        metrics=json.loads((folder / "metrics.json").read_text(encoding="utf-8")),
        parameters=parameters,
        method=method.kind,
        links={"azure_ml_job": workspace.job_page(job)},
        provenance=tags,
    )


def _run(
    context: dg.AssetExecutionContext, workspace: Workspace, method: TrainingMethod, parts: JobParts, snapshot: Snapshot
) -> str:
    if isinstance(method, AutoMLMethod):
        return automl.run(workspace, method, parts, snapshot, context.log.info)
    base = training_jobs.named(method, parts, snapshot.name)
    if isinstance(method, CommandMethod):
        found = attempt(workspace, base)
        page = workspace.job_page(found.name)
        context.log.info(f"Azure ML job {found.name} {'is there and goes on' if found.is_there else 'begins'}: {page}")
        job = None if found.is_there else training_jobs.command_job(parts, method, found.name)
        run_under_pipes(context, workspace, found, job)
        return found.name
    if isinstance(method, SweepMethod):
        return run_job(workspace, base, lambda name: training_jobs.sweep_job(parts, method, name), context.log.info)
    steps = ensure_components(workspace, training_jobs.components(parts, method.seed), parts)
    build = partial(training_jobs.pipeline_job, parts, steps)
    if method.responsible_ai:
        ours = ensure_components(workspace, {"inputs": responsible_ai.inputs_component(parts)}, parts)["inputs"]
        rai = responsible_ai.ensure(workspace, parts, method, snapshot)
        build = partial(build, more=partial(responsible_ai.add_steps, rai, ours))
    return run_job(workspace, base, build, context.log.info)


def ensure_components(workspace: Workspace, components: Mapping[str, Any], parts: JobParts) -> dict[str, Any]:
    """A pipeline's components, registered under the version of their content."""
    registered = {}
    for name, component in components.items():
        version = hash_of_values([component.command, parts.environment, hash_of_files(parts.code)])
        what, get = f"component {component.name}:{version}", workspace.client.components.get
        registered[name] = found_or_none(what, partial(get, component.name, version=version))
        if registered[name] is None:
            with faults_of(what):
                registered[name] = workspace.client.components.create_or_update(component, version=version)
    return registered


def best_trial(workspace: Workspace, sweep: str) -> str:
    """The job of a sweep's best trial. Raises `AzureMLError` if no trial reported its loss."""
    page = workspace.job_page(sweep)
    with faults_of(f"job {sweep}", page):
        properties = workspace.client.jobs.get(sweep).properties or {}
    found = properties.get(BEST_TRIAL)
    if not found:
        raise AzureMLError(
            f"job {sweep}",
            "has no best trial: none reported its validation loss; the snapshot may have too few orders",
            "use GLOBOLATTE_TRAINING=command until more are loaded",
            page,
        )
    return str(found)
