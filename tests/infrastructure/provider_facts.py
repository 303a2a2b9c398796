"""What the providers publish about the resources that we use, kept as `provider_facts.json`.

No provider's program can be had from a package registry, but HashiCorp's CDKTF packages on npm hold the same schemas as TypeScript
types: arguments, which of them are required, blocks and attributes (no enumerations). Bodies of azapi resources are the models of
`azure-mgmt-machinelearningservices`, enumerations those of the `azure-mgmt-*` packages. To make the file anew, in an environment that
has both `azure-mgmt` packages:

    npm pack @cdktf/provider-azurerm@14.23.1 @cdktf/provider-snowflake@15.9.1      # unpack each into a folder of its own
    python tests/infrastructure/provider_facts.py <folder of azurerm> <folder of snowflake> tests/infrastructure/provider_facts.json
"""

import json
import re
import sys
from importlib import import_module, metadata
from pathlib import Path
from types import ModuleType

# fmt: off
RESOURCES = {
    "azurerm": [
        "application_insights", "app_service_plan", "consumption_budget_resource_group", "container_registry",
        "eventgrid_system_topic", "eventgrid_system_topic_event_subscription", "federated_identity_credential", "key_vault",
        "key_vault_secret", "kubernetes_cluster", "kubernetes_cluster_extension", "kubernetes_cluster_node_pool",
        "log_analytics_workspace", "machine_learning_compute_cluster", "machine_learning_workspace",
        "machine_learning_workspace_network_outbound_rule_fqdn", "monitor_action_group", "monitor_diagnostic_setting",
        "monitor_metric_alert", "monitor_scheduled_query_rules_alert_v2", "network_security_group", "postgresql_flexible_server",
        "postgresql_flexible_server_active_directory_administrator", "postgresql_flexible_server_configuration",
        "postgresql_flexible_server_database", "private_dns_zone", "private_dns_zone_virtual_network_link", "private_endpoint",
        "resource_group", "role_assignment", "role_definition", "storage_account", "storage_blob", "storage_container",
        "storage_container_immutability_policy", "storage_management_policy", "storage_queue", "subnet",
        "subnet_network_security_group_association", "user_assigned_identity", "virtual_network", "data_client_config",
        "data_subscription",
    ],
    "snowflake": [
        "account_role", "database", "execute", "file_format", "grant_account_role", "grant_ownership",
        "grant_privileges_to_account_role", "resource_monitor", "schema", "service_user", "stage", "storage_integration", "warehouse",
    ],
}
# fmt: on
BODIES = {
    "Microsoft.MachineLearningServices/registries": "Registry",
    "Microsoft.MachineLearningServices/workspaces/onlineEndpoints": "OnlineEndpoint",
    "Microsoft.MachineLearningServices/workspaces/batchEndpoints": "BatchEndpoint",
}
ENUMS = {  # resource/block path and argument: the enumeration of azure-mgmt-* that its values come from
    "azurerm_storage_account.account_kind": ("azure.mgmt.storage.models", "Kind"),
    "azurerm_storage_account.access_tier": ("azure.mgmt.storage.models", "AccessTier"),
    "azurerm_storage_account.min_tls_version": ("azure.mgmt.storage.models", "MinimumTlsVersion"),
    "azurerm_storage_account.network_rules.default_action": ("azure.mgmt.storage.models", "DefaultAction"),
    "azurerm_machine_learning_compute_cluster.vm_priority": ("azure.mgmt.machinelearningservices.models", "VmPriority"),
    "azurerm_machine_learning_workspace.identity.type": (
        "azure.mgmt.machinelearningservices.models",
        "ManagedServiceIdentityType",
    ),
}
SCALARS = {
    "string": "string",
    "number": "number",
    "boolean | cdktf.IResolvable": "bool",
    "string[]": "list",
    "number[]": "list",
}
ARGUMENT = re.compile(
    r"docs/(?:resources|data-sources)/\w+#(\w+)[^\n]*\n(?:[^/]*\*[^\n]*\n)*?\s*\*/\s*readonly (\w+)(\??): ((?:\{[^}]*\})|[^;{]+)",
    re.S,
)
INTERFACE = re.compile(r"export interface (\w+)(?: extends [\w.]+)? \{\n(.*?)\n\}", re.S)


