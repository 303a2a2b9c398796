"""The chart of `deploy/chart`, rendered by Helm's own engine for every environment: valid, restricted, and in agreement with Terraform."""

import copy
from functools import cache
from pathlib import Path
from typing import Any

import helm_python
import kubernetes_validate
import pytest
import yaml

from resources.settings.azureml import AzureMLSettings
from resources.settings.settings import Settings
from tests.infrastructure.terraform_checker import Module, literal

CHART = Path("deploy/chart")
ENVIRONMENTS = ("dev", "staging", "prod")
KUBERNETES_VERSIONS = ("1.33.0", "1.36.0")
NO_SCHEMA = {"SecretProviderClass"}  # of the secrets store driver: only read
COMPANY = {  # what only the company knows
    "images": {"registry": "globolatteprodabc.azurecr.io", "tag": "1.2.3"},
    "identity": {
        "clientId": "11111111-1111-1111-1111-111111111111",
        "tenantId": "22222222-2222-2222-2222-222222222222",
    },
    "keyVault": {"name": "gl-prod-abc"},
    "postgres": {"host": "globolatte-prod-abc.postgres.database.azure.com"},
    "ingress": {"host": "globolatte.example.com", "auditorsHost": "audit.example.com"},
    "signIn": {"clientId": "33333333-3333-3333-3333-333333333333", "group": "people", "auditorsGroup": "auditors"},
}


def values_of(environment: str) -> dict[str, Any]:
    """What `helm upgrade --values <environment>.yaml --values company.yaml` passes."""
    return {
        **yaml.safe_load(Path(f"deploy/environments/{environment}.yaml").read_text(encoding="utf-8")),
        **copy.deepcopy(COMPANY),
    }


@cache
def rendered(environment: str) -> tuple[dict[str, Any], ...]:
    """Every object of an environment."""
    with helm_python.Chart.load(str(CHART)) as chart:
        manifests = chart.render(values_of(environment), name="globolatte", namespace="globolatte")
    return tuple(one for text in manifests.values() for one in yaml.safe_load_all(text) if one)


def pods(objects: tuple[dict[str, Any], ...]) -> dict[str, dict[str, Any]]:
    """Pod templates by the name of what makes them."""
    return {one["metadata"]["name"]: one["spec"]["template"] for one in objects if one["kind"] in ("Deployment", "Job")}


def weaknesses(pod: dict[str, Any]) -> list[str]:
    """What Kubernetes' pod security standard `restricted` refuses in a pod, and requests or limits that are missing."""
    found = []
    spec = pod["spec"]
    security = spec.get("securityContext", {})
    found += [f"spec.{key}" for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key)]
    found += [
        f"volume {one['name']}"
        for one in spec.get("volumes", [])
        if not set(one) & {"configMap", "csi", "emptyDir", "persistentVolumeClaim"}
    ]
    for container in [*spec.get("initContainers", []), *spec["containers"]]:
        own = {**security, **container.get("securityContext", {})}
        checks = {
            "runAsNonRoot": own.get("runAsNonRoot") is True,
            "runAsUser": own.get("runAsUser", 1) != 0,
            "allowPrivilegeEscalation": own.get("allowPrivilegeEscalation") is False,
            "capabilities": own.get("capabilities") == {"drop": ["ALL"]},
            "seccompProfile": own.get("seccompProfile", {}).get("type") in ("RuntimeDefault", "Localhost"),
            "privileged": not own.get("privileged"),
            "readOnlyRootFilesystem": own.get("readOnlyRootFilesystem") is True,
            "requests": {"cpu", "memory"} <= set(container.get("resources", {}).get("requests", {})),
            "limits": "memory" in container.get("resources", {}).get("limits", {}),
            "image": ":" in container["image"].rsplit("/", 1)[-1] and not container["image"].endswith(":latest"),
        }
        found += [f"{container['name']}: {name}" for name, good in checks.items() if not good]
    return found


@pytest.mark.parametrize("version", KUBERNETES_VERSIONS)
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_object_is_valid(environment, version):
    objects = rendered(environment)
    assert len(objects) > 20
    for one in objects:
        if one["kind"] not in NO_SCHEMA:
            kubernetes_validate.validate(one, version, strict=True)


