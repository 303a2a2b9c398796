"""What stands beside the graph: batch endpoint, schedule, monitor, registry, import from Snowflake; against the stand-in."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from azure.ai.ml.constants._endpoint import EndpointInvokeFields
from pyarrow import parquet

from globolatte_ml.batch_score import COLUMNS
from globolatte_ml.data.snapshot import read_snapshot
from globolatte_ml.model.model import PreferenceModel
from resources.endpoint.azureml import batch
from resources.endpoint.endpoint import Deployment, DesiredState
from resources.ml.azureml import data_assets, models, schedules
from resources.ml.azureml.faults import AzureMLError
from resources.ml.azureml.jobs import wait_for
from resources.ml.azureml.platform import AzureMLPlatform
from resources.ml.azureml.workspace import Workspace
from resources.ml.ml_platform import CHALLENGER, ModelVersion, TrainedModel
from tests.azureml_builders import make_registry, platform_on, settings_of
from tests.emulators.azureml import StandIn
from tests.endpoint_builders import QUESTION, ml_builders, publish_state
from tests.unit.azureml.conftest import Make


@pytest.fixture(scope="module")
def model_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model without a search for its penalty."""
    folder, build = tmp_path_factory.mktemp("model"), ml_builders()
    snapshot = read_snapshot(build.write_snapshot(build.chain(n_orders=200), folder / "snapshot"))
    model = PreferenceModel(penalties=(0.01,)).fit(snapshot.states, snapshot.contexts, snapshot.y, snapshot.products)
    model.save(folder / "model")
    (folder / "model" / "MLmodel").write_text("flavors: {}\n")
    return folder / "model"


def register(workspace: Workspace, model_folder: Path, copies: Path) -> ModelVersion:
    content = PreferenceModel.load(model_folder).content_hash()
    trained = TrainedModel(model_folder, content, "snapshot", "job", {"log_loss": 1.25})
    made = models.same(workspace, trained) or models.create(workspace, trained, str(model_folder))
    return models.as_version(workspace, made, copies)


def asked_in(folder: Path) -> Path:
    """Three files of one question each."""
    folder.mkdir()
    for number, customer in enumerate(("C0001", "C0002", "nobody")):
        (folder / f"{number}.jsonl").write_text(json.dumps({**QUESTION, "customer_id": customer}) + "\n")
    return folder


@pytest.mark.slow
def test_a_batch_of_questions_is_answered_by_the_same_code(
    azureml: StandIn, tmp_path: Path, model_folder: Path
) -> None:
    workspace = Workspace(settings_of(azureml, "batch", compute="cluster", batch_endpoint="batch-1"))
    version = register(workspace, model_folder, tmp_path / "models")
    state = publish_state(tmp_path / "endpoints", "state-1")
    name = batch.deploy(workspace, version, state)
    assert batch.deploy(workspace, version, state) == name
    questions = asked_in(tmp_path / "questions")
    for name in (".DS_Store", "_SUCCESS"):
        (questions / name).write_bytes(b"\x00")
    answers = batch.score(workspace, questions, tmp_path / "answers")
    assert EndpointInvokeFields.MODEL_DEPLOYMENT not in EndpointInvokeFields.DEFAULT_HEADER
    header, *rows = answers.read_text().splitlines()
    assert header == ",".join(COLUMNS)
    assert len(rows) == 15, "three customers, five products"
    assert {row.rpartition(",state-1,")[2] for row in rows} == {f"{number}.jsonl,1" for number in range(3)}
    assert puts(azureml, "/deployments/") == 1

    with (questions / "1.jsonl").open("a") as stream:
        stream.write(json.dumps({**QUESTION, "weather": "Hail"}) + "\n")
    with pytest.raises(
        AzureMLError, match=r"(?s)1\.jsonl, line 2: weather: 'Hail' is unknown.*Remedy: correct the files"
    ):
        batch.score(workspace, questions, tmp_path / "answers")


