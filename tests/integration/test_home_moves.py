"""A home that is copied and moved while its endpoint runs goes on where it is now, and a copy never reaches the original."""

import json
import shutil
from pathlib import Path

import pytest

from resources.endpoint.local.endpoint import LocalEndpoint
from resources.endpoint.local.processes import marked
from resources.processes import ProcessId
from tests.endpoint_builders import children_of, eventually
from tests.homes import Home, NewHome

pytestmark = pytest.mark.slow

RECOMMEND = (
    "recommend",
    "--customer",
    "C0001",
    "--region",
    "USA",
    "--weather",
    "Sunny",
    "--date",
    "2022-03-01",
    "--json",
)


def endpoint_in(home: Home) -> LocalEndpoint:
    return LocalEndpoint(folder=str(home.folder / "endpoints"))


def processes_of(endpoint: LocalEndpoint) -> set[ProcessId | None]:
    return {endpoint.supervisor(), *children_of(endpoint)}


def a_new_day(home: Home) -> None:
    """The last day's sales come again under the next day, with ids of their own."""
    last = max((home.folder / "landing" / "sales" / "usa").rglob("28/*.csv"))
    head, *lines = last.read_text().splitlines()
    assert lines
    new = home.folder / "landing" / "sales" / "usa" / "2022" / "03" / "01" / last.name
    new.parent.mkdir(parents=True)
    new.write_text("\n".join([head, *(f"N{line}".replace("2022-02-28", "2022-03-01") for line in lines)]) + "\n")


def everything_below(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(file.relative_to(folder)): (file.stat().st_size, file.stat().st_mtime_ns)
        for file in folder.rglob("*")
        if file.is_file() and not {"run", "logs", "prediction_log"} & set(file.relative_to(folder).parts)
    }


def test_a_home_is_copied_and_moved_while_its_endpoint_runs(home_that_ran: NewHome, tmp_path: Path) -> None:
    first = home_that_ran()
    answer = json.loads(first.ok(*RECOMMEND))
    first.ok("endpoints", "deploy")
    original, copy = endpoint_in(first), Home(tmp_path / "copy")
    homes = [first, copy]
    try:
        shutil.copytree(first.folder, copy.folder)
        running, before = processes_of(original), everything_below(first.folder)

        doctor = copy.command("doctor")
        assert doctor.returncode == 1
        assert "declared, not running: blue (100 %)" in doctor.stdout
        assert "Declared, not running" in copy.ok("endpoints", "list")
        assert "was not running" in copy.ok("endpoints", "stop")
        assert json.loads(copy.ok(*RECOMMEND)) == answer
        copy.ok("endpoints", "start")
        served = endpoint_in(copy).desired().deployments["blue"].model_folder
        assert served.startswith(str(copy.folder))
        assert endpoint_in(copy).observed().url != original.observed().url
        assert "has stopped" in copy.ok("endpoints", "stop")
        assert processes_of(original) == running, "nothing done in the copy has reached the original's endpoint"
        assert everything_below(first.folder) == before, "nor its files"

        moved = Home(tmp_path / "moved")
        homes.append(moved)
        shutil.move(first.folder, moved.folder)
        first.folder.write_text("no home any more")
        eventually(lambda: not any(one and one.alive for one in running))
        moved.ok("endpoints", "start")
        assert "endpoint http" in moved.ok(*RECOMMEND[:-1])
        a_new_day(moved)
        [champion] = (moved.folder / "mlflow" / "jobs").glob("*/model")
        shutil.rmtree(champion)
        assert "cannot be read" in moved.command("doctor").stdout
        done = moved.ok("run")
        assert "1 files loaded" in done
        assert "Trained:" in done
        moved.ok("doctor")
        assert "has stopped" in moved.ok("endpoints", "stop")
        assert first.folder.read_text() == "no home any more"
    finally:
        for home in homes:
            if home.folder.is_dir():
                endpoint_in(home).stop()
    assert not any(marked(endpoint_in(home).files) for home in (copy, moved))
    assert not endpoint_in(copy).observed().running
