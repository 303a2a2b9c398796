"""Every definition as Azure ML CLI v2 YAML, in a folder that `az ml` works from: for teams that do not run Dagster.

Nothing here connects to Azure: what a workspace would be asked for is written down instead.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resources.azureml import (
    automl,
    batch,
    computes,
    data_assets,
    environments,
    imports,
    online,
    schedules,
    training_jobs,
)
from resources.azureml.code import copy_science
from resources.azureml.models import CUSTOM_NAME, REGISTERED_NAME
from resources.azureml.settings import AzureMLSettings, ComputeKind
from resources.azureml.training_jobs import JobParts
from resources.azureml.workspace import Workspace
from resources.deployment_spec import DeploymentSpec, write_folder
from resources.ml import ModelVersion
from resources.training_method import AutoMLMethod, CommandMethod, SweepMethod

README = """# GloboLatte on Azure ML, for `az ml`

Written by `globolatte azureml export`. In the order of the files' numbers:

    az ml environment create --file 10-environment-training.yml
    az ml compute create --file 12-compute.yml          # not there where jobs run serverless
    az ml data create --file 20-snapshot.yml            # name the folder of a snapshot in it
    az ml component create --file 30-component-prepare.yml   (and -train, -evaluate)
    az ml job create --file 40-job-command.yml          # or 41-job-sweep.yml, 42-job-pipeline.yml, 43-job-automl.yml
    az ml schedule create --file 50-schedule.yml
    az ml model create --file 60-model.yml              # the model is in deployment/model
    az ml online-endpoint create --file 70-endpoint.yml
    az ml online-deployment create --file 71-deployment.yml --all-traffic
    az ml batch-endpoint create --file 80-batch-endpoint.yml
    az ml batch-deployment create --file 81-batch-deployment.yml --set-default
    az ml schedule create --file 90-monitor.yml

`code/` is what jobs run; `deployment/` is the deployment: score.py, model, state, conda.yml, deployment.json. Files 60 and on are
there only once a model was promoted.
"""


@dataclass(frozen=True)
class Served:
    """What there is to serve: the champion, and the folder of the current customer state."""

    champion: ModelVersion
    state: Path


def export(settings: AzureMLSettings, folder: Path, served: Served | None) -> list[Path]:
    """Writes all definitions; the files, in their order. Raises `FileExistsError` if the folder has something in it."""
    if folder.exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} is not empty; name a folder that is not there")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text(README, encoding="utf-8")
    for name, entity in definitions(settings, folder, served).items():
        _dump(entity, folder / f"{name}.yml")
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
    definition = computes.compute_definition(settings)
    if definition is not None:
        made["12-compute"] = definition
    made["20-snapshot"] = Data(
        name=data_assets.SNAPSHOTS,
        version="1",
        type=data_assets.URI_FOLDER,
        path="azureml://datastores/workspaceblobstore/paths/snapshot/",
    )
    made["21-import"] = imports.examples_import(settings.snowflake_connection)
    return made | _training(parts) | (_serving(settings, folder, served, workspace) if served is not None else {})


def _training(parts: JobParts) -> dict[str, Any]:
    steps = training_jobs.components(parts)
    return {
        **{f"30-component-{name}": component for name, component in steps.items()},
        "40-job-command": training_jobs.command_job(parts, CommandMethod(), "globolatte-command")._to_job(),
        "41-job-sweep": training_jobs.sweep_job(parts, SweepMethod(), "globolatte-sweep")._to_job(),
        "42-job-pipeline": training_jobs.pipeline_job(parts, steps, "globolatte-pipeline"),
        "43-job-automl": automl.automl_job(parts, AutoMLMethod(), automl.LATEST_TABLES, "globolatte-automl"),
        "50-schedule": schedules.retraining_schedule(parts, steps),
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
    _autoscale(settings, spec, folder)
    return {
        "11-environment-serving": serving,
        "13-environment-batch": batching,
        "60-model": Model(name=CUSTOM_NAME, version=version, path=files, type="custom_model"),
        "61-model-mlflow": Model(name=REGISTERED_NAME, path=files, type="mlflow_model"),
        "70-endpoint": online.endpoint_entity(settings, {}),
        "71-deployment": online.deployment_entity(settings, spec, code, f"azureml:{serving.name}:{serving.version}"),
        "80-batch-endpoint": batch.endpoint_entity(settings),
        "81-batch-deployment": batch.deployment_entity(
            settings, spec, code, f"azureml:{batching.name}:{batching.version}", settings.compute_name
        ),
        "90-monitor": schedules.monitor_schedule(settings, colour, []),
    }


def _autoscale(settings: AzureMLSettings, spec: DeploymentSpec, folder: Path) -> None:
    """Scaling of a managed deployment is no matter of `az ml`: the properties of Azure Monitor's autoscale setting."""
    deployment = f"{Workspace(settings).resource_id}/onlineEndpoints/{settings.endpoint}/deployments/{spec.name}"
    rule = online.autoscale_rule(spec, deployment)
    if rule is not None:
        (folder / "72-autoscale.json").write_text(json.dumps(rule, indent=2) + "\n", encoding="utf-8")


def _dump(entity: Any, file: Path) -> None:
    """Writes a definition by the SDK's own means, with paths below the folder written relative to it."""
    import yaml

    given = entity.dump(str(file))
    if not file.exists():  # endpoints give their document instead of writing it
        file.write_text(yaml.safe_dump(json.loads(json.dumps(given)), sort_keys=False), encoding="utf-8")
    text = file.read_text(encoding="utf-8")
    source = entity.source if type(entity).__name__ == "DataImport" else None
    if source is not None and "source:" not in text:  # which the SDK leaves out of an import
        said = {"type": "database", "query": f"{source.query}", "connection": f"{source.connection}"}
        text += yaml.safe_dump({"source": said}, sort_keys=False)
    file.write_text(text.replace(f"{file.parent}/", "./"), encoding="utf-8")
