"""Pipelines: steps that really run, each as soon as what it reads is written."""

import re
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import Any

from tests.emulators.azureml.jobs import command
from tests.emulators.azureml.jobs.data_import import import_data
from tests.emulators.azureml.jobs.runs import Executor, JobFailed, Run, child_job
from tests.emulators.azureml.locations import UnknownAddressError, asset

PARENT_INPUT = re.compile(r"\$\{\{\s*parent\.inputs\.([\w.]+)\s*\}\}")
PARENT_OUTPUT = re.compile(r"\$\{\{\s*parent\.outputs\.([\w.]+)\s*\}\}")
STEP_OUTPUT = re.compile(r"\$\{\{\s*parent\.jobs\.(\w+)\.outputs\.([\w.]+)\s*\}\}")
DATA = ("uri_file", "uri_folder", "mltable", "mlflow_model", "custom_model", "triton_model")
LITERALS: dict[str, Callable[[str], object]] = {"integer": int, "number": float}


@dataclass
class _Progress:
    """How far a pipeline is."""

    waiting: dict[str, dict[str, Any]]
    running: "dict[Future[None], str]" = field(default_factory=dict)
    done: dict[str, Run] = field(default_factory=dict)
    failed: list[str] = field(default_factory=list)


def execute(run: Run) -> None:
    """A pipeline job."""
    run.status = "Running"
    progress = _Progress(dict(run.properties["jobs"]))
    with ThreadPoolExecutor(max(len(progress.waiting), 1)) as pool:
        while progress.waiting or progress.running:
            _begin(run, progress, pool)
            if not progress.running:
                break
            finished, _ = wait(progress.running, return_when=FIRST_COMPLETED)
            for future in finished:
                name = progress.running.pop(future)
                future.result()
                if progress.done[name].status != "Completed":
                    progress.failed.append(name)
    run.check()
    if progress.failed:
        error = progress.done[progress.failed[0]].error
        message = error["error"]["message"] if error else progress.done[progress.failed[0]].status
        raise JobFailed(f"Pipeline has failed child jobs: {', '.join(progress.failed)}. First: {message}")
    if progress.waiting:
        raise JobFailed(f"Pipeline steps wait for each other: {', '.join(progress.waiting)}")
    run.delivered += [name for name in run.properties["outputs"] if name != "default"]
    command.register(run, run.properties["outputs"])


def _begin(run: Run, progress: _Progress, pool: ThreadPoolExecutor) -> None:
    """Starts the steps whose inputs are there, unless a step has failed or the pipeline is to end."""
    for name, step in list(progress.waiting.items()):
        sources = {match[1] for match in STEP_OUTPUT.finditer(str(step.get("inputs") or {}))}
        ready = all(source in progress.done and progress.done[source].status == "Completed" for source in sources)
        if progress.failed or run.cancelled.is_set():
            del progress.waiting[name]
        elif ready:
            del progress.waiting[name]
            job, executor = _step(run, name, step, progress.done)
            child = run.world.runs.add(job, run.name)
            named = (step.get("outputs") or {}).items()
            child.asset_versions = {key: str(output["version"]) for key, output in named if output.get("version")}
            progress.done[name] = child
            progress.running[pool.submit(run.world.runs.carry_out, child, executor)] = name


