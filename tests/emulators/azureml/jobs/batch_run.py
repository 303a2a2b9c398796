"""A batch job really at work: the deployed script's `init` and `run` over the files of the input, in mini-batches."""

import shutil
from pathlib import Path
from typing import Any

import isodate

from tests.emulators.azureml.jobs import command
from tests.emulators.azureml.jobs.command import Work
from tests.emulators.azureml.jobs.runs import JobFailed, Run, child_job
from tests.emulators.azureml.locations import UnknownAddressError, asset
from tests.emulators.azureml.store import Resource

DRIVER = Path(__file__).with_name("batch_driver.py")
OUTPUT = "score"


def execute(run: Run, deployment: Resource, requested: dict[str, Any]) -> None:
    """The job of one call: a pipeline of one step, as in Azure."""
    run.status = "Running"
    outputs = {OUTPUT: {"jobOutputType": "uri_folder", **_requested_output(requested)}}
    given = {"jobType": "Command", "displayName": "batchscoring", "command": "score", "outputs": outputs}
    child = run.world.runs.add(
        child_job(
            run, "batchscoring", {**given, "environmentId": deployment["properties"].get("environmentId") or "none"}
        ),
        run.name,
    )
    run.world.runs.carry_out(child, lambda step: command.perform(step, _work(step, deployment, requested)))
    run.check()
    if child.status != "Completed":
        message = child.error["error"]["message"] if child.error else child.status
        raise JobFailed(f"Batch scoring failed: {message}")


def _requested_output(requested: dict[str, Any]) -> dict[str, str]:
    given = next(iter((requested.get("outputData") or {}).values()), {})
    return {"uri": given["uri"]} if given.get("uri") else {}


def _work(run: Run, deployment: Resource, requested: dict[str, Any]) -> Work:
    properties = deployment["properties"]
    configuration = properties.get("codeConfiguration")
    if configuration is None:
        raise JobFailed("the stand-in runs batch deployments with a scoring script only")
    shutil.copy(DRIVER, run.folder / DRIVER.name)
    retries, action = properties["retrySettings"], properties["outputAction"]
    text = (
        f"python {run.folder / DRIVER.name} --script {configuration['scoringScript']} --output ${{{{outputs.{OUTPUT}}}}}"
        f" --file {properties['outputFileName']} --action {action} --size {properties['miniBatchSize']}"
        f" --retries {retries['maxRetries']} --threshold {properties['errorThreshold']}"
        f" --seconds {isodate.parse_duration(retries['timeout']).total_seconds()}"
        f" --concurrency {properties['maxConcurrencyPerInstance']}"
    )
    inputs = {f"data_{number}": data for number, data in enumerate((requested.get("inputData") or {}).values())}
    text += "".join(f" --data ${{{{inputs.{name}}}}}" for name in inputs)
    if properties.get("model"):
        try:
            model = asset(run.world, run.workspace, properties["model"]["assetId"], ("models",))
        except UnknownAddressError as error:
            raise JobFailed(str(error)) from error
        inputs["model"] = {"jobInputType": "uri_folder", "uri": model["id"]}
        text += " --model ${{inputs.model}}"
    variables = properties.get("environmentVariables") or {}
    return Work(text, configuration["codeId"], inputs, run.properties["outputs"], variables)
