"""The endpoint against what it publishes about itself: schemathesis with all of its checks."""

import subprocess
import sys
from pathlib import Path

import pytest

from resources.endpoint.local.files import endpoint_key


def _tried(endpoint, *options):
    """What schemathesis finds at the endpoint, as a text that is empty if it finds nothing."""
    command = [Path(sys.executable).with_name("schemathesis"), "run", f"{endpoint.observed().url}/openapi.json"]
    key = f"Authorization: Bearer {endpoint_key(endpoint.files)}"
    ended = subprocess.run(
        [*command, "-H", key, "--no-color", "--seed", "1", *options],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        cwd=endpoint.folder,
    )
    assert "Tested: 4" in ended.stdout, ended.stdout + ended.stderr  # everything but the document itself
    return "" if ended.returncode == 0 else ended.stdout[-20_000:] + ended.stderr


def test_the_endpoint_does_what_its_document_says(endpoint, caller):
    assert not _tried(endpoint, "--max-examples", "20")


@pytest.mark.depth
def test_the_endpoint_does_what_its_document_says_at_length(endpoint, caller):
    assert not _tried(endpoint, "--max-examples", "1000")
