"""The batch endpoint: a deployment on the compute of the jobs, which turns files of requests into one file of answers."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resources.atomic import filled_once
from resources.endpoint.azureml import online
from resources.endpoint.deployment_spec import APPEND_ROW, BATCH_SCRIPT, DeploymentSpec, write_folder
from resources.ml.azureml.computes import ensure_compute
from resources.ml.azureml.data_assets import URI_FOLDER, ensure_data
from resources.ml.azureml.environments import batch_conda, batch_environment, ensure_environment
from resources.ml.azureml.faults import AzureMLError, faults_of, found_or_none
from resources.ml.azureml.files import fetch_job_output
from resources.ml.azureml.jobs import Say, cancelled_if_interrupted, status_of, wait_for
from resources.ml.azureml.models import CUSTOM_NAME
from resources.ml.azureml.provenance import hash_of_files, hash_of_values
from resources.ml.azureml.workspace import Workspace, provisioning_state
from resources.ml.ml_platform import ModelVersion
from resources.settings.azureml import PREFIX, AzureMLSettings

if TYPE_CHECKING:
    from azure.ai.ml.entities import BatchEndpoint, ModelBatchDeployment

QUESTIONS = "globolatte-batch-questions"


def endpoint_entity(settings: AzureMLSettings) -> "BatchEndpoint":
    """The endpoint."""
    from azure.ai.ml.entities import BatchEndpoint

    return BatchEndpoint(name=settings.batch_endpoint, description="Recommendations for files of questions")


def deployment_entity(
    settings: AzureMLSettings, spec: DeploymentSpec, code: Path, environment: str, compute: str
) -> "ModelBatchDeployment":
    """The deployment: how a batch is split, retried and merged."""
    from azure.ai.ml.entities import (
        BatchRetrySettings,
        CodeConfiguration,
        ModelBatchDeployment,
        ModelBatchDeploymentSettings,
    )

    limits = spec.batch
    return ModelBatchDeployment(
        name=spec.name,
        endpoint_name=settings.batch_endpoint,
        model=f"azureml:{CUSTOM_NAME}:{spec.content_hash[:12]}",
        environment=environment,
        code_configuration=CodeConfiguration(code=str(code), scoring_script=BATCH_SCRIPT),
        compute=compute,
        tags={online.MODEL_VERSION: spec.model_version, online.CONTENT_HASH: spec.content_hash},
        settings=ModelBatchDeploymentSettings(
            instance_count=limits.instances,
            mini_batch_size=limits.mini_batch_files,
            max_concurrency_per_instance=limits.concurrency,
            output_action=limits.output,
            output_file_name=limits.output_file if limits.output == APPEND_ROW else None,
            retry_settings=BatchRetrySettings(max_retries=limits.retries, timeout=limits.timeout_seconds),
            error_threshold=limits.failed_files_allowed,
            environment_variables=spec.batch_environment_variables,
            logging_level="info",
        ),
    )


def deploy(workspace: Workspace, version: ModelVersion, state: Path) -> str:
    """Makes a model the default deployment of the batch endpoint; returns the deployment's name, which says model, state and limits.

    A deployment of that name is left as it is, unless it failed.

    Raises `AzureMLError` where jobs run serverless: a batch endpoint needs a compute of its own.
    """
    settings = workspace.settings
    compute = ensure_compute(workspace)
    page = workspace.studio(f"endpoints/batch/{settings.batch_endpoint}")
    if compute is None:
        raise AzureMLError(
            f"batch endpoint {settings.batch_endpoint}", "cannot run serverless", f"set {PREFIX}COMPUTE=cluster", page
        )
    conda = batch_conda()
    name = _name_of(settings, version, state)
    spec = online.spec_of(settings, name, (version.version, version.content_hash), state.name, conda)
    client, what = workspace.client, f"batch endpoint {settings.batch_endpoint}"
    get_endpoint = partial(client.batch_endpoints.get, settings.batch_endpoint)
    get_deployment = partial(client.batch_deployments.get, name, settings.batch_endpoint)

    def make_endpoint() -> None:
        client.batch_endpoints.begin_create_or_update(endpoint_entity(settings)).result()

    def make_deployment() -> None:
        environment = ensure_environment(workspace, batch_environment(workspace, conda))
        with tempfile.TemporaryDirectory(prefix="globolatte-batch-") as scratch:
            code = write_folder(spec, Path(scratch) / "code", state)
            entity = deployment_entity(settings, spec, code, environment, compute)
            client.batch_deployments.begin_create_or_update(entity, skip_script_validation=True).result()

    with faults_of(what, page):
        _ensure(workspace, what, page, get_endpoint, make_endpoint)
        _ensure(workspace, f"batch deployment {name}", page, get_deployment, make_deployment)
        endpoint = get_endpoint()
        if (endpoint.defaults.deployment_name if endpoint.defaults else None) != name:
            endpoint.defaults = {"deployment_name": name}
            client.batch_endpoints.begin_create_or_update(endpoint).result()
    return name


def _ensure(workspace: Workspace, what: str, page: str, get: Callable[[], Any], make: Callable[[], None]) -> None:
    """Makes what is not there or has failed, and waits for it. Raises `AzureMLError` if nothing comes of it.

    Someone else may be making it, or was interrupted at it, and Azure goes on.
    """
    found = found_or_none(what, get, page)
    if found is None or provisioning_state(found) in online.GIVEN_UP:
        make()
    deadline = time.monotonic() + workspace.settings.deployment_wait_seconds
    while (state := provisioning_state(get())) != online.SUCCEEDED:
        if state in online.GIVEN_UP or time.monotonic() > deadline:
            raise AzureMLError(what, f"is {state}", "run it again", page)
        time.sleep(workspace.settings.poll_seconds)


def _name_of(settings: AzureMLSettings, version: ModelVersion, state: Path) -> str:
    limits = online.spec_of(settings, "", ("", ""), "", {}).batch
    return f"m{version.content_hash[:8]}-s{hash_of_files(state)[:8]}-l{hash_of_values(asdict(limits))[:6]}"


def score(workspace: Workspace, questions: Path, copies: Path, say: Say = lambda _: None) -> Path:
    """Answers a folder of question files by the default deployment; the file of answers here, or the folder of such files
    where the deployment writes one for each. An interrupt cancels the job. Raises `AzureMLError`."""
    from azure.ai.ml import Input

    settings = workspace.settings
    page = workspace.studio(f"endpoints/batch/{settings.batch_endpoint}")
    with faults_of(f"batch endpoint {settings.batch_endpoint}", page):
        endpoint = workspace.client.batch_endpoints.get(settings.batch_endpoint)
        deployment: Any = workspace.client.batch_deployments.get(
            str(endpoint.defaults.deployment_name), settings.batch_endpoint
        )
    if deployment.output_action != APPEND_ROW:
        _names_differ(questions)
    asset = ensure_data(workspace, QUESTIONS, hash_of_files(questions), questions, URI_FOLDER, {})
    with faults_of(f"batch endpoint {settings.batch_endpoint}", page), _headers_of_this_call_alone():
        job = workspace.client.batch_endpoints.invoke(
            endpoint_name=settings.batch_endpoint,
            deployment_name=deployment.name,
            inputs={"questions": Input(type="uri_folder", path=f"azureml:{asset.name}:{asset.version}")},
        )
    name = str(job.name)
    with cancelled_if_interrupted(workspace, name, say):
        if status_of(workspace, name) is None:
            raise AzureMLError(f"batch job {name}", "is not there", "run it again")
        wait_for(workspace, name, say)
    with faults_of(f"batch job {name}", page):
        children = [str(child.name) for child in workspace.client.jobs.list(parent_job_name=name)]
    scoring = children[0] if children else name  # the answers are an output of the job's one step
    folder = filled_once(copies / name, lambda new: fetch_job_output(workspace, scoring, "score", new))
    return folder / str(deployment.output_file_name) if deployment.output_action == APPEND_ROW else folder


def _names_differ(questions: Path) -> None:
    """Raises `AzureMLError` for files of one name in several folders: the answers to one would take the place of the others'."""
    files = sorted((file for file in questions.rglob("*") if file.is_file()), key=lambda file: (file.name, file))
    for _, namesakes in groupby(files, key=lambda file: file.name):
        same = [str(file.relative_to(questions)) for file in namesakes]
        if len(same) > 1:
            found = f"have the same name twice: {'; '.join(same)}"
            raise AzureMLError(f"questions {questions}", found, "give each file a name of its own")


@contextmanager
def _headers_of_this_call_alone() -> Iterator[None]:
    """The SDK has one set of headers for all calls: if one call names a deployment, the next one would request it too."""
    from azure.ai.ml.constants._endpoint import EndpointInvokeFields

    shared = EndpointInvokeFields.DEFAULT_HEADER
    before = dict(shared)
    try:
        yield
    finally:
        shared.clear()
        shared.update(before)
