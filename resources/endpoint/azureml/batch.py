"""The batch endpoint: a deployment on the compute of the jobs, which turns files of requests into one file of answers."""

import re
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from globolatte_ml.batch_score import FAULTS
from resources.atomic import filled_once
from resources.endpoint.azureml import online
from resources.endpoint.azureml.batch_files import (
    documented,
    faults_in,
    question_files,
    questions_alone,
    without_answers,
)
from resources.endpoint.deployment_spec import APPEND_ROW, BATCH_SCRIPT, BESIDE, DeploymentSpec, write_folder
from resources.ml.azureml.computes import WITHOUT_BATCH, ensure_compute
from resources.ml.azureml.data_assets import URI_FOLDER, ensure_data
from resources.ml.azureml.environments import batch_conda, batch_environment, copy_science, ensure_environment
from resources.ml.azureml.faults import AzureMLError, faults_of, found_or_none, when_free
from resources.ml.azureml.files import fetch_job_output
from resources.ml.azureml.jobs import Say, cancelled_if_interrupted, failure, status_of, wait_for
from resources.ml.azureml.models import CUSTOM_NAME
from resources.ml.azureml.provenance import hash_of_files, hash_of_values
from resources.ml.azureml.workspace import Workspace, provisioning_state
from resources.ml.ml_platform import ModelVersion
from resources.settings.azureml import PREFIX, AzureMLSettings

if TYPE_CHECKING:
    from azure.ai.ml.entities import BatchEndpoint, ModelBatchDeployment