def snake(name: str) -> str:
    """`managedNetwork` as Terraform writes it: `managed_network`."""
    return re.sub(r"(?<=[a-z0-9])([A-Z])", r"_\1", name).lower()


def block(name: str, interfaces: dict[str, str], seen: tuple[str, ...] = ()) -> dict:
    """Arguments of one block: name → type, `!` behind it where required; a block within is `[facts, "one" or "many"]`."""
    arguments: dict[str, object] = {}
    for argument, _, optional, written in ARGUMENT.findall(interfaces.get(name, "")):
        kind = " ".join(written.split())
        required = "" if optional else "!"
        inner = re.match(r"(\w+)(\[\])?", kind)
        if kind in SCALARS:
            arguments[argument] = SCALARS[kind] + required
        elif kind.startswith("{"):
            arguments[argument] = "map" + required
        elif inner and inner[1] in interfaces and inner[1] not in seen:
            many = "many" if inner[2] else "one"
            arguments[argument] = [block(inner[1], interfaces, (*seen, inner[1])), many + required]
        else:
            arguments[argument] = "any" + required
    return arguments


def resource(text: str) -> dict:
    """Arguments and attributes of a resource out of its `index.d.ts`."""
    interfaces = dict(INTERFACE.findall(text))
    config = next(name for name in interfaces if name.endswith("Config") and f"interface {name} extends" in text)
    own_class = text[text.rindex("export declare class ") :]
    attributes = {snake(name) for name in re.findall(r"get (\w+)\(\):", own_class) if not name.endswith("Input")}
    arguments = block(config, interfaces)
    arguments.pop("timeouts", None)
    arguments.pop("id", None)
    return {"arguments": arguments, "attributes": sorted(attributes - set(arguments))}


def model(cls: type, models: ModuleType, depth: int = 3) -> dict:
    """Names that a body may have, as they stand in the request, with those of the models within."""
    names: dict = {}
    for field in cls._attribute_map.values():
        inner = getattr(models, field["type"].strip("[]{}"), None)
        deeper = model(inner, models, depth - 1) if depth and hasattr(inner, "_attribute_map") else {}
        at = names
        *above, last = field["key"].split(".")
        for step in above:
            at = at.setdefault(step, {})
        at[last] = deeper
    return names


def facts(azurerm: Path, snowflake: Path) -> dict:
    """Everything that `provider_facts.json` holds."""
    found: dict = {"sources": {}, "resources": {}, "bodies": {}, "enumerations": {}}
    for provider, folder in {"azurerm": azurerm, "snowflake": snowflake}.items():
        package = json.loads((folder / "package.json").read_text(encoding="utf-8"))
        found["sources"][package["name"]] = package["version"]
        for name in RESOURCES[provider]:
            prefix = f"data-{provider}-" if name.startswith("data_") else ""
            path = folder / "lib" / (prefix + name.removeprefix("data_").replace("_", "-")) / "index.d.ts"
            text = path.read_text(encoding="utf-8")
            version = re.search(r"providers/[^/]+/([^/]+)/([\d.]+)/docs", text)
            if version:
                found["sources"][f"provider {version[1]}"] = version[2]
            key = f"data.{provider}_{name.removeprefix('data_')}" if prefix else f"{provider}_{name}"
            found["resources"][key] = resource(text)
    models = import_module("azure.mgmt.machinelearningservices.models")
    for kind, name in BODIES.items():
        found["bodies"][kind] = model(getattr(models, name), models)
    for argument, (module, name) in ENUMS.items():
        found["enumerations"][argument] = [member.value for member in getattr(import_module(module), name)]
    for package in ("azure-mgmt-machinelearningservices", "azure-mgmt-storage"):
        found["sources"][package] = metadata.version(package)
    return found


if __name__ == "__main__":
    made = facts(Path(sys.argv[1]), Path(sys.argv[2]))
    Path(sys.argv[3]).write_text(
        json.dumps(made, indent=None, separators=(",", ":"), sort_keys=True) + "\n", encoding="utf-8"
    )
