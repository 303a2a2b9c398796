"""The Terraform of `infra/terraform` agrees with its providers, itself and our policy; and the checker that says so finds mistakes."""

import json
import re
import shutil
from pathlib import Path

import pytest

from resources.settings.azureml import AzureMLSettings
from resources.settings.settings import Settings
from tests.infrastructure.terraform_checker import Module, check, known_values, literal, provider_facts

TERRAFORM = Path("infra/terraform")
FOLDERS = sorted({file.parent for file in TERRAFORM.rglob("*.tf")})
MISTAKES = sorted((Path(__file__).parent / "mistakes").glob("*.tf"))
ENVIRONMENTS = ("dev", "staging", "prod")


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
def test_our_configuration_has_no_findings(folder):
    assert check(folder) == []


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.stem)
def test_a_mistake_is_found_and_nothing_else(mistake):
    expected = mistake.read_text(encoding="utf-8").splitlines()[0].removeprefix("# expected: ")
    findings = check(mistake)
    assert any(finding.startswith(expected) for finding in findings), findings
    assert len(findings) <= 2, "one mistake is one finding; a misspelt name that is required is two"


def test_there_are_at_least_thirty_mistakes():
    assert len(MISTAKES) >= 30


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ('container           = "landing"', 'containers          = "landing"', "unknown argument 'containers'"),
        ('queue               = "landing-events"', "", "required argument 'queue' is missing"),
        ("module.storage.queue_id", "module.storage.queues_id", "module.storage has no output 'queues_id'"),
        ('"../storage"', '"../storages"', "there is no module at '../storages'"),
    ],
)
def test_a_wrong_call_of_a_module_is_found(before, after, expected, tmp_path):
    shutil.copytree(TERRAFORM / "modules", tmp_path / "modules")
    main = tmp_path / "modules" / "platform" / "main.tf"
    text = main.read_text(encoding="utf-8")
    assert before in text
    main.write_text(text.replace(before, after), encoding="utf-8")
    assert any(expected in finding for finding in check(main.parent))


def test_the_facts_are_small_and_name_their_source():
    assert (Path(__file__).parent / "provider_facts.json").stat().st_size < 300_000
    assert {"provider azurerm", "provider snowflake", "@cdktf/provider-azurerm"} <= set(provider_facts()["sources"])
    assert all(part["source"] for part in known_values().values())


def test_every_environment_calls_the_same_module_and_keeps_its_own_state():
    keys = []
    for environment in ENVIRONMENTS:
        root = Module.read(TERRAFORM / "environments" / environment)
        assert literal(root.modules["platform"]["environment"]) == environment
        backend = next(one["backend"][0]['"azurerm"'] for kind, one in root.others if kind == "terraform")
        keys.append(literal(backend["key"]))
    assert keys == [f"{environment}.tfstate" for environment in ENVIRONMENTS]


def test_what_terraform_names_are_settings():
    outputs = Module.read(TERRAFORM / "modules" / "platform").outputs["settings"]["value"]
    variables = {*Settings.model_fields, *AzureMLSettings.model_fields}
    text = json.dumps(sorted(variables))
    for name in outputs:
        assert (
            name.removeprefix("GLOBOLATTE_").lower() in text or name.removeprefix("GLOBOLATTE_AZUREML_").lower() in text
        ), name


def test_snowflake_is_declared_alike_in_terraform_and_sql():
    sql = "\n".join(file.read_text(encoding="utf-8") for file in sorted(Path("infra/snowflake").glob("*.sql"))).lower()
    module = Module.read(TERRAFORM / "modules" / "snowflake")
    schemas = {name.strip('"').lower(): literal(comment) for name, comment in module.local_values["schemas"].items()}
    written = dict(re.findall(r"create schema if not exists globo_latte_db\.(\w+) comment = '([^']*)'", sql))
    assert written == {name: comment.lower() for name, comment in schemas.items()}
    roles = {
        literal(body["name"]).lower()
        for key, body in module.resources.items()
        if key.startswith("snowflake_account_role.")
    }
    assert set(re.findall(r"create role if not exists (\w+)", sql)) == roles
    readable = {literal(one).lower() for one in module.local_values["read"]}
    assert set(re.findall(r"grant usage on schema globo_latte_db\.(\w+) to role globo_latte_reader", sql)) == readable
    objects = {
        (literal(one["kind"]).lower(), literal(one["schema"]).lower())
        for one in module.local_values["read_objects"].values()
    }
    for kind in ("all", "future"):
        assert set(re.findall(rf"grant select on {kind} (\w+) in schema globo_latte_db\.(\w+)", sql)) == objects
    warehouse = module.resources["snowflake_warehouse.this"]
    assert f"auto_suspend = {warehouse['auto_suspend']}" in sql
    assert f"statement_timeout_in_seconds = {warehouse['statement_timeout_in_seconds']}" in sql
    monitor = module.resources["snowflake_resource_monitor.this"]
    triggers = [*monitor["notify_triggers"], monitor["suspend_trigger"], monitor["suspend_immediate_trigger"]]
    assert [int(percent) for percent in re.findall(r"on (\d+) percent", sql)] == triggers
