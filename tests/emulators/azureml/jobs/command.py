"""A command job really at work: its code, inputs and outputs in folders, its command in a process of its own.

The environment is not built: the process runs on the Python that runs the stand-in. README.md says what else is missing.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import isodate

from tests.emulators.azureml.assets import KINDS, keep_version
from tests.emulators.azureml.jobs.runs import MODEL_TYPES, JobCancelled, JobFailed, Run
from tests.emulators.azureml.locations import UnknownAddressError, asset, place_of, place_of_asset
from tests.emulators.azureml.network import LOGIN, REGION, WORKSPACE_API

LOG = "user_logs/std_log.txt"
POLL_SECONDS = 0.1
GRACE_SECONDS = 5.0
"""How long a cancelled process may take to tidy up before it is killed."""
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "LD_LIBRARY_PATH")
OPTIONAL = re.compile(r"\$\[\[(.*?)\]\]", re.DOTALL)
BINDING = re.compile(r"\$\{\{\s*(inputs|outputs|search_space)\.([\w.]+)\s*\}\}")
FAILED = (
    "Execution failed. User process '/bin/bash' exited with status code {code}. Please check log file '{log}' for error "
    "details. Error: {last}"
)


@dataclass(frozen=True)
class Work:
    """What a process is to do. Inputs and outputs as Azure writes them in a job."""

    command: str
    code: str | None
    inputs: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    outputs: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    environment_variables: Mapping[str, str] = field(default_factory=dict)
    timeout: float | None = None


def execute(run: Run) -> None:
    """A command job."""
    properties = run.properties
    limits = properties.get("limits") or {}
    work = Work(
        command=properties["command"],
        code=properties.get("codeId"),
        inputs=properties.get("inputs") or {},
        outputs=properties.get("outputs") or {},
        environment_variables=properties.get("environmentVariables") or {},
        timeout=isodate.parse_duration(limits["timeout"]).total_seconds() if limits.get("timeout") else None,
    )
    perform(run, work)


def perform(run: Run, work: Work) -> None:
    """Fetches, runs, delivers. Raises `JobFailed` or `JobCancelled`; what was written until then is delivered all the same."""
    with run.world.runs.slots:
        run.check()
        run.status = "Preparing"
        values = _fetched(run, work)
        outputs = {name: _output_path(run, name, spec) for name, spec in work.outputs.items() if name != "default"}
        command = bound(work.command, values, {name: str(path) for name, path in outputs.items()})
        try:
            _run_process(run, command, work)
        finally:
            if run.status == "Running":
                run.status = "Finalizing"
            _deliver(run, work.outputs, outputs)
    register(run, work.outputs)


def bound(command: str, inputs: Mapping[str, str | None], outputs: Mapping[str, str]) -> str:
    """A command with its bindings resolved; `$[[ ]]` around an optional input that is not given is left out."""

    def optional(match: re.Match[str]) -> str:
        names = [name for kind, name in BINDING.findall(match[1]) if kind == "inputs"]
        return match[1] if all(inputs.get(name) is not None for name in names) else ""

    def value(match: re.Match[str]) -> str:
        found = (outputs if match[1] == "outputs" else inputs).get(match[2])
        if found is None:
            raise JobFailed(f"The command refers to {match[1]}.{match[2]}, which the job does not have")
        return found

    return BINDING.sub(value, OPTIONAL.sub(optional, command))


def _fetched(run: Run, work: Work) -> dict[str, str | None]:
    """Code and inputs on this machine; what each input is in the command."""
    (run.folder / "code").mkdir(exist_ok=True)
    try:
        if work.code:
            found = asset(run.world, run.workspace, work.code, ("codes",))
            run.world.storage.download(place_of_asset(run.world, found), run.folder / "code")
        return {name: _input_value(run, name, spec) for name, spec in work.inputs.items()}
    except UnknownAddressError as error:
        raise JobFailed(f"Input could not be resolved: {error}") from error


def _input_value(run: Run, name: str, spec: dict[str, Any]) -> str | None:
    if spec["jobInputType"] == "literal":
        return None if spec.get("value") is None else str(spec["value"])
    if spec.get("mode") == "Direct":
        return str(spec["uri"])
    place = place_of(run.world, run.workspace, spec["uri"])
    folder = run.folder / "inputs" / name
    files = run.world.storage.download(place, folder)
    if not files:
        raise JobFailed(f"Input {name}: {spec['uri']} is empty or not there", "DataAccessError.NotFound")
    return str(files[0] if spec["jobInputType"] == "uri_file" else folder)


def _output_path(run: Run, name: str, spec: dict[str, Any]) -> Path:
    path = run.folder / "outputs" / name
    if spec["jobOutputType"] == "uri_file":
        path.parent.mkdir(parents=True, exist_ok=True)
    else:
        path.mkdir(parents=True, exist_ok=True)
    return path


def _run_process(run: Run, command: str, work: Work) -> None:
    run.status = "Running"
    log = run.folder / "std_log.txt"
    deadline = None if work.timeout is None else time.monotonic() + work.timeout
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["/bin/bash", "-c", command],
            cwd=run.folder / "code",
            env=_environment(run, work),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait(run, process, log, deadline)
    finally:
        _end(process)
        _publish(run, log)
    if process.returncode != 0:
        lines = log.read_text(errors="replace").strip().splitlines()
        last = lines[-1] if lines else "no output"
        raise JobFailed(FAILED.format(code=process.returncode, log=LOG, last=last), "UserError")


def _wait(run: Run, process: subprocess.Popen[bytes], log: Path, deadline: float | None) -> None:
    published = -1
    while process.poll() is None:
        if run.cancelled.wait(POLL_SECONDS):
            raise JobCancelled
        if deadline is not None and time.monotonic() > deadline:
            raise JobFailed("The job has been running beyond its limit and was stopped", "JobTimeLimitExceeded")
        if log.stat().st_size != published:
            published = log.stat().st_size
            _publish(run, log)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends the process and all that it started, gently first."""
    for signal_number, seconds in ((signal.SIGTERM, GRACE_SECONDS), (signal.SIGKILL, None)):
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal_number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(seconds)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def _publish(run: Run, log: Path) -> None:
    run.world.storage.write(run.artifacts.below(LOG), log.read_bytes())


