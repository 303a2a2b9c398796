"""Steps towards a desired state: the endpoint, its deployments, its traffic, and the end of what is not wanted any more.

Each step looks at what is there first, so that steps can be taken again after any interruption. The desired
state is kept as tags of the endpoint; a tag's value is bounded to 256 characters, so each deployment has one of its own.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resources.endpoint.azureml import online
from resources.endpoint.azureml.serving_storage import container_url
from resources.endpoint.deployment_spec import write_folder
from resources.endpoint.endpoint import Deployment, DesiredState, Mirror
from resources.endpoint.serving_state import ServingStates
from resources.ml.azureml.computes import ensure_kubernetes
from resources.ml.azureml.environments import ensure_environment, serving_conda, serving_environment
from resources.ml.azureml.faults import AzureMLError, faults_of, is_missing, remedy_for, said
from resources.ml.azureml.models import folder_name
from resources.ml.azureml.provenance import git_commit
from resources.ml.azureml.workspace import Workspace, provisioning_state
from resources.settings.azureml import PREFIX, EndpointKind

if TYPE_CHECKING:
    from azure.ai.ml.entities import OnlineDeployment, OnlineEndpoint


SUCCEEDED = "Succeeded"
REASON_SECONDS = 30.0
"""How long a failure waits for the operation to tell its reason: the deployment shows it first."""
LOG_LINES = 20


@dataclass
class EndpointUpdate:
    """The endpoint of a workspace's settings on its way. `operations`: what this process has begun, by deployment."""

    workspace: Workspace
    models_folder: Path
    states: ServingStates
    operations: dict[str, Any] = field(default_factory=dict)

    @property
    def _name(self) -> str:
        return self.workspace.settings.endpoint

    @property
    def _page(self) -> str:
        return self.workspace.studio(f"endpoints/realtime/{self._name}")

    def endpoint(self) -> "OnlineEndpoint | None":
        """The endpoint, or none."""
        with faults_of(f"endpoint {self._name}", self._page):
            try:
                return self.workspace.client.online_endpoints.get(self._name)
            except Exception as error:
                if is_missing(error):
                    return None
                raise

    def deployments(self) -> dict[str, "OnlineDeployment"]:
        """What is deployed, whatever its state, by name."""
        with faults_of(f"deployments of endpoint {self._name}", self._page):
            found = self.workspace.client.online_deployments.list(endpoint_name=self._name)
            return {str(one.name): one for one in found}

    def declare(self, desired: DesiredState) -> None:
        """Writes what should run into the endpoint's tags; makes the endpoint if it is not there, and waits for that.

        Raises `AzureMLError` if an endpoint of the other kind has its name.
        """
        settings, entity, tags = self.workspace.settings, self.endpoint(), desired_as_tags(desired)
        if entity is None:
            if settings.endpoint_compute is not None and settings.endpoint_kind is EndpointKind.KUBERNETES:
                ensure_kubernetes(self.workspace, settings.endpoint_compute)
            self._update(online.endpoint_entity(settings, {"git_commit": git_commit(), **tags}))
            return
        self._refuse_other_kind(entity)
        wanted = {**other_tags(entity.tags or {}), **tags}
        if (dict(entity.tags or {}), entity.auth_mode) != (wanted, settings.endpoint_auth.value):
            entity.tags, entity.auth_mode = wanted, settings.endpoint_auth.value
            self._update(entity)

    def _refuse_other_kind(self, entity: "OnlineEndpoint") -> None:
        wanted = self.workspace.settings.endpoint_kind
        found = online.kind_of(entity)
        if found is not wanted:
            raise AzureMLError(
                f"endpoint {self._name}",
                f"is {found.value}, not {wanted.value}, and cannot be changed to that",
                f"choose another name by {PREFIX}ENDPOINT, or delete the endpoint",
                self._page,
            )

    def _update(self, entity: "OnlineEndpoint") -> None:
        with faults_of(f"endpoint {self._name}", self._page):
            self.workspace.client.online_endpoints.begin_create_or_update(entity).result()

    def advance(self, desired: DesiredState, *, retry_failed: bool = False) -> bool:
        """Takes every step that can be taken now; whether all is as it should be. Never waits for a deployment."""
        entity = self.endpoint()
        if entity is None:
            raise AzureMLError(f"endpoint {self._name}", "is not there", "deploy again", self._page)
        found = self.deployments()
        for name, wanted in desired.deployments.items():
            if self._needs_making(found.get(name), wanted, retry_failed=retry_failed):
                self._make(name, wanted)
        ready = {name for name, wanted in desired.deployments.items() if self.is_as_wanted(found.get(name), wanted)}
        if not self._has_traffic(desired, entity) and self._can_have_traffic(desired, ready):
            entity.traffic = {name: desired.traffic.get(name, 0) for name in found}
            mirror = desired.mirror
            entity.mirror_traffic = {mirror.deployment: mirror.percent} if mirror is not None else {}
            self._update(entity)
        elif self._has_traffic(desired, entity):
            self._end_others(desired, found)
        return self.is_settled(desired, entity, found)

    def _needs_making(self, found: "OnlineDeployment | None", wanted: Deployment, *, retry_failed: bool) -> bool:
        """Whether to begin: nothing is there, something else is, or what is there failed and is to be tried again."""
        if found is None:
            return True
        state = provisioning_state(found)
        if state in online.GIVEN_UP:
            return retry_failed
        return state == SUCCEEDED and not self.is_as_wanted(found, wanted)

    def is_as_wanted(self, found: "OnlineDeployment | None", wanted: Deployment) -> bool:
        """Whether a deployment is provisioned with this model."""
        tags = dict(found.tags or {}) if found is not None else {}
        same = (tags.get(online.MODEL_VERSION), tags.get(online.CONTENT_HASH)) == (
            wanted.model_version,
            wanted.content_hash,
        )
        return found is not None and provisioning_state(found) == SUCCEEDED and same

    def is_settled(self, desired: DesiredState, entity: "OnlineEndpoint", found: dict[str, "OnlineDeployment"]) -> bool:
        """Whether exactly what should run does, with the traffic that it should have."""
        return (
            set(found) == set(desired.deployments)
            and all(self.is_as_wanted(found[name], wanted) for name, wanted in desired.deployments.items())
            and self._has_traffic(desired, entity)
        )

    def _has_traffic(self, desired: DesiredState, entity: "OnlineEndpoint") -> bool:
        mirror = {desired.mirror.deployment: desired.mirror.percent} if desired.mirror is not None else {}
        return _shares(entity.traffic) == _shares(desired.traffic) and _shares(entity.mirror_traffic) == mirror

    def _can_have_traffic(self, desired: DesiredState, ready: set[str]) -> bool:
        needed = {name for name, percent in desired.traffic.items() if percent}
        return needed | ({desired.mirror.deployment} if desired.mirror is not None else set()) <= ready

    def _make(self, name: str, wanted: Deployment) -> None:
        """Begins a deployment; Azure goes on with it whatever becomes of this process."""
        settings = self.workspace.settings
        state = self.states.current()
        conda = serving_conda(collects_data=settings.collect_data)
        model = wanted.model_version, wanted.content_hash
        spec = online.spec_of(settings, name, model, state.name, conda, container_url(self.workspace))
        environment = ensure_environment(self.workspace, serving_environment(self.workspace, conda))
        with tempfile.TemporaryDirectory(prefix="globolatte-deployment-") as scratch:
            code = write_folder(spec, Path(scratch) / "code", state)
            entity = online.deployment_entity(settings, spec, code, environment)
            with faults_of(f"deployment {name} of endpoint {self._name}", self._page):
                self.operations[name] = self.workspace.client.online_deployments.begin_create_or_update(
                    entity, skip_script_validation=True
                )

    def _end_others(self, desired: DesiredState, found: dict[str, "OnlineDeployment"]) -> None:
        for name, one in found.items():
            if name not in desired.deployments and provisioning_state(one) != "Deleting":
                with faults_of(f"deployment {name} of endpoint {self._name}", self._page):
                    self.workspace.client.online_deployments.begin_delete(name=name, endpoint_name=self._name).result()

    def failure(self, name: str, state: str = "Failed") -> AzureMLError:
        """Why a deployment failed: the operation's own words if this process began it, and the end of the container's log."""
        reason = self._reason(name)
        try:
            log = self.workspace.client.online_deployments.get_logs(name, self._name, lines=LOG_LINES)
        except Exception as error:  # noqa: BLE001 - no log is no reason to hide the failure
            log = f"(no log: {said(error)})"
        return AzureMLError(
            f"deployment {name} of endpoint {self._name}",
            f"{state.lower()}{': ' + reason if reason else ''}. The last lines of its log:\n{log.strip()}\n",
            remedy_for(reason or "ResourceNotReady"),
            self._page,
        )

    def _reason(self, name: str) -> str:
        """What the operation that this process began says of its failure. It may hear of that later than the deployment shows it."""
        operation = self.operations.get(name)
        if operation is None:
            return ""
        try:
            operation.wait(REASON_SECONDS)
        except Exception as error:  # noqa: BLE001 - the operation's failure, whatever its kind, is what we are after
            return said(error)
        return "" if operation.done() else f"(its operation had no reason to tell within {REASON_SECONDS:g} seconds)"


