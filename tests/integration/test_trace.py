"""From a prediction back to the files that made it, made again bit for bit; and from a file to what it touched."""

import csv
import json
import shutil
from collections import defaultdict
from pathlib import Path
from typing import Any

import dagster as dg
import numpy as np
import pytest

from globolatte_assets.lineage.audit import AuditConfig, audit_asset
from globolatte_ingest.kept_files import KeptFiles
from globolatte_lineage.backward import UnknownPredictionError, trace_prediction
from globolatte_lineage.forward import trace_file, trace_model
from globolatte_lineage.graph import Kind, Trace
from globolatte_lineage.records import Places, places_of
from globolatte_lineage.replay import CannotReplayError, Replayed, Replayer
from resources.environment import clock_of, landing_of
from resources.settings.settings import Settings
from tests.homes import Home, NewHome, warehouse

PREDICTIONS = 30


@pytest.fixture(scope="module")
def home(home_that_ran: NewHome) -> Home:
    """A small chain, run once."""
    return home_that_ran()


def traced(home: Home, prediction: str) -> Trace:
    with warehouse(home).transaction() as transaction:
        return trace_prediction(transaction, places_of(Settings(home=home.folder)), prediction)


def replay(trace: Trace, places: Places) -> Replayed:
    return Replayer(places).replay(trace)


def some_predictions(home: Home, count: int) -> list[str]:
    ids = np.unique(warehouse(home).read("serving.recommendations", ["prediction_id"])["prediction_id"].to_pylist())
    return [str(one) for one in np.random.default_rng(1).choice(ids, count, replace=False)]


def lines_in_files(home: Home) -> dict[str, list[tuple[str, int]]]:
    """By customer: path and row of each line, read from the landing zone without any code of ours."""
    found: dict[str, list[tuple[str, int]]] = defaultdict(list)
    landing = home.folder / "landing"
    for file in sorted(landing.glob("sales/**/*.csv")):
        with file.open(newline="", encoding="utf-8") as stream:
            for number, row in enumerate(csv.DictReader(stream), 1):
                found[row["customer_id"]].append((str(file.relative_to(landing)), number))
    return found


def test_a_prediction_leads_to_exactly_the_lines_of_its_customer_and_comes_out_again(home: Home) -> None:
    expected, places = lines_in_files(home), places_of(Settings(home=home.folder))
    for prediction in some_predictions(home, PREDICTIONS):
        trace = traced(home, prediction)
        assert not trace.notes
        customer = trace.node(trace.root).facts["customer_id"]
        files = trace.of_kind(Kind.FILE)
        rows = [(file.facts["path"], row) for file in files for row in file.facts["rows"]]
        assert sorted(rows) == sorted(expected[customer])
        assert all((file.facts["status"], len(file.facts["sha256"])) == ("loaded", 64) for file in files)
        assert {kind for kind in Kind if trace.of_kind(kind)} >= {
            Kind.MODEL,
            Kind.DECISION,
            Kind.JOB,
            Kind.SNAPSHOT,
            Kind.STATE,
            Kind.DBT,
        }
        again = replay(trace, places)
        assert again.is_same
        assert again.products == len(trace.node(trace.root).facts["probabilities"])


def test_an_answer_of_the_endpoint_leads_to_its_deployment_and_its_line_in_the_log(home: Home) -> None:
    [prediction] = some_predictions(home, 1)
    of_batch = traced(home, prediction).node(f"prediction:{prediction}").facts
    answer = {
        **{
            name: of_batch[name]
            for name in ("customer_id", "business_unit", "date", "weather", "model_version", "state_version")
        },
        "probabilities": json.dumps(of_batch["probabilities"]),
    }
    with warehouse(home).transaction() as transaction:
        for line, deployment in enumerate(("blue", "blue", "green"), 1):
            row = {
                **answer,
                "deployment": deployment,
                "line": line,
                "request_id": f"r{line}",
                "prediction_id": prediction,
            }
            row |= {
                "log_file": "blue-1.jsonl",
                "answered_at": "2024-01-31 12:00:00",
                "mirrored": False,
                "known_customer": True,
            }
            row |= {"top_product": next(iter(of_batch["probabilities"]))}
            marks = ", ".join("?" for _ in row)
            transaction.execute(
                f"insert into monitoring.prediction_log ({', '.join(row)}) values ({marks})", list(row.values())
            )
    try:
        trace = traced(home, prediction)
        assert [(node.facts["deployment"], node.facts["answers"]) for node in trace.of_kind(Kind.ANSWERS)] == [
            ("blue", 2),
            ("green", 1),
        ]
        assert replay(trace, places_of(Settings(home=home.folder))).is_same
    finally:
        with warehouse(home).transaction() as transaction:
            transaction.execute("delete from monitoring.prediction_log")


def test_a_file_leads_to_its_customers_training_state_and_recommendations(home: Home) -> None:
    expected: dict[str, set[str]] = defaultdict(set)
    for customer, lines in lines_in_files(home).items():
        for path, _ in lines:
            expected[path].add(customer)
    path = max(sorted(expected), key=lambda one: len(expected[one]))
    with warehouse(home).transaction() as transaction:
        trace = trace_file(transaction, places_of(Settings(home=home.folder)), path)
    assert trace.node(f"order lines:{path}").facts["customers"] == len(expected[path])
    [recommended] = trace.of_kind(Kind.PREDICTION)
    assert recommended.facts["customers"] == len(expected[path])
    assert [node.facts["version"] for node in trace.of_kind(Kind.MODEL)] == ["1"]
    assert len(trace.of_kind(Kind.STATE)) == len(trace.of_kind(Kind.SNAPSHOT)) == 1


