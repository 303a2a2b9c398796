"""Versioned assets of the stand-in through the real SDK: they come back as they were asked for, and stay what they are."""

from pathlib import Path
from typing import Any

import pytest
from azure.ai.ml.entities import AccountKeyConfiguration, AmlCompute, AzureBlobDatastore, Data, Environment, Model
from azure.core.exceptions import ResourceExistsError, ResourceNotFoundError

from tests.azureml_builders import unique, written
from tests.emulators.azureml import StandIn

pytestmark = pytest.mark.depth


def test_data_comes_back_as_it_was_registered(client: Any, tmp_path: Path) -> None:
    name, folder = unique("sales"), written(tmp_path / "data", {"a.csv": "1", "sub/b.csv": "2"})
    asked = Data(
        name=name, version="7", type="uri_folder", path=str(folder), description="beans", tags={"snapshot": "abc"}
    )
    client.data.create_or_update(asked)
    got = client.data.get(name, version="7")
    assert (got.type, got.description, got.tags) == ("uri_folder", "beans", {"snapshot": "abc"})
    assert got.path.startswith("azureml://datastores/workspaceblobstore/paths/LocalUpload/")


def test_versions_are_immutable_but_their_tags_are_not(client: Any, tmp_path: Path) -> None:
    name = unique("sales")
    for content in ("1", "1"):  # the same again changes nothing
        path = written(tmp_path, {"a.csv": content}) / "a.csv"
        client.data.create_or_update(Data(name=name, version="1", type="uri_file", path=str(path), tags={"n": content}))
    other = written(tmp_path / "other", {"a.csv": "2"}) / "a.csv"
    with pytest.raises(ResourceExistsError, match="already exists"):
        client.data.create_or_update(Data(name=name, version="1", type="uri_file", path=str(other)))
    assert client.data.get(name, version="1").tags == {"n": "1"}


def test_versions_count_up_and_the_latest_has_a_label(client: Any, tmp_path: Path) -> None:
    name, path = unique("sales"), str(written(tmp_path, {"a.csv": "1"}) / "a.csv")
    assert [client.data.create_or_update(Data(name=name, type="uri_file", path=path)).version for _ in range(3)] == [
        "1",
        "2",
        "3",
    ]
    assert client.data.get(name, label="latest").version == "3"


def test_long_lists_come_in_pages(client: Any, azureml: StandIn) -> None:
    azureml.faults.page_size = 2
    name = unique("env")
    for version in range(5):
        client.environments.create_or_update(Environment(name=name, version=str(version), image=f"image:{version}"))
    mark = azureml.journal.mark()
    assert {environment.version for environment in client.environments.list(name)} == {"0", "1", "2", "3", "4"}
    assert sum("environments" in call.route for call in azureml.journal.since(mark)) == 3


def test_archived_versions_are_not_listed(client: Any, tmp_path: Path) -> None:
    name, path = unique("model"), str(written(tmp_path / "m", {"m.txt": "1"}))
    for version in ("1", "2"):
        client.models.create_or_update(Model(name=name, version=version, type="custom_model", path=path))
    client.models.archive(name, version="1")
    assert [model.version for model in client.models.list(name)] == ["2"]


def test_a_model_is_downloaded_as_it_was_uploaded(client: Any, tmp_path: Path) -> None:
    name, path = unique("model"), written(tmp_path / "m", {"MLmodel": "flavors: {}", "data/w.txt": "3"})
    client.models.create_or_update(Model(name=name, version="1", type="mlflow_model", path=str(path)))
    client.models.download(name, version="1", download_path=str(tmp_path / "got"))
    assert (tmp_path / "got" / name / "m" / "data" / "w.txt").read_text() == "3"


def test_a_cluster_is_what_was_asked_for(client: Any) -> None:
    name = unique("cluster")[:20]
    asked = AmlCompute(
        name=name,
        size="Standard_DS3_v2",
        min_instances=0,
        max_instances=4,
        tier="low_priority",
        idle_time_before_scale_down=120,
    )
    client.compute.begin_create_or_update(asked).result()
    got = client.compute.get(name)
    assert (got.size.lower(), got.min_instances, got.max_instances, got.tier) == (
        "standard_ds3_v2",
        0,
        4,
        "low_priority",
    )
    client.compute.begin_delete(name).result()
    with pytest.raises(ResourceNotFoundError):
        client.compute.get(name)


def test_a_datastore_does_not_tell_its_key(client: Any, azureml: StandIn) -> None:
    key = AccountKeyConfiguration(account_key=azureml.account_key)
    name = unique("landing").replace("-", "_")
    client.datastores.create_or_update(
        AzureBlobDatastore(name=name, account_name="globolatte", container_name="landing", credentials=key)
    )
    assert azureml.account_key not in str(client.datastores.get(name))
    assert client.datastores.get(name, include_secrets=True).credentials.account_key == azureml.account_key
