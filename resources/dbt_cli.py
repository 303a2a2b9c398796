"""dbt as a resource: the dbt of this Python environment; each build has a folder of its own for its artifacts."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dagster_dbt import DbtCliResource

PARTIAL_PARSE = "partial_parse.msgpack"
RUN_ID_VARIABLE = "GLOBOLATTE_RUN_ID"
RETAINED_BUILDS = 5
"""The number of builds whose artifacts (log, executed SQL) stay on disk."""


class DbtOfThisEnvironment(DbtCliResource):
    """`DbtCliResource` whose builds leave their artifacts in `artifacts_dir`, one folder each."""

    artifacts_dir: str

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
        for folder in builds[:-RETAINED_BUILDS]:
            shutil.rmtree(folder)
