"""`globolatte bench` and what it starts."""

import signal
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from benchmarks.rows import Row
from globolatte_cli.bench import BENCHMARKS, bench


@pytest.fixture
def _handler_as_before() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.mark.usefixtures("_handler_as_before")
def test_a_terminated_measurement_ends_the_servers_that_it_started(monkeypatch: pytest.MonkeyPatch) -> None:
    running = []

    def measured(*_: object) -> Iterator[Row]:
        running.append("server")
        try:
            signal.raise_signal(signal.SIGTERM)
            yield Row("nothing", 1.0, 1.0, unit="s")
        finally:
            running.remove("server")

    monkeypatch.setitem(BENCHMARKS, "ticks", measured)
    result = CliRunner().invoke(bench, ["ticks"])
    assert result.exit_code == 128 + signal.SIGTERM
    assert not running
