"""dagster-dbt, imported without dbt. Whoever needs dagster-dbt imports it from here.

dagster-dbt works where no dbt-core is installed: it then starts dbt as a program and never as a library, and that is all that is
wanted of it. Where dbt-core is installed it imports the library too, for types and to compute selections, which makes up half of the
time in which Dagster's processes, one for each run, load this project. So while dagster-dbt is imported, dbt cannot be found.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def not_to_be_found(package: str) -> Iterator[None]:
    """Imports of `package` fail meanwhile as if it were not installed; does nothing if it is imported already."""
    if package in sys.modules:
        yield
        return
    sys.modules[package] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules[package]


with not_to_be_found("dbt"):
    from dagster_dbt import (
        DagsterDbtTranslator,
        DagsterDbtTranslatorSettings,
        DbtCliResource,
        DbtProject,
        dbt_assets,
    )

__all__ = ["DagsterDbtTranslator", "DagsterDbtTranslatorSettings", "DbtCliResource", "DbtProject", "dbt_assets"]
