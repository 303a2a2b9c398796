"""The jobs of each training method, with its search space, as azure-ai-ml's objects."""

import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from resources.ml.azureml.jobs import context_blob, messages_folder
from resources.ml.azureml.provenance import hash_of_files, hash_of_values
from resources.ml.azureml.workspace import datastore_uri
from resources.ml.training_method import (
    LOG_LOSS,
    CommandMethod,
    Distribution,
    DistributionKind,
    EarlyTermination,
    EarlyTerminationKind,
    Sampling,
    SweepMethod,
    TrainingMethod,
)
from resources.settings.azureml import AzureMLSettings

if TYPE_CHECKING:
    from azure.ai.ml.entities import Command, PipelineJob
    from azure.ai.ml.entities._builders import Sweep


OUT = "out"
Job = TypeVar("Job")
TRIAL_OPTIONS = {"penalty": "--penalties", "half_life": "--half-lives"}


@dataclass(frozen=True)
class JobParts:
    """The common parts of every training job of a snapshot. `compute` is none for serverless."""

    settings: AzureMLSettings
    code: Path
    environment: str
    compute: str | None
    snapshot: str
    tags: Mapping[str, str]

    def common(self) -> dict[str, Any]:
        """The arguments common to all commands."""
        return {
            "code": str(self.code),
            "environment": self.environment,
            "environment_variables": {"OMP_NUM_THREADS": "1"},
            **({"compute": self.compute} if self.compute else {}),
        }

    def dress(self, job: Job, name: str) -> Job:
        """Gives a job its name, tags, limit and place."""
        dressed: Any = job
        dressed.name, dressed.display_name = name, name
        dressed.experiment_name, dressed.tags = self.settings.experiment, dict(self.tags)
        return job

    @property
    def component(self) -> dict[str, Any]:
        """The arguments common to all steps of a pipeline; the pipeline determines the compute."""
        return {name: value for name, value in self.common().items() if name != "compute"}


def snapshot_input(parts: JobParts) -> Any:
    """The snapshot as an input."""
    from azure.ai.ml import Input

    return Input(type="uri_folder", path=parts.snapshot, mode="download")


def limited(parts: JobParts, job: "Command", name: str) -> "Command":
    """A command job with its name, its time, and its size where no compute gives one."""
    if parts.compute is None:
        job.set_resources(instance_type=parts.settings.compute_size, instance_count=1)
    job.set_limits(timeout=int(parts.settings.job_hours * 3600))
    return parts.dress(job, name)


def command_job(parts: JobParts, method: CommandMethod, name: str) -> "Command":
    """Our `train.py` as one job, with Pipes through a mounted input and output."""
    from azure.ai.ml import Input, Output, command

    job = command(
        **parts.common(),
        command="python -m globolatte_ml.azureml_job --snapshot ${{inputs.snapshot}} --out ${{outputs.out}} "
        f"--pipes-context ${{{{inputs.pipes_context}}}} --pipes-messages ${{{{outputs.pipes_messages}}}} --seed {method.seed}",
        inputs={
            "snapshot": snapshot_input(parts),
            "pipes_context": Input(type="uri_file", path=datastore_uri(context_blob(name)), mode="ro_mount"),
        },
        outputs={
            OUT: Output(type="uri_folder"),
            "pipes_messages": Output(type="uri_folder", path=datastore_uri(messages_folder(name)), mode="rw_mount"),
        },
    )
    return limited(parts, job, name)


def _trial(parts: JobParts, method: SweepMethod) -> "Command":
    """One trial. A sweep that runs serverless takes the size that Azure chooses: its job has no place to name one."""
    from azure.ai.ml import Input, Output, command

    options = " ".join(f"{TRIAL_OPTIONS[name]} ${{{{inputs.{name}}}}}" for name in method.space)
    return command(
        **parts.common(),
        command="python -m globolatte_ml.azureml_job --snapshot ${{inputs.snapshot}} --out ${{outputs.out}} "
        f"--seed {method.seed} {options}",
        inputs={
            "snapshot": snapshot_input(parts),
            **{name: Input(type="number", default=1.0) for name in method.space},
        },
        outputs={OUT: Output(type="uri_folder")},
    )


def sweep_job(parts: JobParts, method: SweepMethod, name: str) -> "Sweep":
    """The same over a search space; Azure takes the trial with the lowest validation loss as the sweep's own output."""
    trial = _trial(parts, method)
    job = trial(snapshot=snapshot_input(parts), **search_space(method.space)).sweep(
        primary_metric=LOG_LOSS, goal="minimize", sampling_algorithm=sampling(method), compute=parts.compute
    )
    job.set_limits(
        max_total_trials=method.trials,
        max_concurrent_trials=min(method.concurrent, method.trials),
        timeout=method.minutes * 60,
    )
    if method.early_termination is not None:
        job.early_termination = early_termination(method.early_termination)
    return parts.dress(job, name)


