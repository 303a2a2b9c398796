"""Pictures in metadata: PNG bytes as the UI shows them."""

import base64

import dagster as dg


def png(content: bytes) -> dg.MarkdownMetadataValue:
    """A PNG image as Markdown with the picture inside, so that it needs no server to be seen."""
    return dg.MetadataValue.md(f"![](data:image/png;base64,{base64.b64encode(content).decode()})")
