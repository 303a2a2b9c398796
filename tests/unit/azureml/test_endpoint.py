"""The online endpoint on Azure ML, against the stand-in: real inference servers behind real HTTP.

One story per test, each on an endpoint of its own; starting an inference server takes seconds.
"""

from pathlib import Path

import pytest

from resources.endpoint.azureml.serving_storage import SharedPredictionFiles, SharedServingStates
from resources.endpoint.endpoint import Deployment, DesiredState, EndpointError, Mirror
from tests.emulators.azureml import StandIn
from tests.endpoint_builders import QUESTION, eventually, ml_builders
from tests.unit.azureml.conftest import Make


def named(one: Deployment) -> tuple[str, str]:
    """A deployment without where its files are here."""
    return one.model_version, one.content_hash


def made(standin: StandIn) -> int:
    """How often a deployment was begun in this test."""
    return sum(call.method == "PUT" and "/deployments/" in call.route for call in standin.journal.calls)


def test_a_canary_answers_its_share_and_a_rollout_leaves_one_deployment(
    azureml: StandIn, endpoint: Make, trained: list[Deployment]
) -> None:
    one = endpoint("canary")
    assert one.desired() == DesiredState()
    assert not one.observed().running
    with pytest.raises(EndpointError, match="is not there; materialize endpoints/recommender"):
        one.score([QUESTION])

    one.deploy(DesiredState({"blue": trained[0]}, {"blue": 100}))
    assert named(one.wait_healthy("blue").deployment) == named(trained[0])
    assert one.wait_until_converged().converged
    answer = one.score([QUESTION])
    assert (answer["deployment"], answer["model_version"], answer["state_version"]) == ("blue", "1", "state-1")

    both = DesiredState({"blue": trained[0], "green": trained[1]}, {"blue": 60, "green": 40})
    one.deploy(both)
    one.wait_healthy("green")
    state = one.wait_until_converged()
    assert {item.name: item.traffic for item in state.deployments} == {"blue": 60, "green": 40}
    answers = [one.score([QUESTION])["model_version"] for _ in range(40)]
    assert 5 <= answers.count("2") <= 30
    assert one.score([QUESTION], deployment="green")["deployment"] == "green"
    assert "1" in {one.score([QUESTION])["model_version"] for _ in range(10)}, "a header of one call is not sent again"

    mirrored = {"blue": trained[0], "green": trained[1]}
    one.deploy(DesiredState(mirrored, {"blue": 100, "green": 0}, Mirror("green", 50)))
    one.wait_until_converged()
    assert {one.score([QUESTION])["model_version"] for _ in range(12)} == {"1"}
    assert azureml.mirrored["canary", "green"] > 0

    one.deploy(DesiredState({"green": trained[1]}, {"green": 100}))
    assert [item.name for item in one.wait_until_converged().deployments] == ["green"]
    assert one.score([QUESTION])["model_version"] == "2"
    assert made(azureml) == 2


def test_after_an_interruption_the_next_call_continues_what_was_begun(
    azureml: StandIn, endpoint: Make, trained: list[Deployment]
) -> None:
    wanted = DesiredState({"blue": trained[0]}, {"blue": 100})
    endpoint("interrupted").deploy(wanted)  # and then the process is gone
    after = endpoint("interrupted")
    assert {name: named(item) for name, item in after.desired().deployments.items()} == {"blue": named(trained[0])}
    after.deploy(after.desired())
    after.wait_healthy("blue")
    assert endpoint("interrupted").wait_until_converged().converged
    assert made(azureml) == 1


def test_a_deployment_that_fails_says_why_and_what_served_goes_on(
    azureml: StandIn, endpoint: Make, trained: list[Deployment]
) -> None:
    one = endpoint("failing")
    azureml.faults.out_of_quota("blue")
    one.deploy(DesiredState({"blue": trained[0]}, {"blue": 100}))
    reason = r"(?s)deployment blue of endpoint failing: failed: .*quota.*Studio: https://.*Remedy: ask for more quota"
    with pytest.raises(EndpointError, match=reason):
        one.wait_healthy("blue")
    one.deploy(one.desired())
    one.wait_healthy("blue")
    one.wait_until_converged()
    azureml.faults.fail_provisioning("green")
    one.deploy(DesiredState({"blue": trained[0], "green": trained[1]}, {"blue": 100, "green": 0}))
    with pytest.raises(EndpointError, match="deployment green of endpoint failing: failed"):
        one.wait_healthy("green")
    assert one.score([QUESTION])["model_version"] == "1"


def test_a_reason_that_the_operation_reports_late_is_waited_for(
    azureml: StandIn, endpoint: Make, trained: list[Deployment]
) -> None:
    one = endpoint("telling-late")
    azureml.faults.operation_polls = 25  # the deployment shows its failure after two seconds, the operation after five
    azureml.faults.out_of_quota("blue")
    one.deploy(DesiredState({"blue": trained[0]}, {"blue": 100}))
    with pytest.raises(EndpointError, match=r"(?s)failed: OutOfQuota.*Remedy: ask for more quota"):
        one.wait_healthy("blue")


def test_a_deployment_that_is_slow_is_waited_for_and_by_the_next_run_too(
    azureml: StandIn, endpoint: Make, trained: list[Deployment]
) -> None:
    one = endpoint("slow")
    azureml.faults.operation_polls = 10
    one.deploy(DesiredState({"blue": trained[0]}, {"blue": 100}))
    reason = (
        r"deployment blue: is Creating and was not ready in time.*Studio: https://.*run it again: it goes on waiting"
    )
    with pytest.raises(EndpointError, match=reason):
        one.wait_healthy("blue", seconds=0.01)
    assert endpoint("slow").wait_healthy("blue").phase == "serving"
    assert made(azureml) == 1


def test_a_deployment_follows_the_states_and_hands_on_its_log(
    azureml: StandIn, tmp_path: Path, endpoint: Make, trained: list[Deployment], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = endpoint("following")
    settings = one.settings
    for name in ("subscription", "resource_group", "workspace"):
        monkeypatch.setenv(f"GLOBOLATTE_AZUREML_{name.upper()}", getattr(settings, name))
    one.settings = settings.model_copy(update={"look_seconds": 0.5})
    one.deploy(DesiredState({"blue": trained[0]}, {"blue": 100}))
    one.wait_healthy("blue")
    one.wait_until_converged()
    assert one.score([QUESTION])["state_version"] == "state-1"
    staging = SharedServingStates(folder=str(tmp_path / "endpoints")).staging("state-2")
    build = ml_builders()
    build.write_state(build.chain(n_orders=250), staging, "state-2")
    SharedServingStates(folder=str(tmp_path / "endpoints")).publish(staging, "state-2")
    eventually(lambda: one.score([QUESTION])["state_version"] == "state-2", 60)
    files = SharedPredictionFiles(folder=str(tmp_path / "log"))
    found = eventually(files.finished, 60)
    assert "state-1" in found[0].read_text()
    left = len(files.finished())
    files.taken(found[0])
    assert found[0] not in files.finished()
    assert left >= 1
