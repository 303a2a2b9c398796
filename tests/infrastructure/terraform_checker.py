"""Whether a Terraform configuration agrees with what its providers publish, with itself, and with our policy.

`terraform validate` needs the providers' programs, which no package registry has. This reads the same schemas out of
`provider_facts.json` and says of each argument, block, value and reference what is wrong with it. What it cannot see: values that are
only known when applied, conditions between arguments that the provider's program checks, and bodies of azapi resources that are newer
than the models kept.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import hcl2

HERE = Path(__file__).parent
META_ARGUMENTS = {"for_each", "count", "depends_on", "lifecycle", "provider", "dynamic", "timeouts"}
REFERENCE = re.compile(
    r"(?<![\w.\"/-])(data\.)?((?:azurerm|azapi|snowflake)_\w+|var|local|module)\.(\w+)((?:\[[^\]]*\]|\.\w+)*)"
)
EXPRESSION = re.compile(r"\$\{((?:[^{}]|\{[^{}]*\})*)\}")
AZAPI_ARGUMENTS = {
    "azapi_resource": {"type!", "name!", "parent_id", "location", "identity", "body", "tags", "response_export_values"},
    "azapi_update_resource": {"type!", "resource_id", "name", "parent_id", "body", "response_export_values"},
}


@cache
def provider_facts() -> dict[str, Any]:
    """What the providers publish (`provider_facts.py` makes it)."""
    return json.loads((HERE / "provider_facts.json").read_text(encoding="utf-8"))


@cache
def known_values() -> dict[str, Any]:
    """What no package lists and documentation says: enumerations, retired names, roles; each with its source."""
    return json.loads((HERE / "known_values.json").read_text(encoding="utf-8"))


def literal(value: object) -> str | None:
    """The text of a quoted value without expressions in it, else None."""
    if isinstance(value, str) and value.startswith('"') and "${" not in value:
        return value.strip('"')
    return None


@cache
def parsed(text: str) -> dict[str, list[dict[str, Any]]]:
    """HCL as python-hcl2 reads it. Callers share it and change nothing in it."""
    return hcl2.loads(text)


def is_block(value: object) -> bool:
    """Whether a value was written as one or more blocks."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(one, dict) and one.get("__is_block__") for one in value)
    )


def expressions(value: object) -> Iterator[str]:
    """Every expression within a value, however deep."""
    if isinstance(value, dict):
        for key, one in value.items():
            yield from expressions(key)
            yield from expressions(one)
    elif isinstance(value, list):
        for one in value:
            yield from expressions(one)
    elif isinstance(value, str) and "${" in value:
        if value.startswith("${") and value.endswith("}"):
            yield value[2:-1]
        else:
            yield from EXPRESSION.findall(value)


