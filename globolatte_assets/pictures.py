"""Pictures in metadata, as the UI shows them; one that cannot be drawn stops nothing."""

import logging
from collections.abc import Callable

import dagster as dg

from globolatte_ml import pages
from globolatte_ml.figures import picture

LOG = logging.getLogger(__name__)


def png(draw: Callable[..., bytes], *arguments: object) -> dg.MarkdownMetadataValue:
    """What `draw` draws of the arguments; a note that says why, if it cannot be drawn."""
    return dg.MetadataValue.md(picture("", draw, *arguments))


def image(content: bytes) -> dg.MarkdownMetadataValue:
    """A PNG image as Markdown with the picture inside, so that it needs no server to be seen."""
    return dg.MetadataValue.md(pages.picture(content, ""))


def drawn(draw: Callable[[], bytes]) -> tuple[bytes | None, str]:
    """What `draw` draws; if it fails, none and a note that says so: what it shows stands in tables, too, and the work goes on."""
    try:
        return draw(), ""
    except Exception as fault:  # a library of pictures may raise anything
        LOG.warning("a picture could not be drawn", exc_info=True)
        return None, f"The picture could not be drawn: {type(fault).__name__}: {fault}"