def test_an_object_with_a_typo_is_not_valid():
    deployment = copy.deepcopy(next(one for one in rendered("prod") if one["kind"] == "Deployment"))
    deployment["spec"]["replica"] = deployment["spec"].pop("replicas")
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(deployment, KUBERNETES_VERSIONS[0], strict=True)


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_every_pod_is_restricted_and_asks_for_what_it_takes(environment):
    assert {name: weaknesses(pod) for name, pod in pods(rendered(environment)).items() if weaknesses(pod)} == {}


@pytest.mark.parametrize(
    ("change", "weakness"),
    [
        (lambda spec: spec["securityContext"].pop("runAsNonRoot"), "runAsNonRoot"),
        (lambda spec: spec["containers"][0]["securityContext"].pop("capabilities"), "capabilities"),
        (lambda spec: spec["containers"][0]["resources"].pop("requests"), "requests"),
        (lambda spec: spec["volumes"].append({"name": "host", "hostPath": {"path": "/"}}), "volume host"),
        (lambda spec: spec["containers"][0].update(image="globolatte-code:latest"), "image"),
    ],
    ids=["root", "capabilities", "no requests", "host path", "latest"],
)
def test_a_pod_that_may_too_much_is_found(change, weakness):
    pod = copy.deepcopy(pods(rendered("prod"))["globolatte-daemon"])
    change(pod["spec"])
    assert any(found.endswith(weakness) for found in weaknesses(pod))


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_runs_are_as_restricted_as_what_starts_them(environment):
    instance = instance_of(environment)
    configured = instance["run_launcher"]["config"]
    run = {
        "spec": {
            "securityContext": configured["run_k8s_config"]["pod_spec_config"]["security_context"],
            "volumes": configured["volumes"],
            "containers": [
                {
                    "name": "run",
                    "image": configured["job_image"],
                    "resources": configured["resources"],
                    "securityContext": configured["run_k8s_config"]["container_config"]["security_context"],
                }
            ],
        }
    }
    assert weaknesses(run) == []


def instance_of(environment: str) -> dict[str, Any]:
    """The `dagster.yaml` of an environment."""
    maps = {one["metadata"]["name"]: one["data"] for one in rendered(environment) if one["kind"] == "ConfigMap"}
    return yaml.safe_load(maps["globolatte-instance"]["dagster.yaml"])


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_services_policies_and_budgets_find_their_pods(environment):
    objects = rendered(environment)
    labels = [pod["metadata"]["labels"] for pod in pods(objects).values()]
    names = {one["metadata"]["name"] for one in objects if one["kind"] == "Service"}
    for one in objects:
        spec = one.get("spec", {})
        selector = {
            "Service": lambda spec: spec["selector"],
            "PodDisruptionBudget": lambda spec: spec["selector"]["matchLabels"],
            "NetworkPolicy": lambda spec: spec["podSelector"].get("matchLabels", {}),
            "Deployment": lambda spec: spec["selector"]["matchLabels"],
        }.get(one["kind"])
        if selector:
            assert any(selector(spec).items() <= label.items() for label in labels), one["metadata"]["name"]
        if one["kind"] == "Ingress":
            assert all(
                path["backend"]["service"]["name"] in names for rule in spec["rules"] for path in rule["http"]["paths"]
            )
    deployments = {one["metadata"]["name"] for one in objects if one["kind"] == "Deployment"}
    assert deployments == {one["metadata"]["name"] for one in objects if one["kind"] == "PodDisruptionBudget"}


def test_dagster_can_write_beside_its_configuration():
    pod = pods(rendered("prod"))["globolatte-daemon"]["spec"]
    run = instance_of("prod")["run_launcher"]["config"]
    for mounts, volumes in (
        (pod["containers"][0]["volumeMounts"], pod["volumes"]),
        (run["volume_mounts"], run["volumes"]),
    ):
        folder = next(mount["name"] for mount in mounts if mount["mountPath"] == "/opt/dagster/instance")
        assert {"name": folder, "emptyDir": {}} in volumes


def test_dagsters_database_is_spoken_to_by_the_driver_that_dagster_knows():
    team = yaml.safe_load(Path("deploy/team-server/dagster.yaml").read_text(encoding="utf-8"))
    for configuration in (instance_of("prod"), team):
        assert configuration["storage"]["postgres"]["postgres_db"]["scheme"] == "postgresql+psycopg2"


