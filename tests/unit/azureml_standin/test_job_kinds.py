"""Sweeps, pipelines, imports and AutoML of the stand-in: their trials and steps really run."""

from pathlib import Path
from typing import Any

import pytest
from azure.ai.ml import Input, Output, automl, command, dsl
from azure.ai.ml.data_transfer import Database
from azure.ai.ml.entities import (
    Data,
    DataImport,
    JobSchedule,
    RecurrenceTrigger,
    UsernamePasswordConfiguration,
    WorkspaceConnection,
)
from azure.ai.ml.sweep import Choice

from tests.azureml_builders import LOG_METRIC, ended, environment, file_asset, unique, written
from tests.emulators.azureml import StandIn

pytestmark = pytest.mark.depth

TRIAL = (
    LOG_METRIC
    + """
import pathlib, sys
log("auc", float(sys.argv[1]))
pathlib.Path(sys.argv[2], "model.txt").write_text(sys.argv[1])
"""
)


def test_a_sweep_runs_its_trials_and_its_output_is_that_of_the_best(
    client: Any, azureml: StandIn, tmp_path: Path
) -> None:
    job = command(
        code=str(written(tmp_path / "code", {"trial.py": TRIAL})),
        command="python trial.py ${{inputs.rate}} ${{outputs.model}}",
        inputs={"rate": 0.1},
        outputs={"model": Output(type="uri_folder")},
        environment=environment(client),
    )
    sweep = job(rate=Choice([0.2, 0.9, 0.5])).sweep(sampling_algorithm="grid", primary_metric="auc", goal="Maximize")
    sweep.set_limits(max_total_trials=3, max_concurrent_trials=2)
    sweep.name = unique("sweep")
    client.jobs.create_or_update(sweep)
    done = ended(client, sweep.name)
    assert done.status == "Completed"
    assert float(done.properties["score"]) == 0.9
    assert len(list(client.jobs.list(parent_job_name=sweep.name))) == 3
    client.jobs.download(sweep.name, download_path=tmp_path / "got", output_name="model")
    assert next((tmp_path / "got").rglob("model.txt")).read_text() == "0.9"


def test_a_sweep_whose_trials_log_no_metric_has_failed(client: Any) -> None:
    job = command(command="echo ${{inputs.rate}}", inputs={"rate": 0.1}, environment=environment(client))
    sweep = job(rate=Choice([1])).sweep(sampling_algorithm="random", primary_metric="auc", goal="Maximize")
    sweep.set_limits(max_total_trials=1)
    sweep.name = unique("sweep")
    client.jobs.create_or_update(sweep)
    assert ended(client, sweep.name).status == "Failed"


def two_steps(client: Any, second: str) -> Any:
    """A pipeline that counts rows and then does something with the count."""
    science = environment(client)
    count = command(
        name="count",
        command="wc -l < ${{inputs.rows}} > ${{outputs.count}}/n $[[&& echo ${{inputs.note}} > ${{outputs.count}}/note]]",
        inputs={"rows": Input(type="uri_file"), "note": Input(type="string", optional=True)},
        outputs={"count": Output(type="uri_folder")},
        environment=science,
    ).component
    use = command(
        name="use", command=second, inputs={"count": Input(type="uri_folder"), "factor": Input(type="integer", default=2)},
        outputs={"result": Output(type="uri_folder")}, environment=science,
    ).component  # fmt: skip

    @dsl.pipeline(compute="serverless")
    def both(rows: Input, factor: int = 3):
        counted = count(rows=rows)
        used = use(count=counted.outputs.count, factor=factor)
        return {"result": used.outputs.result}

    return both


def test_a_pipeline_hands_outputs_from_step_to_step(client: Any, tmp_path: Path) -> None:
    both = two_steps(
        client, "echo $(( $(cat ${{inputs.count}}/n) * ${{inputs.factor}} )) > ${{outputs.result}}/product"
    )
    job = both(rows=Input(type="uri_file", path=file_asset(client, tmp_path, "a\nb\n")))
    job.name = unique("pipe")
    client.jobs.create_or_update(job)
    assert ended(client, job.name).status == "Completed"
    client.jobs.download(job.name, download_path=tmp_path / "got", output_name="result")
    assert next((tmp_path / "got").rglob("product")).read_text().strip() == "6"
    steps = {step.display_name: step.status for step in client.jobs.list(parent_job_name=job.name)}
    assert steps == {"counted": "Completed", "used": "Completed"}


