"""A home that cannot be written: one line for who wants to write, and no obstacle to who only reads."""

from pathlib import Path

import pytest

from globolatte_cli.doctor import findings
from globolatte_cli.errors import UserError
from globolatte_cli.instance import prepare_home
from globolatte_cli.recommend import champion_scorer
from resources.settings.settings import Settings


@pytest.fixture
def read_only(tmp_path: Path) -> Settings:
    """A home whose place is taken by a file: not even root can make it."""
    (tmp_path / "home").write_text("")
    return Settings(home=tmp_path / "home" / "state")


def test_a_home_that_cannot_be_written_is_one_line_with_the_remedy(read_only: Settings) -> None:
    with pytest.raises(
        UserError, match="cannot be written: Not a directory; make it writable for this user, or set GLOBOLATTE_HOME"
    ):
        prepare_home(read_only)


def test_doctor_says_so_and_goes_on(read_only: Settings) -> None:
    found = list(findings(read_only))
    assert (found[0].name, found[0].fine) == ("home", False)
    assert {"Python", "packages", "dbt manifest", "ML platform"} <= {item.name for item in found}
    assert len(found) > 5


def test_what_only_reads_asks_for_no_writable_home(read_only: Settings) -> None:
    with pytest.raises(UserError, match="there is no champion yet"):
        champion_scorer(read_only)
