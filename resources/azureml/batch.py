"""The batch endpoint: the deployment's folder on the compute that jobs run on, files of questions in, one file of answers out."""

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resources.azureml import online
from resources.azureml.computes import ensure_compute
from resources.azureml.content import hash_of_files
from resources.azureml.data_assets import URI_FOLDER, ensure_data
from resources.azureml.environments import batch_conda, batch_environment, ensure_environment
from resources.azureml.faults import AzureMLError, faults_of, is_missing
from resources.azureml.files import fetch_job_output, whole
from resources.azureml.jobs import status_of, wait_for
from resources.azureml.models import CUSTOM_NAME
from resources.azureml.settings import PREFIX, AzureMLSettings
from resources.azureml.workspace import Workspace
from resources.deployment_spec import BATCH_SCRIPT, DeploymentSpec, write_folder
from resources.ml import ModelVersion

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
    """The deployment: how a batch is cut up, tried again and put together."""
    from azure.ai.ml.constants import BatchDeploymentOutputAction
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
            instance_count=spec.instances,
            mini_batch_size=limits.mini_batch_files,
            max_concurrency_per_instance=limits.concurrency,
            output_action=BatchDeploymentOutputAction.APPEND_ROW,
            output_file_name=limits.output_file,
            retry_settings=BatchRetrySettings(max_retries=limits.retries, timeout=limits.timeout_seconds),
            error_threshold=limits.failed_files_allowed,
            environment_variables=spec.environment_variables,
            logging_level="info",
        ),
    )


def deploy(workspace: Workspace, version: ModelVersion, state: Path) -> str:
    """Puts a model behind the batch endpoint as its default; the deployment's name. One that is there is left as it is.

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
    name = f"m{version.content_hash[:8]}-s{hash_of_files(state)[:8]}"
    spec = online.spec_of(settings, name, (version.version, version.content_hash), state.name, conda)
    client = workspace.client
    with faults_of(f"batch endpoint {settings.batch_endpoint}", page):
        if not _is_there(lambda: client.batch_endpoints.get(settings.batch_endpoint)):
            client.batch_endpoints.begin_create_or_update(endpoint_entity(settings)).result()
        if not _is_there(lambda: client.batch_deployments.get(name, settings.batch_endpoint)):
            environment = ensure_environment(workspace, batch_environment(workspace, conda))
            with tempfile.TemporaryDirectory(prefix="globolatte-batch-") as scratch:
                code = write_folder(spec, Path(scratch) / "code", state)
                entity = deployment_entity(settings, spec, code, environment, compute)
                client.batch_deployments.begin_create_or_update(entity, skip_script_validation=True).result()
        endpoint = client.batch_endpoints.get(settings.batch_endpoint)
        if (endpoint.defaults.deployment_name if endpoint.defaults else None) != name:
            endpoint.defaults = {"deployment_name": name}
            client.batch_endpoints.begin_create_or_update(endpoint).result()
    return name


def score(workspace: Workspace, questions: Path, copies: Path) -> Path:
    """Answers a folder of question files by the default deployment; the file of answers here. Raises `AzureMLError`."""
    from azure.ai.ml import Input

    settings = workspace.settings
    version = hash_of_files(questions)
    asset = ensure_data(workspace, QUESTIONS, version, questions, URI_FOLDER, {})
    with faults_of(f"batch endpoint {settings.batch_endpoint}"):
        job = workspace.client.batch_endpoints.invoke(
            endpoint_name=settings.batch_endpoint,
            inputs={"questions": Input(type="uri_folder", path=f"azureml:{asset.name}:{asset.version}")},
        )
    name = str(job.name)
    if status_of(workspace, name) is None:
        raise AzureMLError(f"batch job {name}", "is not there", "run it again")
    wait_for(workspace, name, lambda _: None)
    folder = whole(copies / name, lambda new: fetch_job_output(workspace, name, "score", new))
    return folder / DeploymentSpec("", "", "", "").batch.output_file


def _is_there(get: Any) -> bool:
    try:
        get()
    except Exception as error:
        if is_missing(error):
            return False
        raise
    return True
