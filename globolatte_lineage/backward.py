"""From a prediction back to the files that made it: answer, deployment, model, training, state, order lines, file versions."""

import json
from typing import Any

from globolatte_lineage import statements
from globolatte_lineage.graph import Kind, Trace
from globolatte_lineage.records import (
    NEVER_RECORDED,
    Found,
    Places,
    add_lines,
    add_model,
    add_state,
    known_lines,
    named,
    rows_of,
)
from resources.warehouse.warehouse import Transaction


class UnknownPredictionError(LookupError):
    """No table has a prediction of this id; the message says where it was looked for, and why it may be gone."""


def trace_prediction(transaction: Transaction, places: Places, prediction_id: str) -> Trace:
    """Everything that a prediction came of. Raises `UnknownPredictionError` if nothing on record has this id."""
    answers = rows_of(transaction, statements.ANSWERS, prediction_id)
    ranked = rows_of(transaction, statements.RANKED, prediction_id)
    mailed = rows_of(transaction, statements.AUDIENCES.format(column="prediction_id"), prediction_id)
    if not (answers or ranked or mailed):
        raise UnknownPredictionError(
            f"{prediction_id!r} is neither in the prediction log, nor among the present recommendations or the campaigns' audiences. "
            "An answer of the endpoint is there after the next run; answers older than GLOBOLATTE_PREDICTION_LOG_DAYS, and recommendations "
            "before the present ones, are not kept"
        )
    asked = (answers or ranked or mailed)[0]
    found = Found()
    root = found.add(
        Kind.PREDICTION,
        prediction_id,
        _title(prediction_id, asked, answers, ranked),
        _facts(prediction_id, asked, answers, ranked),
    )
    _add_answers(found, transaction, root, answers)
    for row in mailed:
        title = f"campaign {row['campaign_id']}: {row['arm']}"
        found.join(root, "was used by", found.add(Kind.CAMPAIGN, row["campaign_id"], title, row))
    found.join(root, "was made by", add_model(found, transaction, places, asked["model_version"]))
    state, last_event = add_state(found, transaction, places, asked["state_version"])
    found.join(root, "was made of", state)
    known = known_lines(found, transaction, asked["customer_id"], last_event)
    if known:
        found.join(state, "counts", add_lines(found, transaction, asked["customer_id"], known))
        _compare(found, places, asked, known)
    else:
        found.note(
            f"the state knew no order of {asked['customer_id']}: the answer is the one for the unit, the season and the weather"
        )
    if last_event != NEVER_RECORDED:
        _note_changes(found, transaction, last_event)
    return found.trace(root)


def _title(
    prediction_id: str, asked: dict[str, Any], answers: list[dict[str, Any]], ranked: list[dict[str, Any]]
) -> str:
    words = [
        str(asked[name]) for name in ("business_unit", "date", "weather", "daypart") if asked.get(name) is not None
    ]
    shares = probabilities_of(answers, ranked)
    best = next(iter(shares.items()), None)
    first = f": {best[0]} first, with {best[1]:.1%}" if best else ""
    return f"prediction {prediction_id} for {asked['customer_id']} ({', '.join(words)}){first}"


def _facts(
    prediction_id: str, asked: dict[str, Any], answers: list[dict[str, Any]], ranked: list[dict[str, Any]]
) -> dict[str, Any]:
    names = ("customer_id", "business_unit", "date", "weather", "daypart", "model_version", "state_version")
    return {
        "prediction_id": prediction_id,
        **{name: asked.get(name) for name in names},
        "probabilities": probabilities_of(answers, ranked),
    }


def probabilities_of(answers: list[dict[str, Any]], ranked: list[dict[str, Any]]) -> dict[str, float]:
    """What is on record of a prediction's probabilities, the highest first."""
    if answers:
        shares: dict[str, float] = json.loads(answers[0]["probabilities"])
    else:
        shares = {row["product_id"]: row["probability"] for row in ranked}
    return dict(sorted(shares.items(), key=lambda one: -one[1]))


def _add_answers(found: Found, transaction: Transaction, root: str, answers: list[dict[str, Any]]) -> None:
    """Each deployment that gave this answer, and the log that has it."""
    for deployment in dict.fromkeys(answer["deployment"] for answer in answers):
        given = [answer for answer in answers if answer["deployment"] == deployment]
        first, last = given[0], given[-1]
        [log] = rows_of(transaction, statements.LOG_FILES, first["log_file"]) or [{}]
        times = (
            "once" if len(given) == 1 else f"{len(given):,} times, until {last['answered_at']:%Y-%m-%d %H:%M:%S} UTC"
        )
        title = f"answered by deployment {deployment} at {first['answered_at']:%Y-%m-%d %H:%M:%S} UTC, {times}"
        facts = {
            **{
                name: first[name]
                for name in ("deployment", "mirrored", "answered_at", "request_id", "log_file", "line")
            },
            "answers": len(given),
            "log_sha256": log.get("sha256"),
            "ingested_by_run": log.get("run_id"),
        }
        found.join(root, "was", found.add(Kind.ANSWERS, deployment, title, facts))


def _compare(found: Found, places: Places, asked: dict[str, Any], known: list[dict[str, Any]]) -> None:
    """Notes whether the state counts as many lines as the warehouse has now, if it is still there."""
    folder = places.states / asked["state_version"] if places.states is not None else None
    if folder is None or not folder.is_dir():
        found.note(f"state {asked['state_version']} is not kept any more: the lines are those of the ledger alone")
        return
    import pyarrow.parquet as pq

    file = folder / "customer_state.parquet"
    rows = pq.read_table(file, columns=["line_count"], filters=[("customer_id", "=", asked["customer_id"])]).to_pylist()
    counted = sum(row["line_count"] for row in rows)
    sold = sum(1 for line in known if line["kind"] == "sale")
    if counted == sold == len(known):
        return
    refunds = len(known) - sold
    why = (
        f"{refunds:,} of them are refunds or voids, which take lines back"
        if refunds
        else "files were corrected since; see below"
    )
    if counted != sold or refunds:
        found.note(
            f"the state counts {counted:,} lines of {asked['customer_id']}, the warehouse has {len(known):,}: {why}"
        )


def _note_changes(found: Found, transaction: Transaction, last_event: int) -> None:
    """What was known when the state was published, and is not any more."""
    changed = rows_of(transaction, statements.CHANGED_SINCE, last_event, last_event)
    if changed:
        paths = dict.fromkeys(f"{row['path']} ({row['event']})" for row in changed)
        found.note(
            f"known then, and not any more: {named(paths)}. Rows of these may have counted; their bytes are among the kept files "
            "(`globolatte ledger show PATH`)"
        )
