"""Evidently's HTML reports on disk: one page a window, the latest ones kept."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class DriftReports:
    """Pages `<window id>.html` in `folder`; not more than `kept` of them stay."""

    folder: Path
    kept: int

    def path(self, window_id: str) -> Path:
        """Where a window's page is, or would be."""
        return self.folder / f"{window_id}.html"

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