def test_a_model_leads_to_its_gates_and_to_whom_it_recommended(home: Home) -> None:
    with warehouse(home).transaction() as transaction:
        trace = trace_model(transaction, places_of(Settings(home=home.folder)), "1")
    [decision] = trace.of_kind(Kind.DECISION)
    assert decision.facts["promoted"]
    assert any("leakage" in reason for reason in decision.facts["reasons"])
    customers = len(set(warehouse(home).read("serving.recommendations", ["customer_id"])["customer_id"].to_pylist()))
    assert [node.facts["customers"] for node in trace.of_kind(Kind.PREDICTION)] == [customers]


def test_what_nobody_knows_is_said_with_where_it_was_looked_for(home: Home) -> None:
    with pytest.raises(
        UnknownPredictionError, match="neither in the prediction log, nor among the present recommendations"
    ):
        traced(home, "pr_0")
    for arguments in (
        ("--file", "sales/usa/1999/01/01/no.csv"),
        ("--customer", "nobody"),
        ("--model-version", "99"),
        ("--campaign", "c"),
    ):
        done = home.command("trace", *arguments)
        assert done.returncode == 1
        assert done.stderr.startswith("Error: ")
    assert "give one of" in home.command("trace").stderr


def test_a_model_or_a_state_that_was_altered_is_named(home_that_ran: NewHome) -> None:
    home = home_that_ran()
    settings = Settings(home=home.folder)
    [prediction] = some_predictions(home, 1)
    trace = traced(home, prediction)
    state = Path(trace.of_kind(Kind.STATE)[0].facts["folder"])
    kept = state / "products.parquet"
    content = kept.read_bytes()
    kept.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(CannotReplayError, match="does not hold state"):
        replay(trace, places_of(settings))
    kept.write_bytes(content)
    model = next(Path(trace.of_kind(Kind.JOB)[0].facts["folder"]).rglob("preference_model"))
    for file in [one for one in sorted(model.rglob("*")) if one.is_file()]:
        content = file.read_bytes()
        file.write_bytes(
            content[: len(content) // 2] + bytes([content[len(content) // 2] ^ 1]) + content[len(content) // 2 + 1 :]
        )
        with pytest.raises(CannotReplayError, match=r"the model cannot be read|does not hold the model"):
            replay(trace, places_of(settings))
        file.write_bytes(content)
    shutil.rmtree(state)
    with pytest.raises(CannotReplayError, match="is not kept any more"):
        replay(trace, places_of(settings))


def test_the_audit_of_a_sample_is_green_until_something_was_altered(home_that_ran: NewHome) -> None:
    home = home_that_ran()
    settings = Settings(home=home.folder)
    kept = KeptFiles(settings.kept_files_folder)
    resources = {"warehouse": warehouse(home), "landing": landing_of(settings), "clock": clock_of(settings)}

    def audited() -> tuple[bool, dict[str, Any]]:
        config = dg.RunConfig({"lineage__audit": AuditConfig(sample=200)})
        with dg.DagsterInstance.ephemeral() as instance:
            result = dg.materialize(
                [audit_asset(places_of(settings), kept)], resources=resources, instance=instance, run_config=config
            )
        [check] = result.get_asset_check_evaluations()
        [event] = result.get_asset_materialization_events()
        return check.passed, {name: value.value for name, value in event.materialization.metadata.items()}

    passed, said = audited()
    assert passed
    assert said["predictions_made_again"] == 200
    assert said["files_hashed"] == len(warehouse(home).read("sales_data.kept_files", ["sha256"]))
    assert said["could_not_be_looked_at"] == 0
    pack = max(settings.kept_files_folder.rglob("*.zip"), key=lambda file: file.stat().st_size)
    content = pack.read_bytes()
    pack.write_bytes(
        content[: len(content) // 2] + bytes([content[len(content) // 2] ^ 1]) + content[len(content) // 2 + 1 :]
    )
    shutil.rmtree(next((settings.endpoints_folder / "states").glob("[!.]*")))
    passed, said = audited()
    assert not passed
    assert "is damaged; restore it from a backup" in said["findings"]
    assert said["predictions_made_again"] == 0
    assert said["could_not_be_looked_at"] == 200


def test_the_command_prints_a_tree_json_and_a_page(home: Home, tmp_path: Path) -> None:
    [prediction] = some_predictions(home, 1)
    shown = home.ok("trace", prediction, "--replay", "--html", str(tmp_path / "trace.html"))
    assert shown.startswith(f"prediction {prediction} for ")
    assert "was made by model version 1" in shown
    assert "probabilities are equal" in shown
    assert "<svg" in (tmp_path / "trace.html").read_text(encoding="utf-8")
    document: dict[str, Any] = json.loads(home.ok("trace", prediction, "--replay", "--json"))
    assert document["root"] == f"prediction:{prediction}"
    assert document["replay"]["differ"] == {}
    assert {edge["target"] for edge in document["edges"]} <= {node["id"] for node in document["nodes"]}
