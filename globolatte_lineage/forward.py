"""From a file, a customer, a model or a campaign to what it touched."""

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

from globolatte_lineage import statements
from globolatte_lineage.graph import Kind, Trace
from globolatte_lineage.records import (
    NEVER_RECORDED,
    Found,
    Places,
    add_file,
    add_lines,
    add_model,
    add_snapshot,
    add_state,
    known_lines,
    rows_of,
)
from resources.warehouse.warehouse import Transaction


class NothingKnownError(LookupError):
    """Nothing on record has this name; the message names the remedy."""


def trace_file(transaction: Transaction, places: Places, path: str) -> Trace:
    """What the rows of a file reached: states, trainings and their models, answers, recommendations, campaigns, with counts of customers.

    A customer counts as touched who has a line in the file. Raises `NothingKnownError` for a path that is not in the ledger.
    """
    entries = rows_of(transaction, statements.ENTRIES, path)
    if not entries:
        raise NothingKnownError(
            f"{path!r} is not in the ledger; paths are as in `globolatte ledger show`, such as sales/usa/2024/01/31/sales.csv"
        )
    found = Found()
    versions = [add_file(found, entry) for entry in entries]
    root = versions[-1]
    for older, newer in pairwise(versions):
        found.join(newer, "replaced", older)
    [counts] = rows_of(transaction, statements.ROWS_OF_FILE, path)
    title = f"{counts['lines']:,} order lines in {counts['orders']:,} orders of {counts['customers']:,} customers"
    lines = found.add(Kind.LINES, path, title, counts)
    found.join(lines, "stand in", root)
    if not counts["lines"]:
        found.note(f"no row of {path} is loaded now")
        return found.trace(root)
    _add_trainings(found, transaction, places, path, lines)
    _add_uses(found, transaction, path, lines)
    return found.trace(root)


def _add_trainings(found: Found, transaction: Transaction, places: Places, path: str, lines: str) -> None:
    """The trainings whose snapshots have the file's rows, and their models."""
    first_date = found.nodes[lines].facts["first_date"]
    for training in rows_of(transaction, statements.TRAININGS_WITH, path, first_date):
        snapshot = add_snapshot(found, places, training["snapshot"], training["last_business_date"])
        found.join(snapshot, "contains", lines)
        job = found.add(Kind.JOB, training["run_id"], f"training of run {training['run_id']}", training)
        found.join(job, "read", snapshot)
        if (version := training["model_version"]) is not None:
            verdict = {True: "promoted", False: "refused"}.get(training["promoted"], "not decided on")
            model = found.add(Kind.MODEL, version, f"model version {version}, {verdict}", {"version": version})
            found.join(model, "was trained by", job)


def _add_uses(found: Found, transaction: Transaction, path: str, lines: str) -> None:
    """The states that count the file's rows, and what was answered, recommended and mailed to its customers out of these."""
    recorded = {row["state_version"] for row in rows_of(transaction, statements.STATES_RECORDED)}
    for row in rows_of(transaction, statements.STATES_WITH, path):
        state = found.add(Kind.STATE, row["state_version"], f"customer state {row['state_version']}", row)
        found.join(state, "counts", lines)
    uses = [
        *((Kind.ANSWERS, _answers, row) for row in rows_of(transaction, statements.ANSWERS_TO, path)),
        *((Kind.PREDICTION, _recommended, row) for row in rows_of(transaction, statements.RECOMMENDED_TO, path)),
        *((Kind.CAMPAIGN, _mailed, row) for row in rows_of(transaction, statements.MAILED_TO, path)),
    ]
    for kind, words, row in uses:
        version = row["state_version"]
        if version not in recorded:
            found.note(
                f"state {version} was published by an earlier release: whether it has this file is not on record; it counts as if it had"
            )
            state = found.add(Kind.STATE, version, f"customer state {version}", {"state_version": version})
            found.join(state, "counts", lines)
        elif f"{Kind.STATE}:{version}" not in found.nodes:
            continue  # published before the file was loaded
        name, title = words(row)
        found.join(found.add(kind, name, title, row), "came of", f"{Kind.STATE}:{version}")


