"""What a wrong file reached, against two chains: with its rows, and without them."""

import datetime as dt
import json
from collections import defaultdict
from decimal import Decimal
from typing import Any

from tests.homes import Home, NewHome, warehouse
from tests.integration.test_trace import lines_in_files

FEATURES = "features.feat_customer_state"


def features(home: Home) -> dict[str, dict[str, Any]]:
    return {row["customer_id"]: row for row in warehouse(home).read(FEATURES).to_pylist()}


def recalled(home: Home, path: str) -> dict[str, Any]:
    return json.loads(home.ok("recall", path, "--json"))


def test_the_customers_it_names_are_those_whose_features_change_without_the_files(home_that_ran: NewHome) -> None:
    home = home_that_ran()
    by_path: dict[str, int] = defaultdict(int)
    for lines in lines_in_files(home).values():
        for path, _ in lines:
            by_path[path] += 1
    largest = {
        unit: max((path for path in sorted(by_path) if f"/{unit}/" in path), key=by_path.__getitem__)
        for unit in ("usa", "mexico")
    }
    found = {path: recalled(home, path) for path in largest.values()}
    sold = warehouse(home).read("sales_data.sales_transactions", ["load_id", "total_price"]).to_pylist()
    loads = {
        row["path"]: row["load_id"]
        for row in warehouse(home).read("sales_data.load_ledger", ["path", "load_id"]).to_pylist()
    }
    before, until = (
        features(home),
        max(row["happened_at"] for row in warehouse(home).read("sales_data.ledger_events").to_pylist()),
    )
    for path, recall in found.items():
        assert recall["lines"] == by_path[path]
        assert Decimal(recall["takings"][""]) == sum(
            row["total_price"] for row in sold if row["load_id"] == loads[path]
        )
        assert recall["dates"] == [str(dt.date(*map(int, path.split("/")[2:5])))]
        assert recall["models"] == ["1"]
        assert f"globolatte retract {path}" in recall["mend"]
        home.ok("retract", path, "--note", "wrong", "--yes")
    home.ok("run")
    after = features(home)
    changed = {customer for customer in before.keys() | after.keys() if before.get(customer) != after.get(customer)}
    assert changed == {customer for recall in found.values() for customer in recall["customers"]}
    assert recalled(home, next(iter(found)))["mend"] == "nothing of it is loaded."

    def status_at(moment: dt.datetime) -> dict[str, str]:
        document = json.loads(home.ok("as-of", f"{moment:%Y-%m-%dT%H:%M:%S}", "--json"))
        return {file["path"]: file["status"] for file in document["files"]}

    then = status_at(until + dt.timedelta(seconds=1))
    assert {then[path] for path in found} == {"loaded"}
    now = status_at(until + dt.timedelta(days=2))
    assert {path for path, status in now.items() if status == "retracted"} == set(found)
    assert now == {row["path"]: row["status"] for row in json.loads(home.ok("ledger", "list", "--json"))}
    assert not status_at(until - dt.timedelta(days=9_000))