def _shares(percentages: Any) -> dict[str, int]:
    """Those that are not nothing."""
    return {name: int(percent) for name, percent in dict(percentages or {}).items() if percent}


DEPLOYMENT, TRAFFIC, MIRROR = "desired_deployment_", "desired_traffic", "desired_mirror"


def desired_as_tags(desired: DesiredState) -> dict[str, str]:
    """The desired state as tags."""
    tags = {
        f"{DEPLOYMENT}{name}": f"{one.model_version}/{one.content_hash}" for name, one in desired.deployments.items()
    }
    if desired.traffic:
        tags[TRAFFIC] = _percentages(desired.traffic)
    if desired.mirror is not None:
        tags[MIRROR] = _percentages({desired.mirror.deployment: desired.mirror.percent})
    return tags


def desired_from_tags(tags: Mapping[str, str], models_folder: Path) -> DesiredState:
    """The inverse. Raises `ValueError` for tags that are damaged."""
    deployments = {
        name.removeprefix(DEPLOYMENT): _deployment(value, models_folder)
        for name, value in tags.items()
        if name.startswith(DEPLOYMENT)
    }
    mirrored = list(_numbers(tags.get(MIRROR, "")).items())
    return DesiredState(deployments, _numbers(tags.get(TRAFFIC, "")), Mirror(*mirrored[0]) if mirrored else None)


def other_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags that say something else."""
    return {name: value for name, value in tags.items() if not name.startswith((DEPLOYMENT, TRAFFIC, MIRROR))}


def _deployment(value: str, models_folder: Path) -> Deployment:
    version, _, content = value.partition("/")
    return Deployment(str(models_folder / folder_name(version, content)), version, content)


def _percentages(numbers: Mapping[str, int]) -> str:
    return ",".join(f"{name}={percent}" for name, percent in sorted(numbers.items()))


def _numbers(text: str) -> dict[str, int]:
    pairs = (part.partition("=") for part in text.split(",") if part)
    return {name: int(percent) for name, _, percent in pairs}