def _step(run: Run, name: str, step: dict[str, Any], done: dict[str, Run]) -> tuple[dict[str, Any], Executor]:
    """The job of a step, and what carries it out."""
    if step["type"] == "data_transfer":
        given = {"jobType": "Command", "command": step["task"], "environmentId": "none", "displayName": name}
        outputs = {key: _own_output(run, output) for key, output in step["outputs"].items()}
        return child_job(run, name, {**given, "outputs": outputs}), lambda child: import_data(child, step)
    if step["type"] != "command":
        raise JobFailed(f"Step {name}: the stand-in does not run steps of type {step['type']}")
    try:
        component = asset(run.world, run.workspace, step["componentId"], ("components",))
    except UnknownAddressError as error:
        raise JobFailed(f"Step {name}: {error}") from error
    spec = component["properties"]["componentSpec"]
    _check_inputs(name, spec, step.get("inputs") or {})
    inputs = {
        key: _input(run, key, spec, (step.get("inputs") or {}).get(key), done) for key in spec.get("inputs") or {}
    }
    inputs = {key: one for key, one in inputs.items() if one.get("uri") or one.get("value") is not None}
    outputs = {
        key: _output(run, declared, (step.get("outputs") or {}).get(key))
        for key, declared in (spec.get("outputs") or {}).items()
    }
    given = {
        "jobType": "Command",
        "displayName": name,
        "componentId": component["id"],
        "command": spec["command"],
        "codeId": (spec.get("code") or "").removeprefix("azureml:") or None,
        "environmentId": str(spec["environment"]).removeprefix("azureml:"),
        "environmentVariables": {
            **(spec.get("environment_variables") or {}),
            **(step.get("environment_variables") or {}),
        },
        "computeId": step.get("computeId") or run.properties.get("computeId"),
        "inputs": inputs,
        "outputs": outputs,
        "limits": {"jobLimitsType": "Command", "timeout": (step.get("limits") or {}).get("timeout")},
    }
    return child_job(run, name, given), command.execute


def _check_inputs(step: str, spec: dict[str, Any], given: dict[str, dict[str, Any]]) -> None:
    """Refuses inputs that the component does not have, lacks of those that it needs, and values that are not of their type."""
    declared = spec.get("inputs") or {}
    for name in given:
        if name not in declared:
            raise JobFailed(f"Step {step}: the component {spec['name']} has no input {name}")
    for name, one in declared.items():
        optional = str(one.get("optional")).lower() == "true" or "default" in one
        value = given.get(name, {}).get("value")
        if name not in given:
            if not optional:
                raise JobFailed(f"Step {step}: the component {spec['name']} needs its input {name}")
        elif one.get("enum") and value not in one["enum"]:
            raise JobFailed(f"Step {step}: {name} is {value}, not one of {', '.join(one['enum'])}")
        elif value is not None and "${{" not in str(value) and one["type"] in LITERALS:
            try:
                LITERALS[one["type"]](str(value))
            except ValueError as error:
                raise JobFailed(f"Step {step}: {name} is {value}, which is no {one['type']}") from error


def _input(
    run: Run, name: str, spec: dict[str, Any], bound: dict[str, Any] | None, done: dict[str, Run]
) -> dict[str, Any]:
    """An input of a step as a job has it: what it is bound to, else the component's default."""
    declared = spec["inputs"][name]
    kind = declared["type"] if declared["type"] in DATA else "literal"
    if bound is None:
        default = declared.get("default")
        return {"jobInputType": "literal", "value": None if default is None else str(default)}
    value = str(bound.get("value"))
    if match := PARENT_INPUT.fullmatch(value):
        given = (run.properties.get("inputs") or {}).get(match[1])
        return {**given, "jobInputType": kind} if given else {"jobInputType": "literal", "value": None}
    if match := STEP_OUTPUT.fullmatch(value):
        return {"jobInputType": kind, "uri": done[match[1]].properties["outputs"][match[2]]["uri"]}
    if bound.get("uri"):
        return {"jobInputType": kind, "uri": bound["uri"], "mode": bound.get("mode")}
    return {"jobInputType": "literal", "value": PARENT_INPUT.sub(lambda found: _literal(run, found[1]), value)}


def _literal(run: Run, name: str) -> str:
    return str(run.properties["inputs"][name].get("value"))


def _output(run: Run, declared: dict[str, Any], bound: dict[str, Any] | None) -> dict[str, Any]:
    """An output of a step: written where the pipeline's own output is if it is bound to that."""
    kind = {"jobOutputType": declared["type"]}
    if (bound or {}).get("name"):
        kind |= {"assetName": bound["name"]}
    match = PARENT_OUTPUT.fullmatch(str((bound or {}).get("value")))
    if match:
        return {**kind, "uri": run.properties["outputs"][match[1]]["uri"]}
    return {**kind, **({"uri": bound["uri"]} if bound and bound.get("uri") else {})}


def _own_output(run: Run, output: dict[str, Any]) -> dict[str, Any]:
    uri = str(output["uri"]).replace("${{name}}", run.name)
    return {"jobOutputType": output["job_output_type"], "uri": uri, "assetName": output.get("name")}