QUESTIONS = "globolatte-batch-questions"
OURS = re.compile(r"m[0-9a-f]{8}-s[0-9a-f]{8}-l[0-9a-f]{6}")


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

    What it replaces stays until the next one is made; earlier ones go, since Azure has room for 20 at an endpoint.

    Raises `AzureMLError` where jobs run serverless or on an instance: a batch endpoint needs a cluster.
    """
    settings = workspace.settings
    page = workspace.studio(f"endpoints/batch/{settings.batch_endpoint}")
    compute = None if settings.compute in WITHOUT_BATCH else ensure_compute(workspace)
    if compute is None:
        raise AzureMLError(
            f"batch endpoint {settings.batch_endpoint}",
            f"cannot run on {settings.compute.value} compute",
            f"set {PREFIX}COMPUTE=cluster (or kubernetes)",
            page,
        )
    conda = batch_conda()
    name = _name_of(settings, version, state, conda)
    spec = online.spec_of(settings, name, (version.version, version.content_hash), state.name, conda)
    client, what = workspace.client, f"batch endpoint {settings.batch_endpoint}"
    get_endpoint = partial(client.batch_endpoints.get, settings.batch_endpoint)
    get_deployment = partial(client.batch_deployments.get, name, settings.batch_endpoint)

    def change(begin: Callable[[], Any]) -> None:
        when_free(lambda: begin().result(), settings.deployment_wait_seconds, settings.poll_seconds)

    def make_endpoint() -> None:
        change(lambda: client.batch_endpoints.begin_create_or_update(endpoint_entity(settings)))

    def make_deployment() -> None:
        environment = ensure_environment(workspace, batch_environment(workspace, conda))
        with tempfile.TemporaryDirectory(prefix="globolatte-batch-") as scratch:
            code = write_folder(spec, Path(scratch) / "code", state)
            entity = deployment_entity(settings, spec, code, environment, compute)
            change(lambda: client.batch_deployments.begin_create_or_update(entity, skip_script_validation=True))

    with faults_of(what, page):
        _ensure(workspace, what, page, get_endpoint, make_endpoint)
        _make_room(workspace, name, get_endpoint())
        _ensure(workspace, f"batch deployment {name}", page, get_deployment, make_deployment)
        endpoint = get_endpoint()
        if (endpoint.defaults.deployment_name if endpoint.defaults else None) != name:
            change(lambda: client.batch_endpoints.begin_create_or_update(_with_default(get_endpoint(), name)))
    return name


def _with_default(endpoint: "BatchEndpoint", deployment: str) -> "BatchEndpoint":
    endpoint.defaults = {"deployment_name": deployment}
    return endpoint


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


def _make_room(workspace: Workspace, name: str, endpoint: "BatchEndpoint") -> None:
    """Deletes the deployments that were made here before the default one. Those of other people, by other names, stay."""
    kept = {name, endpoint.defaults.deployment_name if endpoint.defaults else None}
    deployments = workspace.client.batch_deployments
    for one in list(deployments.list(workspace.settings.batch_endpoint)):
        if OURS.fullmatch(str(one.name)) and one.name not in kept:
            deployments.begin_delete(str(one.name), workspace.settings.batch_endpoint).result()


def _name_of(settings: AzureMLSettings, version: ModelVersion, state: Path, conda: Mapping[str, Any]) -> str:
    """Says all that a deployment is made of, so that other code or another environment is another deployment too."""
    limits = online.spec_of(settings, "", ("", ""), "", {}).batch
    with tempfile.TemporaryDirectory(prefix="globolatte-code-") as scratch:
        code = copy_science(Path(scratch))
        for file in BESIDE:
            shutil.copy(file, code)
        made_of = {"limits": asdict(limits), "code": hash_of_files(code), "image": settings.image, "conda": conda}
    return f"m{version.content_hash[:8]}-s{hash_of_files(state)[:8]}-l{hash_of_values(made_of)[:6]}"


def score(workspace: Workspace, questions: Path, copies: Path, say: Say = lambda _: None) -> Path:
    """Answers a folder of question files by the default deployment; the file of answers here, or the folder of such files
    where the deployment writes one for each, in the form of `globolatte_ml.batch_score`. Hidden files are left out; files that the
    deployment may leave unanswered are named. An interrupt cancels the job. Raises `AzureMLError`, which names file, line and field
    of a faulty question."""
    from azure.ai.ml import Input

    settings, files = workspace.settings, question_files(questions)
    page = workspace.studio(f"endpoints/batch/{settings.batch_endpoint}")
    with faults_of(f"batch endpoint {settings.batch_endpoint}", page):
        endpoint = workspace.client.batch_endpoints.get(settings.batch_endpoint)
        deployment: Any = workspace.client.batch_deployments.get(
            str(endpoint.defaults.deployment_name), settings.batch_endpoint
        )
    in_one = deployment.output_action == APPEND_ROW
    _names_differ(questions, files)
    with questions_alone(questions, files) as alone:
        asset = ensure_data(workspace, QUESTIONS, hash_of_files(alone), alone, URI_FOLDER, {})
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
        try:
            wait_for(workspace, name, say)
        except AzureMLError as error:
            raise _explained(workspace, name, copies, error) from None
    one = str(deployment.output_file_name) if in_one else None
    folder = filled_once(copies / name, lambda new: _fetch_answers(workspace, name, one, new))
    answers = folder / one if one is not None else None
    faults = faults_in(folder)
    for fault in faults:
        say(fault)
    if missing := without_answers(questions, files, folder, answers):
        say(
            f"{len(missing)} of {len(files)} files are not answered: {', '.join(missing)}; the job says why: {workspace.job_page(name)}"
        )
    for file in folder.rglob(f"*{FAULTS}"):
        file.unlink()
    return answers or folder


def _fetch_answers(workspace: Workspace, job: str, in_one: str | None, folder: Path) -> None:
    fetch_job_output(workspace, _scoring_step(workspace, job), "score", folder)
    if in_one is not None:
        documented(folder / in_one)


def _scoring_step(workspace: Workspace, job: str) -> str:
    """The step of a batch job that scores: the answers are its output, its log is the script's."""
    with faults_of(f"batch job {job}", workspace.job_page(job)):
        children = [str(child.name) for child in workspace.client.jobs.list(parent_job_name=job)]
    return children[0] if children else job


def _explained(workspace: Workspace, job: str, copies: Path, error: AzureMLError) -> AzureMLError:
    """A batch's failure with the faults that its script found, or else with the end of the script's own log."""
    step = _scoring_step(workspace, job)
    left = copies / f"{job}.failed"
    with suppress(AzureMLError):  # it may have left nothing: then its log speaks
        fetch_job_output(workspace, step, "score", left)
    faults = faults_in(left)
    shutil.rmtree(left, ignore_errors=True)
    if faults:
        what = f"{error.what}. Faults in the questions:\n" + "\n".join(faults) + "\n"
        return AzureMLError(error.resource, what, "correct the files, then run it again", error.studio)
    return failure(workspace, step, "Failed") if step != job else error


def _names_differ(questions: Path, files: list[str]) -> None:
    """Raises `AzureMLError` for files of one name in several folders: answers name their file without its folder."""
    for _, namesakes in groupby(
        sorted(files, key=lambda file: (Path(file).name, file)), key=lambda file: Path(file).name
    ):
        same = list(namesakes)
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
