"""Training as a job of Azure ML: `python -m globolatte_ml.azureml_job --out DIR [--pipes-context FILE --pipes-messages DIR] …`."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

from dagster_pipes import (
    PipesBlobStoreMessageWriter,
    PipesBufferedFilesystemMessageWriterChannel,
    PipesContext,
    PipesContextData,
    PipesContextLoader,
    open_dagster_pipes,
)

from globolatte_ml import train
from globolatte_ml.job_entry import parser_of
from globolatte_ml.model.fitting import watched

CHUNK_SECONDS = 2.0
PREFIX = "model."
"""Of the model's own parameters in the tracking: scikit-learn's regression has a `penalty`, too."""
TRACKED = "MLFLOW_RUN_ID"
"""Where Azure ML says which run it has begun for the job."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Trains, and reports to Dagster and to the tracking; the exit code is that of `train.main`."""
    parser = parser_of("azureml_job", "Train as a job of Azure ML.", out="folder for the model and its evaluation")
    parser.add_argument("--pipes-context", type=Path, help="file with Dagster's context")
    parser.add_argument("--pipes-messages", type=Path, help="folder for messages to Dagster")
    options, others = parser.parse_known_args(arguments)
    talking = options.pipes_context is not None and options.pipes_messages is not None
    with _dagster(options.pipes_context, options.pipes_messages) if talking else nullcontext() as pipes:
        os.environ.pop(train.PIPES_VARIABLE, None)  # it is open already
        run_id = os.environ.get(TRACKED)  # MLflow takes it out of the environment when a run ends
        with watched(Autologging(run_id)) if run_id else nullcontext():
            code = train.main([*others, "--out", str(options.out)])
        if code == 0:
            numbers = json.loads((options.out / "metrics.json").read_text(encoding="utf-8"))
            if run_id:
                track(run_id, numbers, json.loads((options.out / "parameters.json").read_text(encoding="utf-8")))
            if pipes is not None:
                metrics_text = ", ".join(f"{name} {value:.4f}" for name, value in sorted(numbers.items()))
                pipes.log.info(f"trained: {metrics_text}")
    return code


class Autologging:
    """MLflow's autologging of scikit-learn around the one fit that gives the model its regression: its parameters, its training metrics.

    Only the first: a search fits many candidates and a proof fits the model again, and a run has each parameter once. Models are not
    logged: the job writes its own, and MLflow 3 would log one by an API that Azure ML does not have.
    """

    def __init__(self, run_id: str) -> None:
        self._run_id, self._done = run_id, False

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Around a fit."""
        if self._done:
            yield
            return
        self._done = True
        import mlflow.sklearn

        mlflow.sklearn.autolog(log_models=False, log_datasets=False, log_post_training_metrics=False, silent=True)
        try:
            with mlflow.start_run(run_id=self._run_id):
                yield
        finally:
            mlflow.sklearn.autolog(disable=True, silent=True)


def track(run_id: str, metrics: dict[str, float], parameters: dict[str, Any]) -> None:
    """Puts metrics and parameters into the run that Azure ML has begun for this job.

    Logged by hand, since MLflow's autologging covers only the regression, see `Autologging`.
    """
    import mlflow
    from mlflow.exceptions import MlflowException

    try:
        with mlflow.start_run(run_id=run_id):
            mlflow.log_metrics(metrics)
            mlflow.log_params({f"{PREFIX}{name}": str(value) for name, value in parameters.items()})
    except MlflowException as error:
        # the model is there all the same; a sweep, which needs the metric, says that it has none
        sys.stderr.write(f"the metrics are not in the workspace's tracking: {error}\n")


@contextmanager
def _dagster(context_file: Path, messages_folder: Path) -> Iterator[PipesContext]:
    """Pipes over files: Azure ML mounts the blobs that Dagster writes and reads."""

    class Context(PipesContextLoader):
        """Reads the mounted context, wherever Dagster says that it has put it."""

        @contextmanager
        def load_context(self, params: Any) -> Iterator[PipesContextData]:  # noqa: ARG002 - Pipes' signature
            yield json.loads(context_file.read_text(encoding="utf-8"))

    class Messages(PipesBlobStoreMessageWriter):
        """Writes numbered files into the mounted folder."""

        def make_channel(self, params: Any) -> PipesBufferedFilesystemMessageWriterChannel:  # noqa: ARG002
            messages_folder.mkdir(parents=True, exist_ok=True)
            return PipesBufferedFilesystemMessageWriterChannel(str(messages_folder), interval=CHUNK_SECONDS)

    with open_dagster_pipes(context_loader=Context(), message_writer=Messages(interval=CHUNK_SECONDS)) as pipes:
        yield pipes


if __name__ == "__main__":
    sys.exit(main())
