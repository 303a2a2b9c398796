"""The metrics page, as a scraper reads it."""

import re

from resources.endpoint.local.metrics import Latencies, page

LINE = re.compile(r'globolatte_endpoint_[a-z_]+(\{[a-z]+="[^"]*"(,[a-z]+="[^"]*")*\})? \S+')
OBSERVED = {
    "gateway": {"name": "gateway", "healthy": True, "restarts": 2},
    "deployments": [
        {
            "name": "blue",
            "healthy": False,
            "restarts": 1,
            "traffic": 100,
            "status": {
                "prediction_log": {"waiting": 3, "written": 7, "failed": 1, "fault": "the disk is full", "ok": True}
            },
        },
        {"name": "green", "healthy": True, "restarts": 0, "traffic": 0, "status": {}},
    ],
}


def lines(**more):
    given = {
        "outcomes": {"answered": 5},
        "events": {"probes": 2},
        "connections": {"shed": 1},
        "open_connections": {"idle": 2},
        "latencies": Latencies(),
        "observed": OBSERVED,
    }
    return page(**{**given, **more}).splitlines()


def test_every_line_can_be_read_and_every_family_is_declared_once():
    found = lines()
    samples = [line for line in found if not line.startswith("#")]
    assert all(LINE.fullmatch(line) for line in samples), samples
    declared = [line.split()[2] for line in found if line.startswith("# TYPE")]
    assert len(declared) == len(set(declared))
    assert {line.partition("{")[0] for line in samples} <= set(declared)


def test_the_log_s_losses_and_each_process_stand_on_it():
    found = lines()
    for line in (
        'globolatte_endpoint_process_restarts_total{process="gateway"} 2',
        'globolatte_endpoint_process_healthy{process="blue"} 0',
        'globolatte_endpoint_prediction_log_healthy{deployment="blue"} 0',
        'globolatte_endpoint_prediction_log_total{deployment="blue",what="failed"} 1',
        'globolatte_endpoint_prediction_log_now{deployment="blue",what="waiting"} 3',
        'globolatte_endpoint_requests_total{outcome="answered"} 5',
        'globolatte_endpoint_events_total{what="probes"} 2',
        'globolatte_endpoint_connections_ended_total{why="shed"} 1',
    ):
        assert line in found
    assert not [line for line in found if '"green",what' in line or 'what="ok"' in line]


def test_a_histogram_counts_up_to_each_bound():
    latencies = Latencies()
    for seconds in (0.001, 0.0025, 0.03, 99.0):
        latencies.observe(200, seconds)
    found = [line.partition("answer_seconds_")[2] for line in lines(latencies=latencies) if "answer_seconds_" in line]
    assert 'bucket{status="200",le="0.0025"} 2' in found
    assert 'bucket{status="200",le="0.05"} 3' in found
    assert 'bucket{status="200",le="30.0"} 3' in found
    assert 'bucket{status="200",le="+Inf"} 4' in found
    assert 'count{status="200"} 4' in found


def test_without_a_supervisor_the_page_has_what_the_gateway_knows():
    assert [line for line in lines(observed=None) if "process" in line and not line.startswith("#")] == []


def test_a_name_cannot_break_out_of_its_quotes():
    found = lines(outcomes={'a"b\\c\nd': 1})
    assert r'globolatte_endpoint_requests_total{outcome="a\"b\\c\nd"} 1' in found
