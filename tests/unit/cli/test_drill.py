"""The drill plays faults on a copy, leaves the home as it is, and fails if a fault is silent."""

import hashlib
import json
from contextlib import nullcontext
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from globolatte_cli.drill.command import FAULTS, drill
from globolatte_cli.drill.stage import Fault, Stage, copy_of, played
from globolatte_cli.errors import UserError
from resources.settings.settings import Settings
from tests.homes import Home, NewHome


def files_in(home: Home) -> dict[str, str]:
    """The content of all files, by their path."""
    found = (file for file in home.folder.rglob("*") if file.is_file())
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in found}


def drilled(home: Home, *arguments: str) -> Result:
    with pytest.MonkeyPatch.context() as patch:
        for name in Settings(home=home.folder).environment_variables():
            patch.setenv(name, "")  # what a drill passes on to its children ends with it
        return CliRunner().invoke(drill, ["--home", str(home.folder), "--json", *arguments])


def test_it_says_what_showed_a_fault_and_leaves_the_home_as_it_is(home_that_ran: NewHome) -> None:
    home = home_that_ran()
    before = files_in(home)
    result = drilled(home, "--only", "disk-full", "--only", "champion-emptied")
    assert result.exit_code == 0, result.output
    shown = {one["fault"]: one for one in json.loads(result.stdout)}
    assert set(shown) == {"disk-full", "champion-emptied"}
    assert "nothing can be written" in shown["disk-full"]["by"]
    assert files_in(home) == before


def test_a_folder_that_the_home_links_to_is_copied_and_not_written_to(tmp_path: Path) -> None:
    home, shared = tmp_path / "home", tmp_path / "share"
    shared.mkdir()
    (shared / "products.csv").write_text("as it was")
    home.mkdir()
    (home / "warehouse.duckdb").touch()
    (home / "landing").symlink_to(shared)
    (home / "to_nothing").symlink_to(tmp_path / "nowhere")
    (home / "endpoints").mkdir()
    (home / "endpoints" / "key").write_text("of the original's callers")
    copy_of(home, tmp_path / "copy")
    (tmp_path / "copy" / "landing" / "products.csv").write_text("a fault")
    assert (shared / "products.csv").read_text() == "as it was"
    assert not [path for path in (tmp_path / "copy").rglob("*") if path.is_symlink() or path.name == "key"]


def test_a_fault_that_nothing_shows_is_silent_and_so_is_one_that_cannot_be_played() -> None:
    stage = Stage(Settings())
    unseen = Fault("unseen", "test", "nothing", lambda _: nullcontext(), lambda _: None, patience=0.0)
    assert played(unseen, stage).silent

    def broken(_: Stage) -> "nullcontext[None]":
        raise OSError("no room")

    shown = played(Fault("broken", "test", "nothing", broken, lambda _: "seen"), stage)
    assert shown.silent
    assert "no room" in shown.lost


def test_a_fault_that_is_not_known_is_refused_with_the_names_of_all(home_that_ran: NewHome) -> None:
    result = drilled(home_that_ran(), "--only", "nonsense")
    assert isinstance(result.exception, UserError)
    assert "there is no fault 'nonsense'; there are: reference-file-gone" in str(result.exception)


def test_there_are_enough_faults_each_with_a_name_of_its_own_in_the_docs() -> None:
    names = [fault.name for fault in FAULTS]
    assert len(names) == len(set(names)) >= 30
    page = (Path(__file__).parents[3] / "docs" / "drill.md").read_text()
    assert [name for name in names if f"`{name}`" not in page] == []


@pytest.mark.depth
def test_no_fault_is_silent(home_that_ran: NewHome) -> None:
    result = drilled(home_that_ran())
    assert [one["fault"] for one in json.loads(result.stdout) if one["silent"]] == []
    assert result.exit_code == 0
