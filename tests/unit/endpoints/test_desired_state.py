"""Which desired states are valid, and how a model takes over."""

import pytest

from globolatte_assets.endpoints.rollout import plan_rollout
from resources.endpoint.endpoint import Deployment, DesiredState, Mirror
from resources.endpoint.local.files import (
    KEY_VARIABLE,
    EndpointFiles,
    endpoint_key,
    read_desired,
    rotate_log,
    version_of,
    write_desired,
    write_json,
)

OLD, NEW = Deployment("/models/1", "1", "aaa"), Deployment("/models/2", "2", "bbb")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"deployments": {"Blue": OLD}, "traffic": {"Blue": 100}}, "lower-case"),
        ({"deployments": {"blue": OLD}, "traffic": {"blue": 99}}, "sums to 99"),
        ({"deployments": {"blue": OLD}, "traffic": {}}, "sums to 0"),
        ({"deployments": {"blue": OLD}, "traffic": {"blue": 100, "green": 0}}, "'green', which is no deployment"),
        ({"deployments": {"a": OLD, "b": OLD}, "traffic": {"a": 150, "b": -50}}, "no percentage"),
        ({"deployments": {"blue": OLD}, "traffic": {"blue": 100}, "mirror": Mirror("green", 10)}, "the mirror names"),
        ({"deployments": {"blue": OLD}, "traffic": {"blue": 100}, "mirror": Mirror("blue", 0)}, "0 percent"),
    ],
)
def test_what_does_not_fit_together_is_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        DesiredState(**fields)


def test_a_desired_state_survives_its_file(tmp_path):
    files = EndpointFiles(tmp_path)
    assert read_desired(files) is None
    wanted = DesiredState({"blue": OLD, "green": NEW}, {"blue": 90, "green": 10}, Mirror("green", 5))
    write_desired(files, wanted)
    assert read_desired(files) == wanted
    assert version_of(read_desired(files)) == version_of(wanted)


@pytest.mark.parametrize("content", [[], {"deployments": {"blue": {}}, "traffic": {}}, {"traffic": {}}])
def test_a_damaged_file_is_named(tmp_path, content):
    files = EndpointFiles(tmp_path)
    write_json(files.desired, content)
    with pytest.raises(ValueError, match=r"desired\.json"):
        read_desired(files)


def test_the_first_model_goes_to_blue_at_once():
    rollout = plan_rollout(DesiredState(), NEW)
    assert (rollout.colour, rollout.replaces) == ("blue", None)
    assert rollout.beside == rollout.final == DesiredState({"blue": NEW}, {"blue": 100})


@pytest.mark.parametrize(("live", "idle"), [("blue", "green"), ("green", "blue")])
def test_another_model_waits_on_the_idle_colour_without_traffic(live, idle):
    rollout = plan_rollout(DesiredState({live: OLD}, {live: 100}), NEW)
    assert (rollout.colour, rollout.replaces) == (idle, live)
    assert rollout.beside == DesiredState({live: OLD, idle: NEW}, {live: 100, idle: 0})
    assert rollout.final == DesiredState({idle: NEW}, {idle: 100})


def test_the_model_that_serves_already_needs_nothing():
    now = DesiredState({"green": NEW}, {"green": 100})
    rollout = plan_rollout(now, NEW)
    assert not rollout.needed
    assert rollout.beside == rollout.final == now


def test_an_unfinished_rollout_is_taken_over():
    now = DesiredState({"blue": OLD, "green": NEW}, {"blue": 100, "green": 0})
    assert plan_rollout(now, OLD).final == DesiredState({"blue": OLD}, {"blue": 100})
    assert plan_rollout(now, NEW).beside == now


def test_the_key_is_made_once_and_only_its_owner_reads_it(tmp_path, monkeypatch):
    files = EndpointFiles(tmp_path / "endpoints")
    key = endpoint_key(files)
    assert len(key) >= 32
    assert endpoint_key(files) == key
    assert files.key.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in files.folder.iterdir()] == ["key"]
    monkeypatch.setenv(KEY_VARIABLE, "another")
    assert endpoint_key(files) == "another"


def test_large_logs_are_moved_aside_and_few_are_retained(tmp_path, monkeypatch):
    monkeypatch.setattr("resources.endpoint.local.files.LOG_BYTES", 3)
    log = tmp_path / "blue.log"
    for content in ("first", "second", "third", "no"):
        log.write_text(content)
        rotate_log(log)
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "blue.log": "no",
        "blue.log.1": "third",
        "blue.log.2": "second",
    }