def components(parts: JobParts, seed: int = 0) -> dict[str, Any]:
    """The pipeline's steps as components: the commands that the local pipeline runs."""
    from azure.ai.ml import Input, Output, command

    folder = Input(type="uri_folder")
    steps = {
        "prepare": (
            {"snapshot": folder},
            "python -m globolatte_ml.pipeline_steps prepare --snapshot ${{inputs.snapshot}} --out ${{outputs.out}}",
        ),
        "train": (
            {"snapshot": folder},
            f"python -m globolatte_ml.azureml_job --snapshot ${{{{inputs.snapshot}}}} --out ${{{{outputs.out}}}} --seed {seed}",
        ),
        "evaluate": (
            {"snapshot": folder, "trained": folder},
            "python -m globolatte_ml.pipeline_steps evaluate --snapshot ${{inputs.snapshot}} "
            "--model ${{inputs.trained}}/model --out ${{outputs.out}}",
        ),
    }
    return {
        name: command(
            name=f"globolatte_{name}",
            display_name=name,
            command=line,
            inputs=dict(inputs),
            outputs={OUT: Output(type="uri_folder")},
            **parts.component,
        ).component
        for name, (inputs, line) in steps.items()
    }


MoreSteps = Callable[[Any, Any], Mapping[str, Any]]
"""Adds steps after training, given the snapshot and the trained model; returns the outputs that they add to the pipeline's."""


def pipeline_job(
    parts: JobParts, steps: Mapping[str, Any], name: str, more: MoreSteps = lambda _snapshot, _trained: {}
) -> "PipelineJob":
    """The steps in order: prepare, train, evaluate. As with every method, the caller registers the model."""
    from azure.ai.ml import dsl

    @dsl.pipeline
    def training_pipeline(snapshot):  # type: ignore[no-untyped-def]  # the SDK reads annotations as types of inputs
        prepare = steps["prepare"](snapshot=snapshot)
        train = steps["train"](snapshot=prepare.outputs.out)
        evaluate = steps["evaluate"](snapshot=prepare.outputs.out, trained=train.outputs.out)
        added = more(prepare.outputs.out, train.outputs.out)
        return {"out": train.outputs.out, "evaluation": evaluate.outputs.out, **added}

    job: PipelineJob = parts.dress(training_pipeline(snapshot=snapshot_input(parts)), name)
    cast("Any", job.settings).default_compute = parts.compute or "serverless"
    return job


def named(method: TrainingMethod, parts: JobParts, snapshot: str, **more: object) -> str:
    """A job's name, a hash of what it computes, so that the same computation is the same job. `more`: further inputs of it."""
    what = {
        "method": asdict(method),
        "code": hash_of_files(parts.code),
        "environment": parts.environment,
        "snapshot": parts.snapshot,
        **more,
    }
    return f"globolatte-{method.kind}-{snapshot[:16]}-{hash_of_values(what)}"


def search_space(space: Mapping[str, Distribution]) -> dict[str, Any]:
    """Each dimension as Azure's. Azure writes the bounds of a loguniform as logarithms."""
    return {name: _dimension(one) for name, one in space.items()}


def _dimension(one: Distribution) -> Any:
    from azure.ai.ml import sweep

    step: dict[str, Any] = {"q": one.step} if one.step else {}
    match one.kind:
        case DistributionKind.CHOICE:
            return sweep.Choice(values=list(one.values))
        case DistributionKind.UNIFORM:
            return (sweep.QUniform if step else sweep.Uniform)(min_value=one.low, max_value=one.high, **step)
        case DistributionKind.LOGUNIFORM:
            low, high = math.log(one.low), math.log(one.high)
            return (sweep.QLogUniform if step else sweep.LogUniform)(min_value=low, max_value=high, **step)
        case DistributionKind.NORMAL:
            return (sweep.QNormal if step else sweep.Normal)(mu=one.mean, sigma=one.deviation, **step)
        case DistributionKind.LOGNORMAL:
            return (sweep.QLogNormal if step else sweep.LogNormal)(mu=one.mean, sigma=one.deviation, **step)


def sampling(method: SweepMethod) -> Any:
    """The sampling algorithm."""
    from azure.ai.ml import sweep

    match method.sampling:
        case Sampling.GRID:
            return sweep.GridSamplingAlgorithm()
        case Sampling.BAYESIAN:
            return sweep.BayesianSamplingAlgorithm()
        case Sampling.SOBOL:
            return sweep.RandomSamplingAlgorithm(rule="sobol", seed=method.seed)
        case Sampling.RANDOM:
            return sweep.RandomSamplingAlgorithm(rule="random", seed=method.seed)


def early_termination(rule: EarlyTermination) -> Any:
    """The early termination policy."""
    from azure.ai.ml import sweep

    when = {"evaluation_interval": rule.every, "delay_evaluation": rule.after}
    match rule.kind:
        case EarlyTerminationKind.BANDIT:
            return sweep.BanditPolicy(**when, slack_factor=rule.slack)
        case EarlyTerminationKind.MEDIAN:
            return sweep.MedianStoppingPolicy(**when)
        case EarlyTerminationKind.TRUNCATION:
            return sweep.TruncationSelectionPolicy(**when, truncation_percentage=rule.percentage)
