"""Sweeps: trials that really run, a primary metric that they log to MLflow, and the best of them.

Random, Sobol and Bayesian sampling all draw at random here; grid tries everything.
"""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import isodate

from tests.emulators.azureml.jobs import command
from tests.emulators.azureml.jobs.runs import JobCancelled, JobFailed, Run, child_job
from tests.emulators.azureml.jobs.search import Sampled, candidates, ends_early
from tests.emulators.azureml.locations import place_of

WATCH_SECONDS = 0.2


def execute(run: Run) -> None:
    """A sweep job."""
    properties = run.properties
    limits = properties.get("limits") or {}
    run.status = "Running"
    try:
        drawn = candidates(properties["searchSpace"], properties["samplingAlgorithm"])
        values = [sampled for _, sampled in zip(range(limits.get("maxTotalTrials") or 1), drawn, strict=False)]
    except ValueError as error:
        raise JobFailed(str(error)) from error
    trials = [run.world.runs.add(_trial(run, number, sampled), run.name) for number, sampled in enumerate(values)]
    finished = threading.Event()
    watch = threading.Thread(target=_watch, args=(run, trials, finished), daemon=True)
    watch.start()
    try:
        with ThreadPoolExecutor(limits.get("maxConcurrentTrials") or len(trials)) as pool:
            list(pool.map(lambda trial: run.world.runs.carry_out(trial, command.execute), trials))
    finally:
        finished.set()
        watch.join()
    run.check()
    _crown(run, trials)


def _trial(run: Run, number: int, sampled: Sampled) -> dict[str, Any]:
    """The job of one trial: the sweep's command with the values that were drawn."""
    properties, trial = run.properties, run.properties["trial"]
    text = trial["command"].replace("${{search_space.", "${{inputs.")
    drawn = {name: {"jobInputType": "literal", "value": str(value)} for name, value in sampled.items()}
    limits = {"jobLimitsType": "Command", "timeout": (properties.get("limits") or {}).get("trialTimeout")}
    given = {
        **{key: value for key, value in trial.items() if value is not None},
        "jobType": "Command",
        "command": text,
        "computeId": properties.get("computeId"),
        "inputs": {**(properties.get("inputs") or {}), **drawn},
        "outputs": {
            name: {key: value for key, value in output.items() if key not in ("uri", "assetName", "assetVersion")}
            for name, output in (properties.get("outputs") or {}).items()
            if name != "default"
        },
        "limits": limits,
    }
    return child_job(run, str(number), given)


def _watch(run: Run, trials: list[Run], finished: threading.Event) -> None:
    """Ends trials as the policy wants it, and all of them when the sweep's time is up."""
    properties = run.properties
    metric, maximize = properties["objective"]["primaryMetric"], properties["objective"]["goal"] == "Maximize"
    seconds = isodate.parse_duration((properties.get("limits") or {}).get("timeout") or "P7D").total_seconds()
    waited = 0.0
    while not finished.wait(WATCH_SECONDS):
        waited += WATCH_SECONDS
        logged = {trial.name: [value for value, _, _ in trial.metrics.get(metric, [])] for trial in trials}
        for trial in trials:
            others = [values for name, values in logged.items() if name != trial.name]
            early = ends_early(properties.get("earlyTermination"), logged[trial.name], others, maximize=maximize)
            if waited > seconds or (trial.status == "Running" and early):
                run.world.runs.cancel(trial)


def _crown(run: Run, trials: list[Run]) -> None:
    """Names the best trial, and makes its outputs the sweep's."""
    objective = run.properties["objective"]
    metric, sign = objective["primaryMetric"], 1 if objective["goal"] == "Maximize" else -1
    scored = [(trial.metric(metric), trial) for trial in trials if trial.status in ("Completed", "Canceled")]
    scored_trials = [(sign * value, trial) for value, trial in scored if value is not None]
    if not scored_trials:
        failures = [str(trial.error["error"]["message"]) for trial in trials if trial.error]
        reason = failures[0] if failures else f"no trial logged the primary metric {metric!r} to MLflow"
        raise JobFailed(f"All trials failed: {reason}")
    value, best = max(scored_trials, key=lambda pair: pair[0])
    run.metrics[metric] = [(sign * value, 0, 0)]
    found = {"best_child_run_id": best.name, "score": str(sign * value), "primary_metric": metric}
    run.properties["properties"] = {**run.properties["properties"], **found}
    for name in best.delivered:
        source = place_of(run.world, run.workspace, best.properties["outputs"][name]["uri"])
        folder = run.folder / "outputs" / name
        run.world.storage.download(source, folder)
        run.world.storage.upload(folder, place_of(run.world, run.workspace, run.properties["outputs"][name]["uri"]))
        run.delivered.append(name)
    if run.cancelled.is_set():
        raise JobCancelled
    command.register(run, run.properties["outputs"])