def test_nothing_is_reached_but_by_a_policy():
    policies = [one["spec"] for one in rendered("prod") if one["kind"] == "NetworkPolicy"]
    default = next(policy for policy in policies if policy["podSelector"] == {})
    assert set(default["policyTypes"]) == {"Ingress", "Egress"}
    assert "ingress" not in default


def test_auditors_webserver_is_read_only_and_theirs_alone():
    objects = rendered("prod")
    assert "--read-only" in pods(objects)["globolatte-auditors"]["spec"]["containers"][0]["args"]
    assert "--read-only" not in pods(objects)["globolatte-webserver"]["spec"]["containers"][0]["args"]
    assert "--allowed-group=auditors" in pods(objects)["globolatte-sign-in-auditors"]["spec"]["containers"][0]["args"]


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_settings_exist_and_secrets_stand_in_none_of_them(environment):
    known = {
        *(f"GLOBOLATTE_{name}".upper() for name in Settings.model_fields),
        *(f"GLOBOLATTE_AZUREML_{name}".upper() for name in AzureMLSettings.model_fields),
    }
    settings = values_of(environment)["settings"]
    assert settings["GLOBOLATTE_ENV"] == environment
    assert set(settings) <= known
    secrets = set(yaml.safe_load((CHART / "values.yaml").read_text(encoding="utf-8"))["keyVault"]["secrets"])
    for one in rendered(environment):
        if one["kind"] == "ConfigMap":
            assert not secrets & set(one["data"])


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_names_are_those_that_terraform_makes(environment):
    outputs = Module.read(Path("infra/terraform/modules/platform")).outputs["settings"]["value"]
    platform = Module.read(Path("infra/terraform/modules/platform"))
    settings = values_of(environment)["settings"]
    named = {name: literal(value) for name, value in outputs.items() if literal(value)}
    assert named == {name: settings[name] for name in named}
    calls = {
        "GLOBOLATTE_AZUREML_WORKSPACE": "${local.name}",
        "GLOBOLATTE_AZUREML_RESOURCE_GROUP": "${local.name}",
        "GLOBOLATTE_AZUREML_REGISTRY": '"${local.name}-models"',
    }
    assert platform.modules["machine_learning"]["workspace_name"] == calls["GLOBOLATTE_AZUREML_WORKSPACE"]
    assert platform.modules["machine_learning"]["registry_name"] == calls["GLOBOLATTE_AZUREML_REGISTRY"]
    assert platform.resources["azurerm_resource_group.this"]["name"] == calls["GLOBOLATTE_AZUREML_RESOURCE_GROUP"]
    name = (literal(platform.local_values["name"]) or platform.local_values["name"].strip('"')).replace(
        "${var.environment}", environment
    )
    for setting, expression in calls.items():
        assert settings[setting] == expression.strip('"').replace("${local.name}", name)
    assert settings["GLOBOLATTE_SNOWFLAKE_DATABASE"] == literal(platform.modules["snowflake"]["database"])
    assert settings["GLOBOLATTE_SNOWFLAKE_WAREHOUSE"] == literal(platform.modules["snowflake"]["warehouse"])
    assert settings["GLOBOLATTE_SNOWFLAKE_USER"] == literal(platform.modules["snowflake"]["user"])


@pytest.mark.parametrize(
    ("part", "name"),
    [("images", "tag"), ("postgres", "host"), ("keyVault", "name"), ("identity", "clientId"), ("signIn", "group")],
)
def test_a_value_that_is_missing_is_named(part, name):
    values = values_of("prod")
    values[part].pop(name)
    with helm_python.Chart.load(str(CHART)) as chart, pytest.raises(helm_python.HelmError, match=f"{part}.{name}"):
        chart.render(values, name="globolatte", namespace="globolatte")


def test_helm_lints_the_chart_and_finds_nothing_wrong():
    report = helm_python.lint(str(CHART), values_of("prod"))
    assert report["errors"] == []
    assert [one for one in report["messages"] if one["severity"] > 1] == []


def test_the_service_account_is_the_one_that_terraform_trusts():
    call = Module.read(Path("infra/terraform/modules/platform")).modules["kubernetes"]
    accounts = {one["metadata"]["name"] for one in rendered("prod") if one["kind"] == "ServiceAccount"}
    assert accounts == {literal(call["service_account"])}
