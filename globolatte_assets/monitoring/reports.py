"""HTML pages for people, such as Evidently's report of a window; only the latest ones are retained."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from resources.atomic import write_text


@dataclass(frozen=True)
class StoredPages:
    """Pages `<name>.html` in `folder`; not more than `most` of them stay.

    `base_url`: where a browser finds the parent of `folder`. A file's own address is of no use in a page that came over http:
    browsers do not follow it.
    """

    folder: Path
    most: int
    base_url: str

    def path(self, name: str) -> Path:
        """Where a page is, or would be."""
        return self.folder / f"{name}.html"

    def url(self, name: str) -> str:
        """Where a browser finds a page."""
        return f"{self.base_url}/{quote(self.folder.name)}/{quote(self.path(name).name)}"

    def store(self, name: str, html: str) -> Path:
        """Writes a page whole or not at all, then removes the oldest ones over the limit."""
        page = self.path(name)
        write_text(page, html)
        pages = sorted(self.folder.glob("*.html"), key=lambda file: file.stat().st_mtime_ns, reverse=True)
        for old in pages[self.most :]:
            old.unlink()
        return page
