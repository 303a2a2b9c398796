"""Pictures in metadata, as the UI shows them."""

from collections.abc import Callable

import dagster as dg

from globolatte_ml.figures import picture


def png(draw: Callable[..., bytes], *arguments: object) -> dg.MarkdownMetadataValue:
    """What `draw` draws of the arguments; a note that says why, if it cannot be drawn."""
    return dg.MetadataValue.md(picture("", draw, *arguments))
