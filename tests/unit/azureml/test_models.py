"""A model is registered twice, as MLflow's and as our own, and Azure can serve either: the first without any script of ours."""

from pathlib import Path
from typing import Any

import mlflow
import pytest
import requests

from globolatte_ml.data.model_rows import model_rows
from globolatte_ml.data.snapshot import read_snapshot
from globolatte_ml.model.model import PreferenceModel
from globolatte_ml.training.training_job import save_mlflow_model
from resources.ml.azureml import models
from resources.ml.azureml.workspace import Workspace
from resources.ml.ml_platform import TrainedModel
from tests.azureml_builders import environment, settings_of, unique
from tests.emulators.azureml import StandIn
from tests.endpoint_builders import ml_builders


@pytest.mark.slow
def test_the_mlflow_version_answers_without_a_script_what_the_model_says(azureml: StandIn, tmp_path: Path) -> None:
    from azure.ai.ml.entities import ManagedOnlineDeployment, ManagedOnlineEndpoint

    build = ml_builders()
    snapshot = read_snapshot(build.write_snapshot(build.chain(n_orders=200), tmp_path / "snapshot"))
    model = PreferenceModel(penalties=(0.01,)).fit(snapshot.states, snapshot.contexts, snapshot.y, snapshot.products)
    model.save(tmp_path / "preference_model")
    rows = model_rows(snapshot.states, snapshot.contexts).head(3)
    save_mlflow_model(model, tmp_path / "preference_model", tmp_path / "model", rows)

    workspace = Workspace(settings_of(azureml, "two-formats"))
    trained = TrainedModel(tmp_path / "model", model.content_hash(), "snapshot-1", "job-1", {"log_loss": 1.25})
    made = models.create(workspace, trained, str(tmp_path / "model"))
    client: Any = workspace.client
    as_mlflow = client.models.get(models.REGISTERED_NAME, version=made.version)
    as_custom = client.models.get(models.CUSTOM_NAME, version=model.content_hash()[:12])
    assert (as_mlflow.type, as_custom.type) == ("mlflow_model", "custom_model")
    for one in (as_mlflow, as_custom):
        assert one.tags["content_hash"] == model.content_hash()
        assert (one.tags["snapshot"], one.tags["metric.log_loss"]) == ("snapshot-1", "1.25")
    client.models.download(models.REGISTERED_NAME, version=made.version, download_path=tmp_path / "got")
    signature = mlflow.models.Model.load(next((tmp_path / "got").rglob("MLmodel")).parent).signature
    assert {"business_unit", "weather", "order_count", "history"} <= set(signature.inputs.input_names())
    assert signature.outputs.input_names() == list(model.classes_)

    name = unique("mlflow")
    client.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name=name, auth_mode="key")).result()
    deployment = ManagedOnlineDeployment(
        name="blue",
        endpoint_name=name,
        model=f"azureml:{models.REGISTERED_NAME}:{made.version}",
        environment=environment(client),
        instance_type="Standard_DS3_v2",
        instance_count=1,
    )
    client.online_deployments.begin_create_or_update(deployment).result()
    endpoint = client.online_endpoints.get(name)
    endpoint.traffic = {"blue": 100}
    endpoint = client.online_endpoints.begin_create_or_update(endpoint).result()
    header = {"Authorization": f"Bearer {client.online_endpoints.get_keys(name).primary_key}"}
    body = {"input_data": rows.astype(object).where(rows.notna(), None).to_dict(orient="split")}
    answer = requests.post(endpoint.scoring_uri, json=body, headers=header, timeout=60)
    assert answer.status_code == 200, answer.text
    answered = [[row[product] for product in model.classes_] for row in answer.json()]
    expected = model.predict_proba(snapshot.states, snapshot.contexts)[:3]
    assert [probability for row in answered for probability in row] == pytest.approx(list(expected.ravel()), abs=1e-6)