def _environment(run: Run, work: Work) -> dict[str, str]:
    subscription, group, workspace = (
        run.workspace.split("/")[2],
        run.workspace.split("/")[4],
        run.workspace.split("/")[8],
    )
    world, binaries = run.world, str(Path(sys.executable).parent)
    seconds = world.faults.token_seconds
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    return {
        **inherited,
        "PATH": f"{binaries}{os.pathsep}{inherited.get('PATH', os.defpath)}",
        "OMP_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
        **world.environment,
        "AZUREML_RUN_ID": run.name,
        "AZUREML_ROOT_RUN_ID": run.root,
        "AZUREML_EXPERIMENT_NAME": str(run.properties.get("experimentName")),
        "AZUREML_ARM_SUBSCRIPTION": subscription,
        "AZUREML_ARM_RESOURCEGROUP": group,
        "AZUREML_ARM_WORKSPACE_NAME": workspace,
        "AZUREML_SERVICE_ENDPOINT": f"https://{REGION}.api.azureml.ms",
        "AZURE_AUTHORITY_HOST": f"https://{LOGIN}",
        "MLFLOW_TRACKING_URI": f"https://{WORKSPACE_API}/mlflow/v1.0{run.workspace}",
        "MLFLOW_TRACKING_TOKEN": world.tenant.token("https://ml.azure.com", seconds),
        "MLFLOW_RUN_ID": run.name,
        **work.environment_variables,
    }


def _deliver(run: Run, declared: Mapping[str, dict[str, Any]], outputs: Mapping[str, Path]) -> None:
    """Writes outputs to their datastores, and the folder `outputs` beside the code to the artifacts."""
    storage = run.world.storage
    for name, path in outputs.items():
        place = place_of(run.world, run.workspace, declared[name]["uri"])
        if path.is_file():
            storage.write(place, path.read_bytes())
        else:
            storage.upload(path, place)
        run.delivered.append(name)
    for folder in ("outputs", "logs"):
        if (run.folder / "code" / folder).is_dir():
            storage.upload(run.folder / "code" / folder, run.artifacts.below(folder))


def register(run: Run, declared: Mapping[str, dict[str, Any]]) -> None:
    """Registers the outputs that are to be assets."""
    for key, output in declared.items():
        if not output.get("assetName"):
            continue
        kind_name = "models" if output["jobOutputType"] in MODEL_TYPES else "data"
        kind = next(kind for kind in KINDS if kind.name == kind_name)
        container = run.world.store.get(f"{run.workspace}/{kind_name}/{output['assetName']}")
        following = (container["properties"]["nextVersion"] if container else None) or "1"
        version = str(run.asset_versions.get(key) or output.get("assetVersion") or following)
        if kind_name == "models":
            given = {"modelUri": output["uri"], "modelType": output["jobOutputType"], "jobName": run.name}
        else:
            given = {"dataUri": output["uri"], "dataType": output["jobOutputType"]}
        keep_version(run.world, kind, run.workspace, output["assetName"], version, given)
