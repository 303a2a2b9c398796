"""Names under which tests of whole commands have homes."""

from tests.homes import GLOBOLATTE, Home

__all__ = ["GLOBOLATTE", "Home"]
