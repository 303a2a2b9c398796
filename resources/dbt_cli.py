"""dbt as a resource: the dbt of this very environment, started without preparations that cost more than the build."""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

from packaging.version import Version

from resources.dagster_dbt_alone import DbtCliResource

PARTIAL_PARSE = "partial_parse.msgpack"
RUN_ID_VARIABLE = "GLOBOLATTE_RUN_ID"
KEPT_BUILDS = 5
"""Artifacts (log, SQL as it ran) of how many builds stay on disk."""


class DbtOfThisEnvironment(DbtCliResource):
    """`DbtCliResource` for the dbt-core that is installed beside it. Artifacts of builds lie in `artifacts_dir`.

    Two steps before each build are left out: running `dbt --version` (three seconds; the installed package says it at once),
    and loading a dbt adapter into this process (two seconds, and a second user of the DuckDB file; it is needed only to fetch
    row counts and columns after the build, which the models' contracts already declare). Should dagster-dbt rename what is
    overridden here, the builds merely become slower; a test notices.
    """

    artifacts_dir: str

    @cached_property
    def _cli_version(self) -> Version:
        return Version(version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> Any:  # noqa: ARG002 - the signature is dagster-dbt's
        return None

    @contextmanager
    def artifacts(self, run_id: str) -> Iterator[Path]:
        """A folder for one build's artifacts; dbt builds that start within know the run (macros/query_tag.sql).

        What dbt parsed is handed on from build to build, or each would parse anew.
        """
        root = Path(self.artifacts_dir)
        target = root / run_id
        target.mkdir(parents=True, exist_ok=True)
        parsed = root / PARTIAL_PARSE
        if parsed.exists():
            shutil.copy(parsed, target / PARTIAL_PARSE)
        os.environ[RUN_ID_VARIABLE] = run_id
        try:
            yield target
        finally:
            os.environ.pop(RUN_ID_VARIABLE)
        if (target / PARTIAL_PARSE).exists():
            (target / PARTIAL_PARSE).replace(parsed)
        builds = sorted(
            (folder for folder in root.iterdir() if folder.is_dir()), key=lambda folder: folder.stat().st_mtime
        )
        for folder in builds[:-KEPT_BUILDS]:
            shutil.rmtree(folder)
