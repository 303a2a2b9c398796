"""Pictures in metadata: PNG bytes as the UI shows them, drawn so that a picture that fails stops nothing."""

import base64
import logging
from collections.abc import Callable

import dagster as dg

LOG = logging.getLogger(__name__)


def png(content: bytes) -> dg.MarkdownMetadataValue:
    """A PNG image as Markdown with the picture inside, so that it needs no server to be seen."""
    return dg.MetadataValue.md(f"![](data:image/png;base64,{base64.b64encode(content).decode()})")


def drawn(draw: Callable[[], bytes]) -> tuple[bytes | None, str]:
    """What `draw` draws; if it fails, none and a note that says so: what it shows stands in tables, too, and the work goes on."""
    try:
        return draw(), ""
    except Exception as fault:  # a library of pictures may raise anything
        LOG.warning("a picture could not be drawn", exc_info=True)
        return None, f"The picture could not be drawn: {type(fault).__name__}: {fault}"