@dataclass
class Module:
    """One folder of `.tf` files (or one file), read."""

    path: Path
    resources: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Address, such as `azurerm_subnet.postgres` or `data.azurerm_client_config.current`, to what stands in it."""
    variables: dict[str, dict[str, Any]] = field(default_factory=dict)
    outputs: dict[str, Any] = field(default_factory=dict)
    local_values: dict[str, Any] = field(default_factory=dict)
    modules: dict[str, dict[str, Any]] = field(default_factory=dict)
    others: list[tuple[str, Any]] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, path: Path) -> "Module":
        """Read a folder or a file. Raises what hcl2 raises where it is no HCL."""
        module = cls(path)
        for file in sorted(path.glob("*.tf")) if path.is_dir() else [path]:
            with file.open(encoding="utf-8") as text:
                module._take(parsed(text.read()))
        return module

    def _take(self, parsed: dict[str, list[dict[str, Any]]]) -> None:
        for kind in ("resource", "data"):
            for one in parsed.get(kind, []):
                for resource_type, named in one.items():
                    for name, body in named.items():
                        address = (
                            f"{'data.' if kind == 'data' else ''}{resource_type.strip(chr(34))}.{name.strip(chr(34))}"
                        )
                        if address in self.resources:
                            self.findings.append(f"{address}: declared twice")
                        self.resources[address] = body
        for kind, into in (("variable", self.variables), ("output", self.outputs), ("module", self.modules)):
            for one in parsed.get(kind, []):
                into.update({name.strip('"'): body for name, body in one.items()})
        for one in parsed.get("locals", []):
            self.local_values.update({name: value for name, value in one.items() if name != "__is_block__"})
        for kind in ("provider", "terraform"):
            self.others += [(kind, one) for one in parsed.get(kind, [])]


def check(path: Path) -> list[str]:
    """Findings of a folder or file of Terraform: `<where>: <what is wrong>`; none where all is well.

    Modules that it calls are held against the call, and are to be checked on their own.
    """
    module = Module.read(path)
    findings = list(module.findings)
    for address, body in module.resources.items():
        findings += resource_findings(address, body, module)
        findings += reference_findings(address, body, module)
    for name, call in module.modules.items():
        findings += call_findings(name, call, module)
        findings += reference_findings(f"module.{name}", call, module)
    for name, output in module.outputs.items():
        findings += reference_findings(f"output.{name}", output, module)
    for name, value in module.local_values.items():
        findings += reference_findings(f"local.{name}", value, module)
    for kind, value in module.others:
        findings += reference_findings(kind, value, module)
    return findings


def resource_findings(address: str, body: dict[str, Any], module: Module) -> list[str]:
    """What is wrong with one resource: its type, its arguments, its values, our policy."""
    data = address.startswith("data.")
    resource_type = address.removeprefix("data.").split(".")[0]
    deprecated = known_values()["deprecated"]["names"]
    if resource_type in deprecated:
        return [f"{address}: deprecated; use {deprecated[resource_type]}"]
    if resource_type in AZAPI_ARGUMENTS:
        return azapi_findings(address, resource_type, body)
    facts = provider_facts()["resources"].get(f"{'data.' if data else ''}{resource_type}")
    if facts is None:
        return [f"{address}: unknown resource type; if the provider has it, add it to provider_facts.py"]
    return [
        *block_findings(address, resource_type, body, facts["arguments"]),
        *policy_findings(address, resource_type, body, module),
    ]


def block_findings(where: str, path: str, body: dict[str, Any], arguments: dict[str, Any]) -> Iterator[str]:
    """What is wrong with the arguments of one block and of those within it."""
    known = known_values()
    values = {**known["enumerations"]["values"], **provider_facts()["enumerations"]}
    dynamic = {name.strip('"'): one for each in body.get("dynamic", []) for name, one in each.items()}
    for name, value in body.items():
        if name in META_ARGUMENTS or name == "__is_block__":
            continue
        if f"{path}.{name}" in known["deprecated"]["names"]:
            yield f"{where}: '{name}' is deprecated; use {known['deprecated']['names'][f'{path}.{name}']}"
        if name not in arguments:
            yield f"{where}: unknown argument '{name}'"
            continue
        yield from value_findings(where, f"{path}.{name}", name, value, arguments[name], values)
    for name, block in dynamic.items():
        if name not in arguments or isinstance(arguments[name], str):
            yield f"{where}: unknown argument '{name}'"
            continue
        for content in block["content"]:
            yield from block_findings(f"{where}.{name}", f"{path}.{name}", content, arguments[name][0])
    for name, kind in arguments.items():
        if (kind if isinstance(kind, str) else kind[1]).endswith("!") and name not in body and name not in dynamic:
            yield f"{where}: required argument '{name}' is missing"


def value_findings(
    where: str, path: str, name: str, value: Any, kind: Any, values: dict[str, list[str]]
) -> Iterator[str]:
    """What is wrong with the value of one argument: its form, or that it is none of those there are."""
    if not isinstance(kind, str):
        inner, often = kind
        if not is_block(value):
            yield f"{where}: '{name}' is a block, not an argument"
            return
        if often.startswith("one") and len(value) > 1:
            yield f"{where}: block '{name}' may stand once"
        for one in value:
            yield from block_findings(f"{where}.{name}", path, one, inner)
        return
    if is_block(value):
        yield f"{where}: '{name}' is an argument, not a block"
        return
    text, form = literal(value), kind.rstrip("!")
    if form == "number" and text is not None and not re.fullmatch(r"-?\d+(\.\d+)?", text):
        yield f"{where}: {name} '{text}' is not a number"
    if form == "bool" and text is not None and text not in ("true", "false"):
        yield f"{where}: {name} '{text}' is neither true nor false"
    if form == "list" and (text is not None or isinstance(value, bool | int)):
        yield f"{where}: {name} is a list, '{value}' is not"
    if form == "string" and isinstance(value, list | dict):
        yield f"{where}: {name} is text, not a list or a map"
    if text is not None and path in values and text not in values[path]:
        yield f"{where}: {name} '{text}' is none of {', '.join(values[path])}"


def azapi_findings(address: str, resource_type: str, body: dict[str, Any]) -> Iterator[str]:
    """What is wrong with a resource of azapi: its own arguments, its API version, and names in its body."""
    arguments = AZAPI_ARGUMENTS[resource_type]
    names = {name.rstrip("!") for name in arguments}
    for name in body:
        if name not in names and name not in META_ARGUMENTS and name != "__is_block__":
            yield f"{address}: unknown argument '{name}'"
    for name in arguments:
        if name.endswith("!") and name.rstrip("!") not in body:
            yield f"{address}: required argument '{name.rstrip('!')}' is missing"
    kind = literal(body.get("type")) or ""
    name, _, version = kind.partition("@")
    if version not in known_values()["api_versions"]["versions"]:
        yield f"{address}: type '{kind}' has no API version that is known"
    elif name in provider_facts()["bodies"]:
        yield from body_findings(address, "body", body.get("body", {}), provider_facts()["bodies"][name])
    elif kind not in known_values()["uncovered_bodies"]["types"]:
        yield f"{address}: type '{kind}' has no model here; add it to provider_facts.py, or say that it is only read"


def body_findings(address: str, path: str, value: Any, model: dict[str, Any]) -> Iterator[str]:
    """Names in a body that its model has not; what the model leaves open (tags, properties of anyone's) is left alone."""
    if isinstance(value, list):
        for one in value:
            yield from body_findings(address, path, one, model)
    elif isinstance(value, dict) and model:
        for name, inner in value.items():
            if name not in model:
                yield f"{address}: {path}: unknown property '{name}'"
            else:
                yield from body_findings(address, f"{path}.{name}", inner, model[name])


def reference_findings(where: str, value: Any, module: Module) -> Iterator[str]:
    """References to what is not declared, or has no such attribute."""
    seen = set()
    for expression in expressions(value):
        for data, kind, name, rest in REFERENCE.findall(expression):
            reference = f"{data}{kind}.{name}{rest}"
            if reference in seen:
                continue
            seen.add(reference)
            if kind == "var":
                if name not in module.variables:
                    yield f"{where}: var.{name} is not declared"
            elif kind == "local":
                if name not in module.local_values:
                    yield f"{where}: local.{name} is not declared"
            elif kind == "module":
                yield from output_findings(where, name, rest, module)
            elif f"{data}{kind}.{name}" not in module.resources:
                yield f"{where}: nothing is declared as {data}{kind}.{name}"
            else:
                yield from attribute_findings(where, f"{data}{kind}", name, rest)


def attribute_findings(where: str, resource_type: str, name: str, rest: str) -> Iterator[str]:
    """A reference to an attribute that the resource has not."""
    first = re.match(r"(?:\[[^\]]*\])?\.(\w+)", rest)
    if not first:
        return
    if resource_type.startswith("azapi_"):
        known = {"id", "name", "output", "identity", "location", "type", "parent_id"}
    else:
        facts = provider_facts()["resources"].get(resource_type)
        if facts is None:
            return
        known = {*facts["arguments"], *facts["attributes"], "id"}
    if first[1] not in known:
        yield f"{where}: {resource_type}.{name} has no attribute '{first[1]}'"


def output_findings(where: str, name: str, rest: str, module: Module) -> Iterator[str]:
    """A reference to a module that is not called here, or to an output that it has not."""
    if name not in module.modules:
        yield f"{where}: module.{name} is not declared"
        return
    folder = module.path / (literal(module.modules[name].get("source")) or "")
    if not folder.is_dir():
        return  # the call is a finding already
    called = Module.read(folder)
    output = re.match(r"\.(\w+)", rest)
    if output and output[1] not in called.outputs:
        yield f"{where}: module.{name} has no output '{output[1]}'"


def call_findings(name: str, call: dict[str, Any], module: Module) -> Iterator[str]:
    """Variables that a called module needs and is not given, or is given and has not."""
    source = literal(call.get("source"))
    folder = module.path / (source or "")
    if not source or not folder.is_dir():
        yield f"module.{name}: there is no module at '{source}'"
        return
    variables = Module.read(folder).variables
    for argument in call:
        if argument not in variables and argument not in {"source", "providers", "__is_block__", *META_ARGUMENTS}:
            yield f"module.{name}: unknown argument '{argument}'"
    for variable, declared in variables.items():
        if "default" not in declared and variable not in call:
            yield f"module.{name}: required argument '{variable}' is missing"


def policy_findings(address: str, resource_type: str, body: dict[str, Any], module: Module) -> Iterator[str]:
    """What a provider would take and we do not."""
    must = {
        "azurerm_storage_account": {
            "public_network_access_enabled": False,
            "allow_nested_items_to_be_public": False,
            "shared_access_key_enabled": False,
        },
        "azurerm_machine_learning_workspace": {"public_network_access_enabled": False},
        "azurerm_machine_learning_compute_cluster": {"local_auth_enabled": False, "node_public_ip_enabled": False},
        "azurerm_key_vault": {"purge_protection_enabled": True, "public_network_access_enabled": False},
        "azurerm_container_registry": {"public_network_access_enabled": False},
        "azurerm_kubernetes_cluster": {"local_account_disabled": True, "private_cluster_enabled": True},
        "azurerm_postgresql_flexible_server": {"public_network_access_enabled": False},
    }
    for argument, wanted in must.get(resource_type, {}).items():
        if body.get(argument) is not wanted:
            yield f"{address}: {argument} has to be {str(wanted).lower()}"
    if resource_type == "azurerm_container_registry" and body.get("admin_enabled", False) is not False:
        yield f"{address}: admin_enabled has to be false"
    if resource_type == "azurerm_storage_account":
        if literal(body.get("min_tls_version", '"TLS1_2"')) not in (None, "TLS1_2", "TLS1_3"):
            yield f"{address}: min_tls_version has to be TLS1_2 or later"
        name = literal(body.get("name"))
        if name is not None and not re.fullmatch(r"[a-z0-9]{3,24}", name):
            yield f"{address}: name '{name}' has to be 3 to 24 lower-case letters and digits"
    if (
        resource_type == "azurerm_storage_container"
        and literal(body.get("container_access_type", '"private"')) != "private"
    ):
        yield f"{address}: container_access_type has to be private"
    if resource_type == "azurerm_machine_learning_compute_cluster" and "subnet_resource_id" in body:
        workspaces = [
            one for key, one in module.resources.items() if key.startswith("azurerm_machine_learning_workspace.")
        ]
        if any("managed_network" in one for one in workspaces):
            yield f"{address}: subnet_resource_id cannot stand where the workspace has a managed network"
    yield from role_findings(address, resource_type, body, module)
    for argument, value in body.items():
        if re.search(r"password(?!_wo_version)|secret$|access_key$", argument) and (literal(value) or "") not in (
            "",
            "true",
            "false",
        ):
            yield f"{address}: {argument} stands in the file; take it from a variable that is sensitive and ephemeral"


def role_findings(address: str, resource_type: str, body: dict[str, Any], module: Module) -> Iterator[str]:
    """Roles that there are not, or that may do too much."""
    if resource_type == "azurerm_role_assignment":
        role = literal(body.get("role_definition_name"))
        for name in [role] if role else assigned_roles(body, module):
            if name not in known_values()["built_in_roles"]["names"]:
                yield f"{address}: role '{name}' is no built-in role that is known"
            elif name in ("Owner", "Contributor", "User Access Administrator", "Storage Blob Data Owner"):
                yield f"{address}: role '{name}' may do too much"
    for permissions in body.get("permissions", []) if resource_type == "azurerm_role_definition" else []:
        for action in [*permissions.get("actions", []), *permissions.get("data_actions", [])]:
            text = (literal(action) or "").strip()
            if "*" in text and not text.endswith("/read"):
                yield f"{address}.permissions: action '{text}' may do too much; only reads may be of everything"


def assigned_roles(body: dict[str, Any], module: Module) -> Iterator[str]:
    """Names of roles that an assignment for each of a local map gives."""
    source = re.fullmatch(r"\$\{local\.(\w+)\}", str(body.get("for_each", "")))
    if source and "role_definition_name" in body:
        for one in module.local_values.get(source[1], {}).values():
            if isinstance(one, dict) and literal(one.get("role")):
                yield literal(one["role"]) or ""
