"""Pages for people, written as Markdown: self-contained HTML, with pictures inside, nothing fetched, no script."""

import base64
import html
import re
from collections.abc import Sequence

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #2b2118; max-width: 860px; margin: 2rem auto; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; } h2 { border-bottom: 1px solid #d9c7b3; padding-bottom: .2rem; margin-top: 2.2rem; }
table { border-collapse: collapse; margin: .6rem 0; }
td, th { padding: .25rem .7rem; border-bottom: 1px solid #eee; text-align: left; vertical-align: top; }
img { max-width: 100%; } code { background: #f5efe8; padding: 0 .25rem; } .quiet { color: #6d635b; }
"""


def html_page(title: str, markdown: str) -> str:
    """A page of Markdown."""
    from markdown_it import MarkdownIt

    body = MarkdownIt("commonmark", {"html": False}).enable("table").render(markdown)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{STYLE}</style></head><body>{body}</body></html>"
    )


def picture(png: bytes, alt: str) -> str:
    """A picture, as Markdown that holds it."""
    return f"![{alt}](data:image/png;base64,{base64.b64encode(png).decode()})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Rows under a head, as Markdown."""
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines)


def literal(text: str) -> str:
    """Text of others, such as a product's name, that means itself in Markdown, on one line."""
    return re.sub(r"([\\`*_\[\]|<>&#~])", r"\\\1", " ".join(text.split()))
