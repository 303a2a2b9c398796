"""The metadata of an asset that programs read: one JSON entry under one name, beside the metadata for people.

A load's report travels as `load_report` in the metadata of the check `no_file_refused` of `raw/sales_transactions`, which every load
evaluates. Its keys are the fields of `LoadReport`; a field that an older event does not have takes its default.
"""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

import dagster as dg

from globolatte_ingest.load import LoadReport

LOAD_REPORT = "load_report"


def load_report_metadata(report: LoadReport) -> dict[str, dg.MetadataValue]:
    """The entry that carries a load's report."""
    return {LOAD_REPORT: dg.MetadataValue.json(asdict(report))}


def load_report_of(metadata: Mapping[str, dg.MetadataValue]) -> LoadReport | None:
    """The report that the metadata of a materialization or of a check's evaluation carries; none if it carries none."""
    entry = metadata.get(LOAD_REPORT)
    if not isinstance(entry, dg.JsonMetadataValue) or not isinstance(entry.data, Mapping):
        return None
    names = {field.name for field in fields(LoadReport)}
    return LoadReport(**{name: _frozen(value) for name, value in entry.data.items() if name in names})


def _frozen(value: Any) -> Any:
    """Turns JSON's lists back into tuples."""
    return tuple(_frozen(item) for item in value) if isinstance(value, list | tuple) else value
