"""Every definition as Azure ML CLI v2 YAML, in a folder that `az ml` works from: for teams that do not run Dagster.

Nothing here connects to Azure: the definitions that a workspace would get are written to files. They are what the SDK writes,
corrected where the SDK's own loaders, and so `az ml`, do not accept it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from resources.endpoint.azureml import batch, online
from resources.endpoint.deployment_spec import write_folder
from resources.ml.azureml import (
    automl,
    computes,
    data_assets,
    environments,
    models,
    schedules,
    training_jobs,
)
from resources.ml.azureml.environments import copy_science
from resources.ml.azureml.models import CUSTOM_NAME, REGISTERED_NAME
from resources.ml.azureml.training_jobs import JobParts
from resources.ml.azureml.workspace import Workspace
from resources.ml.ml_platform import ModelVersion
from resources.ml.training_method import AutoMLMethod, CommandMethod, SweepMethod
from resources.settings.azureml import PREFIX, AzureMLSettings, ComputeKind, EndpointKind
from resources.settings.choices import MissingSettingError

PIPELINE, SCHEDULE = "42-job-pipeline", "50-schedule"

README = """# GloboLatte on Azure ML, for `az ml`

Written by `globolatte azureml export`. In the order of the files' numbers:

    az ml environment create --file 10-environment-training.yml      # and 11-environment-serving.yml, 13-environment-batch.yml
    az ml compute create --file 12-compute.yml                       # `attach` for Kubernetes; not there if jobs run serverless
    az ml connection create --file 14-connection-snowflake.yml --set target=… credentials.username=… credentials.password=…
    az ml registry create --file 15-registry.yml                     # there if GLOBOLATTE_AZUREML_REGISTRY is set
    az ml compute attach --file 16-compute-endpoint.yml              # there if the endpoint is on Kubernetes
    az ml compute create --file 17-compute-batch.yml                 # there if jobs run where no batch endpoint does
    az ml data create --file 20-snapshot.yml                         # name the folder of a snapshot in it
    az ml data import --file 21-import.yml                           # the training examples from Snowflake, by the connection
    az ml component create --file 30-component-prepare.yml           # and 30-component-train.yml, 30-component-evaluate.yml
    az ml job create --file 40-job-command.yml                       # or 41-job-sweep.yml, 42-job-pipeline.yml, 44-job-automl.yml;
                                                                     # before the last, 43-job-automl-tables.yml makes its tables
    az ml schedule create --file 50-schedule.yml
    az ml model create --file 60-model.yml                           # and 61-model-mlflow.yml; the model is in deployment/model
    az ml online-endpoint create --file 70-endpoint.yml
    az ml online-deployment create --file 71-deployment.yml --all-traffic
    az deployment group create --template-file 72-autoscale.json     # there if a managed deployment is to scale
    az ml batch-endpoint create --file 80-batch-endpoint.yml
    az ml batch-deployment create --file 81-batch-deployment.yml --set-default
    az ml schedule create --file 90-monitor.yml                      # needs the data that the deployment's collector keeps

The schedule takes the snapshot that is the latest when the schedule is made, since Azure ML looks up `@latest` then and not when
it fires: make it again after a new snapshot. Where Dagster runs, `globolatte azureml schedule` does that by itself.

