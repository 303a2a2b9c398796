"""Reads the prediction log: the lines of a finished file as rows, and rejected lines with the reason."""

import datetime as dt
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from globolatte_ml.scoring.prediction_log import LOST, PROBE, REST
from resources.warehouse.predictions import LOG, REJECTS, ParsedLog
from resources.warehouse.tables import arrow_schema

TEXTS = ("prediction_id", "deployment", "model_version", "state_version", "customer_id", "business_unit", "weather")


def parse_log(path: Path) -> ParsedLog:
    """Every line of a file as a row or as rejected; a last line without its end counts like any other.

    A probe's line is left out and does not count; a line that says how many answers were lost is rejected, with that as its reason.
    """
    content = path.read_bytes()
    rows: list[dict[str, Any]] = []
    rejects: list[dict[str, Any]] = []
    lines = content.removesuffix(b"\n").split(b"\n") if content else []
    probes = lost = 0
    for number, line in enumerate(lines, start=1):
        place = {"log_file": path.name, "line": number}
        try:
            document = json.loads(line)
            if isinstance(document, dict) and document.get(PROBE) is True:
                probes += 1
            elif isinstance(document, dict) and isinstance(document.get(LOST), int):
                lost += document[LOST]
                rejects.append({**place, "reason": _loss_in_words(document), "raw_text": line.decode()})
            else:
                rows.append({**place, **row_of(document)})
        except (ValueError, TypeError, KeyError) as error:
            rejects.append({**place, "reason": _reason(error), "raw_text": line.decode(errors="replace")})
    return ParsedLog(
        path.name,
        hashlib.sha256(content).hexdigest(),
        len(lines) - probes,
        pa.Table.from_pylist(rows, arrow_schema(LOG)),
        pa.Table.from_pylist(rejects, arrow_schema(REJECTS)),
        lost,
    )


def row_of(document: Mapping[str, Any]) -> dict[str, Any]:
    """A line's document as a row. Raises `KeyError`, `TypeError` or `ValueError` for what is no answer."""
    probabilities = {str(product): float(share) for product, share in document["probabilities"].items()}
    texts = {name: document[name] for name in TEXTS}
    wrong = [name for name, value in texts.items() if not isinstance(value, str)]
    rest = document.get(REST) or {}
    if wrong or not probabilities:
        raise ValueError(f"{wrong[0]} is no text" if wrong else "there are no probabilities")
    return {
        **texts,
        "answered_at": dt.datetime.fromisoformat(document["answered_at"]).astimezone(dt.UTC).replace(tzinfo=None),
        "request_id": document.get("request_id"),
        "mirrored": bool(document["mirrored"]),
        "known_customer": bool(document["known_customer"]),
        "date": dt.date.fromisoformat(document["date"]),
        "daypart": document.get("daypart"),
        "top_product": min(probabilities, key=lambda product: (-probabilities[product], product)),
        "probabilities": json.dumps(probabilities),
        "rest_products": int(rest["products"]) if rest else None,
        "rest_probability": float(rest["probability"]) if rest else None,
    }


def _loss_in_words(document: Mapping[str, Any]) -> str:
    span = f"{document.get('since')} to {document.get('until')}"
    return (
        f"{document[LOST]} answers of {document.get('deployment')} are not in the log, {span}: {document.get('reason')}"
    )


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"field {error.args[0]} is missing"
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
        return "is not JSON (cut off, or damaged)"
    return str(error)
