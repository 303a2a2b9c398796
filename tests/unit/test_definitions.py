"""The code location: how it is loaded, what loading it costs, and what every asset says of itself."""

import importlib.util
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import dagster as dg
import pytest
import yaml
from click.testing import CliRunner

from globolatte_assets.keys import OWNER_ANALYTICS, OWNER_DATA, OWNER_SCIENCE, WAREHOUSE_POOL
from tests.builders import Deployment

ROOT = Path(__file__).parents[2]

HEAVY = {
    "azure", "dagster_azure", "dagster_snowflake", "evidently", "holidays", "matplotlib", "mlflow", "onnx", "onnxruntime",
    "optuna", "pandas", "scipy", "sklearn", "snowflake.connector",
}  # fmt: skip
"""What takes long to import and is not always needed, or belongs to another world. numpy, pyarrow and duckdb always are."""


def specs(deployed: Deployment) -> list[dg.AssetSpec]:
    return list(deployed.definitions.resolve_all_asset_specs())


def name(spec: dg.AssetSpec) -> str:
    return spec.key.to_user_string()


# Loading ---------------------------------------------------------------------------------------------------------------


def test_dagster_and_dg_load_the_same_definitions_from_the_project_folder() -> None:
    [target] = yaml.safe_load((ROOT / "workspace.yaml").read_text())["load_from"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["dg"]["project"]
    workspace = target["python_module"]
    assert workspace["module_name"] == project["code_location_target_module"] == "definitions"
    assert (ROOT / workspace["working_directory"]).resolve() == ROOT
    assert workspace["location_name"] == project["code_location_name"]
    found = importlib.util.find_spec("definitions")
    assert found is not None
    assert Path(str(found.origin)) == ROOT / "definitions.py"


def test_the_module_holds_one_definitions_object() -> None:
    import definitions

    assert [key for key, value in vars(definitions).items() if isinstance(value, dg.Definitions)] == ["defs"]
    dg.Definitions.validate_loadable(definitions.defs)


@pytest.mark.parametrize("command", ["check yaml", "check defs", "list defs --json"])
def test_dg_finds_nothing_wrong(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dagster_dg_cli.cli import cli

    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    monkeypatch.setenv("DO_NOT_TRACK", "1")
    result = CliRunner().invoke(cli, command.split())
    assert result.exit_code == 0, result.output
    if command.startswith("list"):
        listed = json.loads(result.stdout[result.stdout.index("{") :])
        assert {"assets", "asset_checks", "jobs", "sensors"} <= {kind for kind, found in listed.items() if found}


def test_loading_imports_nothing_heavy_and_nothing_of_another_world() -> None:
    says = "import sys, definitions; print(*sys.modules, sep='\\n')"
    loaded = subprocess.run([sys.executable, "-c", says], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert HEAVY & set(loaded.splitlines()) == set()


def test_loading_makes_no_file_under_home(tmp_path: Path, deployed: Deployment) -> None:
    deployed.definitions.resolve_asset_graph()
    assert list(tmp_path.iterdir()) == []


# What every asset says of itself ----------------------------------------------------------------------------------------


def test_every_asset_has_group_owner_description_and_kind(deployed: Deployment) -> None:
    lacking = {
        name(spec): [what for what in ("group_name", "owners", "description", "kinds") if not getattr(spec, what)]
        for spec in specs(deployed)
    }
    assert {asset: missing for asset, missing in lacking.items() if missing} == {}


def test_every_asset_s_group_is_the_stage_in_its_key(deployed: Deployment) -> None:
    assert {name(spec): spec.group_name for spec in specs(deployed)} == {
        name(spec): spec.key.path[0] for spec in specs(deployed)
    }


def test_every_owner_is_a_team_we_have(deployed: Deployment) -> None:
    owners = {owner for spec in specs(deployed) for owner in spec.owners}
    assert owners <= {OWNER_DATA, OWNER_ANALYTICS, OWNER_SCIENCE}


def test_what_identifies_a_customer_is_tagged(deployed: Deployment) -> None:
    personal = {name(spec) for spec in specs(deployed) if spec.tags.get("pii") == "true"}
    assert {"raw/customers", "staging/stg_customers", "marts/dim_customer"} <= personal
    assert not {"raw/products", "raw/holidays", "marts/dim_product"} & personal


def test_every_input_of_an_asset_is_an_asset_of_the_graph(deployed: Deployment) -> None:
    keys = {spec.key for spec in specs(deployed)}
    assert {dep.asset_key for spec in specs(deployed) for dep in spec.deps} <= keys


def test_whatever_touches_the_warehouse_shares_its_pool(deployed: Deployment) -> None:
    definitions = deployed.definitions.resolve_asset_graph().assets_defs
    touching = [made for made in definitions if {"warehouse", "dbt"} & made.required_resource_keys]
    assert len(touching) > 5
    assert {str(made.node_def.name): made.op.pool for made in touching} == {
        str(made.node_def.name): WAREHOUSE_POOL for made in touching
    }


# Automation ------------------------------------------------------------------------------------------------------------


UNDERSTOOD = {"models/segments", "models/product_affinity"}
"""What is made of customers and needs no training: it follows the data."""
FOLLOWS = {
    "raw/holidays",
    "endpoints/serving_state",
    "endpoints/recommendations",
    "endpoints/regional_recommendations",
    "endpoints/campaign_results",
    *UNDERSTOOD,
}
DBT_GROUPS = {"staging", "intermediate", "marts", "features"}


def test_dbt_models_and_what_is_served_follow_new_data_by_themselves(deployed: Deployment) -> None:
    automated = {name(spec) for spec in specs(deployed) if spec.automation_condition is not None}
    assert {name(spec) for spec in specs(deployed) if spec.group_name in DBT_GROUPS} | FOLLOWS <= automated


def test_training_and_landing_files_start_only_on_request(deployed: Deployment) -> None:
    by_themselves = {name(spec) for spec in specs(deployed) if spec.automation_condition is not None}
    assert {name(spec) for spec in specs(deployed) if spec.group_name == "models"} & by_themselves == UNDERSTOOD
    assert {asset for asset in by_themselves if asset.startswith("raw/")} == {"raw/holidays", "raw/weather"}


def test_every_asset_that_does_not_follow_by_itself_has_a_job_that_makes_it(deployed: Deployment) -> None:
    jobs = [job for job in deployed.definitions.resolve_all_job_defs() if not job.name.startswith("__")]
    in_a_job = {key for job in jobs for key in job.asset_layer.selected_asset_keys}
    made = deployed.definitions.resolve_asset_graph().executable_asset_keys
    assert {
        name(spec)
        for spec in specs(deployed)
        if spec.key in made and spec.automation_condition is None and spec.key not in in_a_job
    } == set()


def test_only_what_the_units_deliver_is_made_elsewhere(deployed: Deployment) -> None:
    made = deployed.definitions.resolve_asset_graph().executable_asset_keys
    assert {name(spec) for spec in specs(deployed) if spec.key not in made} == {
        f"raw/{folder}_deliveries" for folder in deployed.settings.business_units
    }


def test_every_sensor_is_on_by_default(deployed: Deployment) -> None:
    sensors = deployed.definitions.get_repository_def().sensor_defs
    assert {"landing_sensor", "run_health_sensor", "automation_sensor"} <= {sensor.name for sensor in sensors}
    off = [sensor.name for sensor in sensors if sensor.default_status is not dg.DefaultSensorStatus.RUNNING]
    assert off == []


# Partitions ------------------------------------------------------------------------------------------------------------


def partitions(deployed: Deployment) -> dg.PartitionsDefinition:
    [spec] = [spec for spec in specs(deployed) if name(spec) == "raw/sales_transactions"]
    assert spec.partitions_def is not None
    return spec.partitions_def


@pytest.mark.parametrize(
    ("key", "there"),
    [
        ("usa|2022-01-01", True),
        ("canada|2024-02-29", True),
        ("usa|2021-12-31", False),
        ("usa|2023-02-29", False),
        ("france|2022-01-01", False),
        ("2022-01-01|usa", False),
        ("usa|9999-12-31", False),
    ],
)
def test_raw_sales_are_partitioned_by_unit_and_date(deployed: Deployment, key: str, there: bool) -> None:
    assert partitions(deployed).has_partition_key(key) is there