`code/` is what jobs run; `deployment/` is the deployment: score.py, model, state, conda.yml, deployment.json. Files 60 and on are
there only once a model was promoted.
"""


@dataclass(frozen=True)
class Served:
    """What there is to serve: the champion, and the folder of the current customer state."""

    champion: ModelVersion
    state: Path


def export(settings: AzureMLSettings, folder: Path, served: Served | None) -> list[Path]:
    """Writes all definitions; the files, in their order.

    Raises, before anything is written, `FileExistsError` if the folder has something in it, and `MissingSettingError`.
    """
    _computes(settings)  # raises for one that nothing describes
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty; name a folder that is not there")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text(README, encoding="utf-8")
    for name, entity in definitions(settings, folder, served).items():
        write_yaml(entity, folder / f"{name}.yml", folder / f"{PIPELINE}.yml" if name == SCHEDULE else None)
    return sorted(folder.glob("*.yml"))


def definitions(settings: AzureMLSettings, folder: Path, served: Served | None) -> Mapping[str, Any]:
    """All definitions by the name of their file, without `.yml`; the code that they need is written into the folder."""
    from azure.ai.ml.entities import Data

    workspace = Workspace(settings)
    training = environments.training_environment(workspace)
    compute = None if settings.compute is ComputeKind.SERVERLESS else settings.compute_name
    parts = schedules.parts_of(
        settings, copy_science(folder / "code"), f"azureml:{training.name}:{training.version}", compute
    )
    made: dict[str, Any] = {"10-environment-training": training}
    made |= _computes(settings)
    made["14-connection-snowflake"] = data_assets.snowflake_connection(settings.snowflake_connection)
    if settings.registry is not None:
        made["15-registry"] = models.registry_definition(settings.registry, settings.region)
    made["20-snapshot"] = Data(
        name=data_assets.SNAPSHOTS,
        version="1",
        type=data_assets.URI_FOLDER,
        path="azureml://datastores/workspaceblobstore/paths/snapshot/",
    )
    made["21-import"] = data_assets.examples_import(settings.snowflake_connection)
    return made | _training(parts) | (_serving(settings, folder, served, workspace) if served is not None else {})


def _computes(settings: AzureMLSettings) -> dict[str, Any]:
    """The compute of jobs, of an endpoint on Kubernetes, and of batches where they need one of their own.

    Raises `MissingSettingError` where a Kubernetes compute is named and nothing says which cluster that is.
    """
    found = {"12-compute": computes.compute_definition(settings)}
    if settings.endpoint_kind is EndpointKind.KUBERNETES and settings.endpoint_compute is not None:
        found["16-compute-endpoint"] = computes.kubernetes_definition(settings, settings.endpoint_compute)
    if (batches := computes.batch_compute(settings)) is not settings:
        found["17-compute-batch"] = computes.compute_definition(batches)
    if settings.compute is ComputeKind.SERVERLESS:
        del found["12-compute"]
    if None in found.values():
        raise MissingSettingError(f"{PREFIX}KUBERNETES_CLUSTER", "an export with a Kubernetes compute")
    return found


def _training(parts: JobParts) -> dict[str, Any]:
    steps = training_jobs.components(parts)
    return {
        **{f"30-component-{name}": component for name, component in steps.items()},
        "40-job-command": training_jobs.command_job(parts, CommandMethod(), "globolatte-command")._to_job(),
        "41-job-sweep": training_jobs.sweep_job(parts, SweepMethod(), "globolatte-sweep")._to_job(),
        "43-job-automl-tables": automl.tables_job(parts, "globolatte-automl-tables")._to_job(),
        PIPELINE: training_jobs.pipeline_job(parts, steps, "globolatte-pipeline"),
        "44-job-automl": automl.automl_job(parts, AutoMLMethod(), automl.LATEST_TABLES, "globolatte-automl"),
        SCHEDULE: schedules.retraining_schedule(parts, steps),
    }


def _serving(settings: AzureMLSettings, folder: Path, served: Served, workspace: Workspace) -> dict[str, Any]:
    from azure.ai.ml.entities import Model

    champion, colour = served.champion, "blue"
    conda = environments.serving_conda(collects_data=settings.collect_data)
    model = (champion.version, champion.content_hash)
    spec = online.spec_of(settings, colour, model, served.state.name, conda)
    code = write_folder(spec, folder / "deployment", served.state, champion.folder)
    serving = environments.serving_environment(workspace, conda)
    batching = environments.batch_environment(workspace, environments.batch_conda())
    version, files = champion.content_hash[:12], str(code / "model")
    deployment = f"{workspace.resource_id}/onlineEndpoints/{settings.endpoint}/deployments/{spec.name}"
    template = online.autoscale_template(spec, deployment, settings.region)
    # Kubernetes scales as the deployment says; for managed endpoints that belongs to Azure Monitor, hence a template of its own
    if template is not None and settings.endpoint_kind is EndpointKind.MANAGED:
        (folder / "72-autoscale.json").write_text(json.dumps(template, indent=2) + "\n", encoding="utf-8")
    return {
        "11-environment-serving": serving,
        "13-environment-batch": batching,
        "60-model": Model(name=CUSTOM_NAME, version=version, path=files, type="custom_model"),
        "61-model-mlflow": Model(name=REGISTERED_NAME, path=files, type="mlflow_model"),
        "70-endpoint": online.endpoint_entity(settings, {}),
        "71-deployment": online.deployment_entity(settings, spec, code, f"azureml:{serving.name}:{serving.version}"),
        "80-batch-endpoint": batch.endpoint_entity(settings),
        "81-batch-deployment": batch.deployment_entity(
            settings,
            spec,
            code,
            f"azureml:{batching.name}:{batching.version}",
            computes.batch_compute(settings).compute_name,
        ),
        "90-monitor": schedules.monitor_schedule(settings, colour, []),
    }


JOB_OF_SCHEDULE = "create_job"


def write_yaml(entity: Any, file: Path, job: Path | None = None) -> None:
    """Writes one definition; paths below its folder become relative to it. `job`: the file of the job that a schedule starts."""

    document = _document(entity)
    if job is not None:
        document[JOB_OF_SCHEDULE] = f"./{job.name}"
    text = yaml.safe_dump(document, sort_keys=False)
    file.write_text(text.replace(f"{file.parent}/", "./"), encoding="utf-8")


def _document(entity: Any) -> dict[str, Any]:
    """What the SDK writes for a definition, as plain values, with corrections."""
    kind = type(entity).__name__  # `dump` refuses, or forgets to write, some kinds
    document: dict[str, Any] = json.loads(json.dumps(entity._to_dict(), default=str))
    if kind == "DataImport":  # its source is left out
        source = entity.source
        document["source"] = {"type": "database", "query": str(source.query), "connection": str(source.connection)}
    if kind == "ModelBatchDeployment":  # its instances are written twice, which is refused
        document["settings"].pop("instance_count", None)
    return document
