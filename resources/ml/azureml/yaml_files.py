"""Definitions as YAML files that the SDK's own loaders, and so `az ml`, take back: what the SDK writes, mended where it does not."""

import json
from pathlib import Path
from typing import Any

JOB_OF_SCHEDULE = "create_job"


def write(entity: Any, file: Path, job: Path | None = None) -> None:
    """Writes one definition; paths below its folder become relative to it. `job`: the file of the job that a schedule starts."""
    import yaml

    document = _mended(entity, _document(entity))
    if job is not None:
        document[JOB_OF_SCHEDULE] = f"./{job.name}"
    text = yaml.safe_dump(document, sort_keys=False)
    file.write_text(text.replace(f"{file.parent}/", "./"), encoding="utf-8")


def _document(entity: Any) -> dict[str, Any]:
    """What the SDK writes of a definition, as plain values."""
    plain: dict[str, Any] = json.loads(
        json.dumps(entity._to_dict(), default=str)
    )  # `dump` refuses, or forgets to write, some kinds
    return plain


def _mended(entity: Any, document: dict[str, Any]) -> dict[str, Any]:
    kind = type(entity).__name__
    if kind == "DataImport":  # its source is left out
        source = entity.source
        document["source"] = {"type": "database", "query": str(source.query), "connection": str(source.connection)}
    if kind == "ModelBatchDeployment":  # its instances are written twice, which is refused
        document["settings"].pop("instance_count", None)
    return document
