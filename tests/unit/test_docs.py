"""The docs say what the code does."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from globolatte_cli.main import cli
from globolatte_cli.settings_page import page

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def test_the_settings_page_is_written_from_the_settings() -> None:
    assert (ROOT / "docs" / "settings.md").read_text() == page()


@pytest.mark.parametrize("file", PAGES, ids=lambda file: file.name)
def test_every_link_to_a_file_leads_somewhere(file: Path) -> None:
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", file.read_text())
    missing = [target for target in targets if not (file.parent / target).exists()]
    assert not missing


def test_the_readme_names_commands_that_exist() -> None:
    named = set(re.findall(r"^\| `(\w+)", (ROOT / "README.md").read_text(), re.MULTILINE))
    assert named
    assert named <= set(cli.commands)
    assert CliRunner().invoke(cli, ["--help"]).exit_code == 0