def test_a_failed_step_fails_the_pipeline(client: Any, tmp_path: Path) -> None:
    job = two_steps(client, "echo ${{inputs.count}} ${{inputs.factor}} ${{outputs.result}}; exit 1")(
        rows=Input(type="uri_file", path=file_asset(client, tmp_path, "a\n"))
    )
    job.name = unique("pipe")
    client.jobs.create_or_update(job)
    assert ended(client, job.name).status == "Failed"


def test_a_schedule_is_kept_and_triggered_by_hand(client: Any, tmp_path: Path) -> None:
    job = two_steps(client, "cp ${{inputs.count}}/n ${{outputs.result}}/${{inputs.factor}}")(
        rows=Input(type="uri_file", path=file_asset(client, tmp_path, "a\n"))
    )
    name = unique("nightly")
    trigger = RecurrenceTrigger(frequency="day", interval=1)
    client.schedules.begin_create_or_update(JobSchedule(name=name, trigger=trigger, create_job=job)).result()
    assert ended(client, client.schedules.trigger(name).job_name).status == "Completed"
    assert not client.schedules.begin_disable(name).result().is_enabled
    client.schedules.begin_delete(name).result()
    assert name not in [schedule.name for schedule in client.schedules.list()]


def test_an_import_writes_what_the_database_gives(client: Any, azureml: StandIn) -> None:
    name = unique("snow")
    secret = UsernamePasswordConfiguration(username="u", password=azureml.account_key)
    client.connections.create_or_update(
        WorkspaceConnection(
            name=name, type="snowflake", target="jdbc:snowflake://a.snowflakecomputing.com", credentials=secret
        )
    )
    assert azureml.account_key not in str(client.connections.get(name).credentials)
    azureml.databases[name] = lambda query: query.encode()
    source = Database(connection=f"azureml:{name}", query="select 1")
    path = "azureml://datastores/workspaceblobstore/paths/imported/${{name}}"
    job = client.data.import_data(DataImport(name=unique("sales"), type="mltable", source=source, path=path))
    assert ended(client, job.name).status == "Completed"
    imported = client.data.get(job.properties["azureml.materializationAssetName"], version="1")
    assert imported.type == "mltable"


@pytest.mark.slow
def test_automl_searches_and_leaves_the_best_model(client: Any, tmp_path: Path) -> None:
    rows = "\n".join(f"{n % 7},{'ab'[n % 2]},{n % 2}" for n in range(60))
    described = "paths:\n  - file: ./rows.csv\ntransformations:\n  - read_delimited:\n      delimiter: ','\n"
    table = written(tmp_path / "table", {"rows.csv": f"x,y,z\n{rows}\n", "MLTable": described})
    data = Data(name=unique("table"), version="1", type="mltable", path=str(table), skip_validation=True)
    client.data.create_or_update(data)
    job = automl.classification(
        training_data=Input(type="mltable", path=f"azureml:{data.name}:1"),
        target_column_name="z",
        primary_metric="accuracy",
        n_cross_validations=3,
    )
    job.set_limits(max_trials=2)
    job.set_training(blocked_training_algorithms=["logistic_regression"])
    job.name = unique("automl")
    client.jobs.create_or_update(job)
    done = ended(client, job.name, 300)
    assert done.status == "Completed"
    assert float(done.properties["score"]) == 1.0
    best = done.tags["automl_best_child_run_id"]
    assert best in [trial.name for trial in client.jobs.list(parent_job_name=job.name)]
    client.jobs.download(best, download_path=tmp_path / "got", all=True)
    assert next((tmp_path / "got").rglob("MLmodel")).parent.name == "mlflow-model"