def _answers(row: Mapping[str, Any]) -> tuple[str, str]:
    name = f"{row['state_version']}/{row['model_version']}/{row['deployment']}"
    to = f"{row['answers']:,} answers of deployment {row['deployment']} to {row['customers']:,} of these customers"
    return name, f"{to}, by model version {row['model_version']}"


def _recommended(row: Mapping[str, Any]) -> tuple[str, str]:
    to = f"present recommendations to {row['customers']:,} of these customers"
    return (
        f"recommendations/{row['state_version']}/{row['model_version']}",
        f"{to}, by model version {row['model_version']}",
    )


def _mailed(row: Mapping[str, Any]) -> tuple[str, str]:
    return row["campaign_id"], f"campaign {row['campaign_id']} with {row['customers']:,} of these customers"


def trace_customer(transaction: Transaction, customer: str) -> Trace:
    """A customer's order lines with their files, and the campaigns that chose this customer. Raises `NothingKnownError` without any."""
    found = Found()
    root = found.add(Kind.CUSTOMER, customer, f"customer {customer}", {"customer_id": customer})
    known = known_lines(found, transaction, customer, NEVER_RECORDED)
    found.join(root, "has", add_lines(found, transaction, customer, known))
    mailed = rows_of(transaction, statements.AUDIENCES.format(column="customer_id"), customer)
    for row in mailed:
        title = f"campaign {row['campaign_id']}: {row['arm']}"
        found.join(root, "was chosen by", found.add(Kind.CAMPAIGN, row["campaign_id"], title, row))
    if not known and not mailed:
        raise NothingKnownError(
            f"no order line and no campaign is of customer {customer!r}; ids are those of the sales files"
        )
    return found.trace(root)


def trace_model(transaction: Transaction, places: Places, version: str) -> Trace:
    """A model version: where it comes from, and what it answered. Raises `NothingKnownError` for a version that no table names."""
    found = Found()
    root = add_model(found, transaction, places, version)
    answers = rows_of(transaction, statements.ANSWERS_OF_MODEL, version)
    recommended = rows_of(transaction, statements.RECOMMENDED_BY, version)
    if len(found.nodes) == 1 and not answers and not recommended:
        raise NothingKnownError(
            f"there is no model version {version!r} on record; `globolatte doctor` names the champion's"
        )
    for row in answers:
        by = f"deployment {row['deployment']}{' (mirrored)' if row['mirrored'] else ''}"
        title = f"{row['answers']:,} answers of {by} out of state {row['state_version']}"
        name = f"{row['deployment']}/{row['state_version']}/{row['mirrored']}"
        found.join(found.add(Kind.ANSWERS, name, title, row), "were made by", root)
    for row in recommended:
        title = f"present recommendations to {row['customers']:,} customers"
        found.join(
            found.add(Kind.PREDICTION, f"recommendations/{row['state_version']}", title, row), "were made by", root
        )
    return found.trace(root)


def trace_campaign(transaction: Transaction, places: Places, campaign: str) -> Trace:
    """A campaign: how many it chose, by which model and state. Raises `NothingKnownError` for one that does not exist."""
    chosen = rows_of(transaction, statements.AUDIENCES.format(column="campaign_id"), campaign)
    if not chosen:
        raise NothingKnownError(f"there is no campaign {campaign!r} with an audience; `globolatte campaign` makes one")
    found, first = Found(), chosen[0]
    arms = {arm: sum(1 for row in chosen if row["arm"] == arm) for arm in sorted({row["arm"] for row in chosen})}
    title = f"campaign {campaign}: " + ", ".join(f"{count:,} {arm}" for arm, count in arms.items())
    root = found.add(
        Kind.CAMPAIGN, campaign, title, {"campaign_id": campaign, "created_at": first["created_at"], **arms}
    )
    found.join(root, "was chosen by", add_model(found, transaction, places, first["model_version"]))
    found.join(root, "was made of", add_state(found, transaction, places, first["state_version"])[0])
    return found.trace(root)
