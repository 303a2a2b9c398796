"""Command jobs of the stand-in, asked for by the real SDK: their code really runs."""

import io
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest
from azure.ai.ml import Input, Output, command
from azure.ai.ml.entities import CommandJobLimits, Data
from azure.ai.ml.exceptions import JobException
from azure.core.exceptions import HttpResponseError

from tests.azureml_builders import TRAIN, ended, environment, unique, written
from tests.emulators.azureml import StandIn


def shell(client: Any, text: str, **more: object) -> str:
    """A submitted job that is one line of shell; its name."""
    job = command(command=text, environment=environment(client), name=unique("shell"), **more)
    return client.jobs.create_or_update(job).name


def test_a_job_reads_its_input_and_its_output_is_in_the_datastore(client: Any, tmp_path: Path) -> None:
    rows = written(tmp_path / "data", {"rows.csv": "a\nb\nc\n"}) / "rows.csv"
    data = client.data.create_or_update(Data(name=unique("rows"), version="1", type="uri_file", path=str(rows)))
    job = command(
        code=str(written(tmp_path / "code", {"train.py": TRAIN})),
        command="python train.py --data ${{inputs.data}} --model ${{outputs.model}}",
        inputs={"data": Input(type="uri_file", path=f"azureml:{data.name}:1")},
        outputs={"model": Output(type="uri_folder")},
        environment=environment(client),
        name=unique("train"),
    )
    name = client.jobs.create_or_update(job).name
    assert ended(client, name).status == "Completed"
    client.jobs.download(name, download_path=tmp_path / "got", all=True)
    assert (tmp_path / "got" / "named-outputs" / "model" / "rows.txt").read_text() == "3"
    assert (tmp_path / "got" / "artifacts" / "outputs" / "metrics.json").read_text() == '{"rows": 3}'
    assert "training on 3 rows" in (tmp_path / "got" / "artifacts" / "user_logs" / "std_log.txt").read_text()


@pytest.mark.depth
def test_a_job_that_exits_with_an_error_has_failed_and_says_why(client: Any) -> None:
    name = shell(client, "echo the beans are out; exit 3")
    assert ended(client, name).status == "Failed"
    with redirect_stdout(io.StringIO()), pytest.raises(JobException, match=r"status code 3.*the beans are out"):
        client.jobs.stream(name)


@pytest.mark.depth
def test_cancelling_ends_the_process(client: Any, azureml: StandIn) -> None:
    name = shell(client, "echo $$ > pid; sleep 600")
    pid = azureml.world.folder / "jobs" / azureml.workspace_name / name / "code" / "pid"
    while not pid.exists():
        assert client.jobs.get(name).status not in ("Failed", "Canceled")
    client.jobs.begin_cancel(name).result()
    assert ended(client, name).status == "Canceled"
    assert not Path(f"/proc/{pid.read_text().strip()}").exists()


@pytest.mark.depth
def test_a_name_is_one_job_and_asking_for_another_under_it_is_refused(client: Any) -> None:
    name = shell(client, "true")
    job = command(command="echo other", environment=environment(client), name=name)
    with pytest.raises(HttpResponseError, match="already exists"):
        client.jobs.create_or_update(job)


@pytest.mark.depth
def test_faults_of_jobs_come_true(client: Any, azureml: StandIn) -> None:
    azureml.faults.fail_job(message="The node was lost")
    lost = shell(client, "true")
    assert ended(client, lost).status == "Failed"
    azureml.faults.cancel_job()
    assert ended(client, shell(client, "true")).status == "Canceled"
    azureml.faults.hold_job()
    held = shell(client, "true")
    assert client.jobs.get(held).status in ("Starting", "Queued")
    client.jobs.begin_cancel(held).result()
    assert ended(client, held).status == "Canceled"


@pytest.mark.depth
def test_a_job_beyond_its_limit_is_stopped(client: Any) -> None:
    name = shell(client, "sleep 600", limits=CommandJobLimits(timeout=1))
    assert ended(client, name).status == "Failed"


@pytest.mark.depth
def test_plain_mlflow_metrics_reach_run_history(client: Any, azureml: StandIn) -> None:
    log = (
        'curl -sf -X POST $MLFLOW_TRACKING_URI/api/2.0/mlflow/runs/log-metric -H "Authorization: Bearer $MLFLOW_TRACKING_TOKEN"'
        ' --cacert $SSL_CERT_FILE -d \'{"run_id": "\'$MLFLOW_RUN_ID\'", "key": "log_loss", "value": 0.5, "step": 1}\''
    )
    name = shell(client, log)
    assert ended(client, name).status == "Completed"
    run = azureml.world.runs.get(client.jobs.get(name).id.rpartition("/jobs/")[0], name)
    assert run.metric("log_loss") == 0.5
