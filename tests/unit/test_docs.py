"""The docs say what the code does."""

import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from globolatte_cli.main import cli
from globolatte_cli.settings_page import page

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
MODULES = sorted(file for folder in ROOT.glob("[a-z]*") for file in folder.rglob("*.py") if folder.is_dir())

UNUSED_WORDS = (
    "impatient",
    "is entered",
    "judgement",
    "judging",
    "off the record",
    "on the record",
    "person's word",
    "so manieth",
    "stranger",
    "whatever lies in",
)
"""Words that docs/glossary.md replaces by others."""


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


def test_every_file_that_a_page_names_is_there() -> None:
    named = {
        (page.name, path)
        for page in PAGES
        if page.name != "CHANGELOG.md"
        for path in re.findall(r"`([\w.]+(?:/[\w.]+)+\.(?:py|sql|yml))`", page.read_text())
    }
    assert len(named) > 10
    assert [
        (page, path)
        for page, path in sorted(named)
        if not ((ROOT / path).exists() or (ROOT / "dbt_project" / path).exists())
    ] == []


@pytest.mark.parametrize("words", UNUSED_WORDS)
def test_words_that_the_glossary_replaces_do_not_come_back(words: str) -> None:
    pattern = re.compile(r"[\s_]+".join(words.split()), re.IGNORECASE)
    allowed = {ROOT / "CHANGELOG.md", ROOT / "docs" / "glossary.md", Path(__file__)}
    found = [file for file in (*PAGES, *MODULES) if file not in allowed and pattern.search(file.read_text())]
    assert [str(file.relative_to(ROOT)) for file in found] == []


def test_every_case_of_what_happens_when_names_a_test_that_exists() -> None:
    page = (ROOT / "docs" / "what-happens-when.md").read_text()
    cases = [row for row in page.splitlines() if row.startswith("| ") and "`test_" in row]
    named = {test for row in cases for test in re.findall(r"`(test_\w+)`", row)}
    written = {
        test
        for file in (ROOT / "tests").rglob("test_*.py")
        for test in re.findall(r"^def (test_\w+)", file.read_text(), re.M)
    }
    assert sorted(named - written) == []
    assert len(cases) >= 60
    assert len(cases) == sum(row.startswith("| ") and not row.startswith("| case") for row in page.splitlines())
