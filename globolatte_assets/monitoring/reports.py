"""Evidently's HTML reports on disk: one page a window, the latest ones kept."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote


@dataclass(frozen=True)
class DriftReports:
    """Pages `<window id>.html` in `folder`; not more than `kept` of them stay.

    `base_url`: where a browser finds the parent of `folder`. A file's own address is of no use in a page that came over http:
    browsers do not follow it.
    """

    folder: Path
    kept: int
    base_url: str

    def path(self, window_id: str) -> Path:
        """Where a window's page is, or would be."""
        return self.folder / f"{window_id}.html"

    def url(self, window_id: str) -> str:
        """Where a browser finds a window's page."""
        return f"{self.base_url}/{quote(self.folder.name)}/{quote(self.path(window_id).name)}"

    def keep(self, window_id: str, html: str) -> Path:
        """Writes a page whole or not at all, then removes the oldest ones over the limit."""
        self.folder.mkdir(parents=True, exist_ok=True)
        page = self.path(window_id)
        part = page.with_name(f".{page.name}.part")
        part.write_text(html, encoding="utf-8")
        part.replace(page)
        pages = sorted(self.folder.glob("*.html"), key=lambda file: file.stat().st_mtime_ns, reverse=True)
        for old in pages[self.kept :]:
            old.unlink()
        return page
