"""The demo's last chapters: the champion is deployed, customers change, and a new champion takes over while requests are answered."""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.table import Table

from globolatte_cli.endpoints import local_endpoint
from globolatte_cli.run_pass import conclude, deploy, execute_pass
from resources.endpoint.endpoint import EndpointError
from resources.endpoint.local.endpoint import LocalEndpoint
from resources.environment import ml_of, warehouse_of
from resources.ml.ml_platform import CHAMPION
from resources.settings.settings import Settings
from simulator import Scenario, continue_into

CHANGED_DAYS = 30
SECONDS_BETWEEN_QUESTIONS = 0.1
ANSWERS_SHOWN = 3


def go_online(settings: Settings, console: Console, question: dict[str, Any]) -> None:
    """Deploys the champion and sends it one request, in the form of a batch."""
    deploy(settings)
    endpoint = local_endpoint(settings)
    console.print(
        f"POST {endpoint.observed().url}/score {json.dumps({'requests': [question]})}", highlight=False, soft_wrap=True
    )
    document = endpoint.score([question])
    answer = document["recommendations"][0]
    ranked = ", ".join(
        f"{item['product_name']} {item['probability']:.0%}" for item in answer["products"][:ANSWERS_SHOWN]
    )
    console.print(
        f"{ranked} … [dim]prediction {answer['prediction_id']}, deployment {document['deployment']}, model version "
        f"{document['model_version']}[/]"
    )


@dataclass
class Outcomes:
    """The outcomes of many requests: answers by model version, and failures."""

    answers: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


@contextmanager
def continuous_requests(endpoint: LocalEndpoint, question: dict[str, Any]) -> Iterator[Outcomes]:
    """Sends requests in the background until the block ends."""
    outcomes, done = Outcomes(), threading.Event()

    def send() -> None:
        while not done.wait(SECONDS_BETWEEN_QUESTIONS):
            try:
                outcomes.answers[endpoint.score([question])["model_version"]] += 1
            except EndpointError as error:
                outcomes.failures.append(str(error))

    thread = threading.Thread(target=send, name="demo-questions")
    thread.start()
    try:
        yield outcomes
    finally:
        done.set()
        thread.join()


def customers_change(settings: Settings, console: Console, question: dict[str, Any]) -> None:
    """Delivers a month with a new product at once; the pass detects it, retrains, and the endpoint gets the new champion under load."""
    before = ml_of(settings).model(CHAMPION)
    written = continue_into(settings.home, Scenario.PRODUCT_LAUNCH, days=CHANGED_DAYS)
    console.print(
        f"A product is launched, and {CHANGED_DAYS} days of sales with it are delivered: {written.orders:,} orders in "
        f"{written.sales_files:,} files. Meanwhile the endpoint gets {1 / SECONDS_BETWEEN_QUESTIONS:.0f} requests a second.",
        highlight=False,
    )
    started = time.monotonic()
    with continuous_requests(local_endpoint(settings), question) as outcomes:
        conclude(console, execute_pass(settings), time.monotonic() - started)
    if before is not None:
        console.print(_windows(settings, before.version))
    versions = ", ".join(f"{count:,} by version {version}" for version, count in sorted(outcomes.answers.items()))
    console.print(
        f"{outcomes.answers.total():,} requests answered in the meantime: {versions}; {len(outcomes.failures)} failed."
    )
    for failure in sorted(set(outcomes.failures))[:ANSWERS_SHOWN]:
        console.print(f"  {failure}", markup=False, highlight=False)


def _windows(settings: Settings, version: str) -> Table:
    """What monitoring found about the old champion."""
    warehouse = warehouse_of(settings)
    where = {"model_version": version}
    drift = warehouse.read(
        "monitoring.drift",
        ["window_id", "scope", "window_from", "window_to", "orders", "window_status", "column_name", "status"],
        where,
    ).to_pylist()
    measured = {
        row["window_id"]: row
        for row in warehouse.read(
            "monitoring.performance", ["window_id", "log_loss", "highest_log_loss", "status"], where
        ).to_pylist()
    }
    columns = "window", "dates", "orders", "data", "log loss (band)"
    table = Table(*columns, title="Monitoring said of the old champion", title_justify="left")
    for window_id in dict.fromkeys(row["window_id"] for row in drift):
        rows = [row for row in drift if row["window_id"] == window_id]
        first, performance = rows[0], measured.get(window_id)
        moved = ", ".join(row["column_name"] for row in rows if row["status"] == "drifted")
        loss = (
            f"{performance['log_loss']:.2f} (≤ {performance['highest_log_loss']:.2f}) {performance['status'].replace('_', ' ')}"
            if performance and performance["log_loss"] is not None
            else ""
        )
        table.add_row(
            first["scope"],
            f"{first['window_from']} – {first['window_to']}",
            str(first["orders"]),
            f"{first['window_status']}: {moved}" if moved else first["window_status"],
            loss,
        )
    return table


def go_offline(settings: Settings) -> None:
    """Stops the endpoint, so that the demo leaves no process behind."""
    local_endpoint(settings).stop()
