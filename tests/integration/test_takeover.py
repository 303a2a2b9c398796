"""A new champion takes over behind the endpoint while it is in use: nobody's request fails, and every answer is in the log."""

from collections.abc import Iterator

import pytest

from globolatte_cli.demo_online import asking, go_offline
from globolatte_cli.endpoints import local_endpoint
from resources.environment import predictions_of, warehouse_of
from resources.settings.settings import Settings
from simulator import Scenario, continue_into
from tests.homes import Home, NewHome

QUESTION = {"customer_id": "C0007", "region": "USA", "weather": "Sunny"}


@pytest.fixture
def online(home_that_ran: NewHome) -> Iterator[tuple[Home, Settings]]:
    """A home with a champion behind its endpoint."""
    home = home_that_ran()
    settings = Settings(home=home.folder)
    try:
        assert "up" in home.ok("endpoints", "deploy", GLOBOLATTE_PREDICTION_LOG_SECONDS="1")
        yield home, settings
    finally:
        go_offline(settings)


@pytest.mark.slow
def test_a_new_champion_takes_over_without_a_failed_question(online: tuple[Home, Settings]) -> None:
    home, settings = online
    continue_into(home.folder, Scenario.PRODUCT_LAUNCH, days=44)
    with asking(local_endpoint(settings), QUESTION) as asked:
        said = home.ok("run")
    assert "Champion behind the endpoint" in said
    assert not asked.failures
    assert set(asked.answers) == {"1", "2"}
    assert local_endpoint(settings).score([QUESTION])["model_version"] == "2"

    go_offline(settings)
    home.ok("run")
    assert not predictions_of(settings).finished()
    log = warehouse_of(settings).read("monitoring.prediction_log", ["prediction_id", "model_version", "customer_id"])
    rows = [row for row in log.to_pylist() if row["customer_id"] == QUESTION["customer_id"]]
    assert len(rows) == asked.answers.total() + 1
    by_id = {(row["prediction_id"], row["model_version"]) for row in rows}
    assert len(by_id) == len({prediction_id for prediction_id, _ in by_id}), "an id belongs to one model"


@pytest.mark.slow
def test_a_stopped_endpoint_stays_stopped(online: tuple[Home, Settings]) -> None:
    home, settings = online
    go_offline(settings)
    home.ok("run")
    assert not local_endpoint(settings).observed().running