@pytest.mark.slow
def test_a_batch_is_cut_up_tried_again_and_put_together_as_the_settings_say(
    azureml: StandIn, tmp_path: Path, model_folder: Path
) -> None:
    chosen: dict[str, Any] = {
        "batch_instances": 2, "batch_mini_batch_files": 2, "batch_concurrency": 2, "batch_retries": 1,
        "batch_timeout_seconds": 90, "batch_failed_files_allowed": 2, "batch_output": "summary_only",
    }  # fmt: skip
    before = Workspace(settings_of(azureml, "batch", compute="cluster", batch_endpoint="batch-2"))
    workspace = Workspace(settings_of(azureml, "batch", compute="cluster", batch_endpoint="batch-2", **chosen))
    version = register(workspace, model_folder, tmp_path / "models")
    state = publish_state(tmp_path / "endpoints", "state-1")
    azureml.faults.fail_provisioning("batch-2")
    with pytest.raises(AzureMLError, match=r"batch endpoint batch-2: ProvisioningFailed.*Studio: .*Remedy: "):
        batch.deploy(workspace, version, state)
    name = batch.deploy(workspace, version, state)
    assert name != batch.deploy(before, version, state), "other limits are another deployment"
    assert name == batch.deploy(workspace, version, state)
    assert puts(azureml, "/deployments/") == 2
    got = workspace.client.batch_deployments.get(name, "batch-2")
    assert (got.resources.instance_count, got.mini_batch_size, got.max_concurrency_per_instance) == (2, 2, 2)
    assert (got.retry_settings.max_retries, got.retry_settings.timeout, got.error_threshold) == (1, 90, 2)
    assert got.output_action == "summary_only"
    questions = asked_in(tmp_path / "questions")
    (questions / "broken.jsonl").write_text("no question\n")
    said: list[object] = []
    answers = batch.score(workspace, questions, tmp_path / "answers", said.append)
    assert any("broken.jsonl, line 1: the line is not JSON" in str(one) for one in said)
    assert any("1 of 4 files are not answered: broken.jsonl" in str(one) for one in said)
    written = sorted(file.name for file in answers.glob("*.csv"))
    assert {"0.jsonl.csv", "1.jsonl.csv", "2.jsonl.csv"} == set(written), (
        "a bad file keeps back no other of its mini-batch"
    )
    assert len((answers / "2.jsonl.csv").read_text().splitlines()) == 6, "a header and five products"
    asked_in(tmp_path / "twice").joinpath("more").mkdir()
    (tmp_path / "twice" / "more" / "1.jsonl").write_text(json.dumps(QUESTION) + "\n")
    with pytest.raises(AzureMLError, match=r"same name twice: 1.jsonl; more/1.jsonl.*name of its own"):
        batch.score(workspace, tmp_path / "twice", tmp_path / "answers")


def test_earlier_deployments_make_room_and_those_of_others_stay(
    azureml: StandIn, tmp_path: Path, model_folder: Path
) -> None:
    from azure.ai.ml.entities import ModelBatchDeployment, ModelBatchDeploymentSettings

    state, names = publish_state(tmp_path / "endpoints", "state-1"), []
    for retries in (1, 2, 3):
        workspace = Workspace(
            settings_of(azureml, "batch", compute="cluster", batch_endpoint="batch-3", batch_retries=retries)
        )
        names.append(batch.deploy(workspace, register(workspace, model_folder, tmp_path / "models"), state))
        if retries == 1:
            ours: Any = workspace.client.batch_deployments.get(names[0], "batch-3")
            theirs = ModelBatchDeployment(
                name="of-another-team",
                endpoint_name="batch-3",
                model=ours.model,
                environment=ours.environment,
                code_configuration=ours.code_configuration,
                compute=ours.compute,
                settings=ModelBatchDeploymentSettings(mini_batch_size=1),
            )
            workspace.client.batch_deployments.begin_create_or_update(theirs, skip_script_validation=True).result()
    there = {str(one.name) for one in workspace.client.batch_deployments.list("batch-3")}
    assert there == {"of-another-team", *names[1:]}


@pytest.mark.parametrize("compute", ["serverless", "instance"])
def test_a_batch_endpoint_is_refused_where_azure_has_none(
    azureml: StandIn, tmp_path: Path, model_folder: Path, compute: str
) -> None:
    workspace = Workspace(settings_of(azureml, "batch", compute=compute, compute_name="box", batch_endpoint="batch-4"))
    version = ModelVersion("1", "d" * 64, "snapshot", "job", model_folder)
    with pytest.raises(AzureMLError, match=f"cannot run on {compute} compute.*GLOBOLATTE_AZUREML_COMPUTE=cluster"):
        batch.deploy(workspace, version, tmp_path)


def kept(platform: AzureMLPlatform, name: str) -> None:
    """A snapshot, kept as the graph does."""
    staging = platform.snapshot_staging(name)
    (staging / "examples.parquet").write_bytes(name.encode())
    platform.keep_snapshot(staging, name)


