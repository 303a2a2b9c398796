"""Kept report pages: whole, named by window, and not more than allowed."""

import os
from pathlib import Path

from globolatte_assets.monitoring.reports import StoredPages

URL = "http://127.0.0.1:3030"


def test_a_page_is_stored_under_its_windows_name(tmp_path: Path) -> None:
    page = StoredPages(tmp_path / "reports", 3, URL).store("chain_2024-01-01_2024-01-21", "<html>")
    assert page.read_text() == "<html>"
    assert page.name == "chain_2024-01-01_2024-01-21.html"


def test_the_oldest_pages_go(tmp_path: Path) -> None:
    reports = StoredPages(tmp_path, 2, URL)
    for number in range(4):
        os.utime(reports.store(f"w{number}", "<html>"), (number, number))
    reports.store("w4", "<html>")
    assert sorted(page.name for page in tmp_path.iterdir()) == ["w3.html", "w4.html"]


def test_a_browser_finds_a_page_under_the_folders_and_the_windows_name(tmp_path: Path) -> None:
    url = StoredPages(tmp_path / "drift", 1, URL).url("BU_US_2024-01-01_2024-01-21")
    assert url == "http://127.0.0.1:3030/drift/BU_US_2024-01-01_2024-01-21.html"
