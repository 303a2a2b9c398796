"""Who gets a request."""

import pytest

from resources.endpoint.endpoint import Mirror
from resources.endpoint.local.routing import NoRouteError, Route, Routes, choose, mirrors

BLUE, GREEN = Route("blue", 1, True, 80), Route("green", 2, True, 20)
BOTH = Routes("v", (BLUE, GREEN))


def sick(route, traffic=None):
    return Route(route.name, route.port, False, route.traffic if traffic is None else traffic)


@pytest.mark.parametrize(("draw", "chosen"), [(0.0, BLUE), (0.79, BLUE), (0.8, GREEN), (0.999, GREEN)])
def test_the_draw_decides_by_percentage(draw, chosen):
    assert choose(BOTH, draw) == chosen


def test_no_traffic_means_no_request_unless_requested_by_name():
    idle = Route("green", 2, True, 0)
    routes = Routes("v", (Route("blue", 1, True, 100), idle))
    assert {choose(routes, draw / 100).name for draw in range(100)} == {"blue"}
    assert choose(routes, 0.5, wanted="green") == idle


def test_the_healthy_take_over_from_the_sick():
    assert choose(Routes("v", (sick(BLUE), GREEN)), 0.1) == GREEN


def test_what_failed_a_moment_ago_is_avoided_while_there_is_another():
    assert choose(BOTH, 0.1, avoid={1}) == GREEN
    assert choose(BOTH, 0.1, avoid={1, 2}) == BLUE


def test_an_idle_deployment_never_stands_in():
    with pytest.raises(NoRouteError, match="no deployment with traffic is healthy") as refused:
        choose(Routes("v", (sick(BLUE), Route("green", 2, True, 0)), problems={"blue": "ended"}), 0.1)
    assert refused.value.status == 503
    assert "blue: ended" in str(refused.value)


@pytest.mark.parametrize(
    ("routes", "wanted", "status", "message"),
    [
        (Routes(), None, 503, "nothing is deployed yet"),
        (BOTH, "red", 404, "there is no deployment 'red'; there are: blue, green"),
        (Routes("v", (BLUE, sick(GREEN))), "green", 503, "deployment 'green' is not healthy"),
    ],
)
def test_nobody_can_answer_has_a_status_and_a_message(routes, wanted, status, message):
    with pytest.raises(NoRouteError, match=message) as refused:
        choose(routes, 0.5, wanted)
    assert refused.value.status == status


@pytest.mark.parametrize(
    ("mirror", "answered", "draw", "copied"),
    [
        (None, "blue", 0.0, False),
        (Mirror("green", 30), "blue", 0.29, True),
        (Mirror("green", 30), "blue", 0.30, False),
        (Mirror("green", 100), "green", 0.0, False),
    ],
)
def test_the_mirror_takes_its_percentage_of_what_others_answered(mirror, answered, draw, copied):
    assert (mirrors(Routes("v", (BLUE, GREEN), mirror), answered, draw) == GREEN) is copied


def test_a_sick_mirror_gets_nothing():
    assert mirrors(Routes("v", (BLUE, sick(GREEN)), Mirror("green", 100)), "blue", 0.0) is None