@pytest.mark.slow
def test_a_schedule_trains_on_the_latest_snapshot_for_as_long_as_it_is_on(azureml: StandIn, tmp_path: Path) -> None:
    workspace = Workspace(settings_of(azureml, "schedules"))
    platform = platform_on(azureml, "schedules", tmp_path / "copies")
    with pytest.raises(AzureMLError, match=r"has no snapshot to train on.*materialize models/training_snapshot"):
        schedules.ensure_retraining(workspace)
    with pytest.raises(AzureMLError, match="is not there"):
        schedules.disable(workspace, schedules.RETRAINING)
    kept(platform, "one")
    assert schedules.find(workspace, schedules.RETRAINING) is None, "nobody asked for it"
    for _ in range(2):
        assert schedules.ensure_retraining(workspace) == schedules.RETRAINING

    def trains_on() -> str:
        return str(
            schedules.find(workspace, schedules.RETRAINING).create_job.inputs["snapshot"].path.rpartition("/")[2]
        )

    client = azureml.ml_client(workspace_name="schedules")
    (found,) = client.schedules.list()
    assert (found.name, found.is_enabled, found.trigger.frequency) == (schedules.RETRAINING, True, "week")
    assert (found.create_job.type, trains_on()) == ("pipeline", "one")
    kept(platform, "two")
    assert trains_on() == "two"
    kept(platform, "one")
    assert trains_on() == "one", "a snapshot kept again is the latest"
    writes = puts(azureml, "/schedules/")
    kept(platform, "one")
    assert puts(azureml, "/schedules/") == writes
    platform.keep_unloaded_snapshot("three", {"snapshot.json": b"{}"}, [])
    assert trains_on() == "three", "whoever wrote its tables"

    azureml.faults.hold_job()
    job = client.jobs.get(client.schedules.trigger(schedules.RETRAINING).job_name)
    assert job.inputs["snapshot"].path.endswith(":three")
    client.jobs.begin_cancel(job.name).result()

    schedules.disable(workspace, schedules.RETRAINING)
    assert list(client.schedules.list()) == []
    kept(platform, "two")
    assert not schedules.find(workspace, schedules.RETRAINING).is_enabled
    schedules.ensure_retraining(workspace)
    assert schedules.find(workspace, schedules.RETRAINING).is_enabled
    assert trains_on() == "two"


def puts(standin: StandIn, part: str) -> int:
    return sum(call.method == "PUT" and part in call.route for call in standin.journal.calls)


@pytest.mark.slow
def test_a_monitor_watches_what_a_deployment_collects_and_can_be_switched(
    azureml: StandIn, endpoint: Make, trained: list[Deployment]
) -> None:
    one = endpoint("watched", collect_data=True)
    with pytest.raises(AzureMLError, match="watched/deployments/blue"):
        schedules.ensure_monitor(one.workspace, "blue", [])
    one.deploy(DesiredState({"blue": trained[0]}, {"blue": 100}))
    one.wait_healthy("blue")
    for emails in (["coffee@example.com"], []):
        assert schedules.ensure_monitor(one.workspace, "blue", emails) == schedules.MONITOR
    found = schedules.find(one.workspace, schedules.MONITOR)
    assert (found.type, found.is_enabled, found.trigger.expression) == ("monitor", True, "0 3 * * *")
    (signal,) = found.create_monitor.monitoring_signals.values()
    assert signal.production_data.input_data.path.endswith("/data/watched-blue-model_inputs/versions/1")
    schedules.disable(one.workspace, schedules.MONITOR)
    assert not schedules.find(one.workspace, schedules.MONITOR).is_enabled
    schedules.ensure_monitor(one.workspace, "blue", [])
    assert schedules.find(one.workspace, schedules.MONITOR).is_enabled


def test_a_champion_of_one_workspace_becomes_challenger_of_another(
    azureml: StandIn, tmp_path: Path, model_folder: Path
) -> None:
    dev = Workspace(settings_of(azureml, "dev", registry="coffee"))
    make_registry(azureml, "coffee")
    version = register(dev, model_folder, tmp_path / "dev")
    shared = models.share(dev, version)
    assert models.share(dev, version) == shared
    prod = platform_on(azureml, "prod", tmp_path / "prod", registry="coffee")
    adopted = models.adopt(prod.workspace, shared, "snapshot-of-prod", tmp_path / "prod" / "shared")
    again = models.adopt(prod.workspace, shared, "snapshot-of-prod", tmp_path / "prod" / "shared")
    assert (adopted.content_hash, adopted.snapshot) == (version.content_hash, "snapshot-of-prod")
    assert again.version == adopted.version
    challenger = prod.model(CHALLENGER)
    assert challenger is not None
    assert challenger.version == adopted.version


def test_training_examples_can_be_imported_by_a_connection(azureml: StandIn, tmp_path: Path) -> None:
    from azure.ai.ml.entities import UsernamePasswordConfiguration, WorkspaceConnection

    workspace = Workspace(settings_of(azureml, "imports"))
    workspace.client.connections.create_or_update(
        WorkspaceConnection(
            name="snowflake", type="snowflake", target="jdbc:snowflake://coffee.example.com/?db=GLOBO_LATTE_DB&warehouse=GLOBO_LATTE_WH",
            credentials=UsernamePasswordConfiguration(username="reader", password="x" * 12),
        )
    )  # fmt: skip
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.table({"order_id": ["o1"]}), sink)
    queries: list[str] = []

    def answer(query: str) -> bytes:
        queries.append(query)
        return sink.getvalue().to_pybytes()

    azureml.databases["snowflake"] = answer
    job = workspace.client.data.import_data(data_import=data_assets.examples_import("snowflake"))
    wait_for(workspace, str(job.name), lambda _: None)
    assert queries == [data_assets.QUERY]
    assert [one.version for one in workspace.client.data.list(name=data_assets.EXAMPLES)] == ["1"]
