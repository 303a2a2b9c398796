"""`AzureMLEndpoint`: the online endpoint in a workspace, behind the protocol `resources.endpoint.endpoint.Endpoint`.

The desired state is stored in tags of the endpoint, and each call takes the next steps towards it. If a run was cut off, the next caller
continues its work: it waits for a deployment that Azure is still making and does not make it again. A tag's value is limited to 256
characters, so each deployment has a tag of its own.
"""

import http.client
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resources.endpoint.azureml import online
from resources.endpoint.azureml.serving_storage import container_url
from resources.endpoint.deployment_spec import write_folder
from resources.endpoint.endpoint import (
    DEPLOYMENT_HEADER,
    Deployment,
    DesiredState,
    EndpointError,
    Mirror,
    ObservedDeployment,
    ObservedState,
)
from resources.endpoint.serving_state import ServingStates
from resources.ml.azureml.computes import ensure_kubernetes
from resources.ml.azureml.environments import ensure_environment, serving_conda, serving_environment
from resources.ml.azureml.faults import AzureMLError, Found, faults_of, found_or_none, message_of, remedy_for, when_free
from resources.ml.azureml.models import folder_name
from resources.ml.azureml.provenance import git_commit
from resources.ml.azureml.workspace import Workspace, provisioning_state
from resources.settings.azureml import PREFIX, AzureMLSettings, EndpointAuth, EndpointKind

if TYPE_CHECKING:
    from azure.ai.ml.entities import OnlineDeployment, OnlineEndpoint

ANSWER_SECONDS = 185.0
"""Azure gives a request 180 seconds at the most."""
REASON_SECONDS = 30.0
"""How long to wait for the operation to report the reason of a failure: the deployment shows the failure first."""
LOG_LINES = 20
REFUSED = frozenset({http.client.UNAUTHORIZED, http.client.FORBIDDEN})
PHASES = {
    online.SUCCEEDED: "serving",
    "Failed": "waiting to start again",
    "Canceled": "waiting to start again",
    "Deleting": "draining",
}
EARLY_SECONDS = 30.0
"""A token is not used in its last seconds before it expires: a request may be under way for that long."""

REMEDIES = {
    EndpointAuth.KEY: f"see that {PREFIX}ENDPOINT names the endpoint that you mean, then run it again",
    EndpointAuth.AML_TOKEN: "give the identity that runs this the action 'onlineEndpoints/token/action' on the endpoint "
    "(the role 'AzureML Data Scientist' has it), and check this machine's clock",
    EndpointAuth.AAD_TOKEN: "give the identity that runs this the action 'onlineEndpoints/score/action' on the endpoint "
    "(the role 'AzureML Data Scientist' has it), and log in again (az login) if its token has expired",
}


@contextmanager
def _as_endpoint_error() -> Iterator[None]:
    """Turns `AzureMLError` into `EndpointError`, which is what callers of an endpoint expect."""
    try:
        yield
    except AzureMLError as error:
        raise EndpointError(str(error), error.facts) from error


@dataclass
class EndpointCredential:
    """The credential of the endpoint that the workspace's settings name; fetched when first needed.

    Its key, its own token, or a token of Microsoft Entra: tokens expire and are fetched anew. `page`: the endpoint's, in the studio.
    """

    workspace: Workspace
    page: str
    _shown: str | None = field(default=None, init=False, repr=False)
    _good_until: float = field(default=0.0, init=False, repr=False)

    def value(self) -> str:
        """The key or token to use now. Raises `AzureMLError` if it cannot be fetched."""
        if self._shown is None or time.time() >= self._good_until:
            self._shown = self._fetch()
        return self._shown

    def forget(self) -> None:
        """Makes the next `value` fetch a new one: the endpoint did not accept the last one."""
        self._shown = None

    def refusal(self, status: int, words: str) -> AzureMLError:
        """The error if a credential is refused that was just fetched. It does not contain the credential."""
        own = self.workspace.settings
        return AzureMLError(
            f"endpoint {own.endpoint}",
            f"refuses our {own.endpoint_auth.value} ({status}: {words})",
            REMEDIES[own.endpoint_auth],
            self.page,
        )

    def _fetch(self) -> str:
        name = self.workspace.settings.endpoint
        with faults_of(f"credentials of endpoint {name}", self.page):
            given: Any = self.workspace.client.online_endpoints.get_keys(name)
        key = getattr(given, "primary_key", None)
        self._good_until = float("inf") if key else float(given.expiry_time_utc) - EARLY_SECONDS
        return str(key or given.access_token)


@dataclass
class AzureMLEndpoint:
    """The endpoint of the settings' name. `models_folder`: where the platform keeps copies of models; `states`: customer states."""

    settings: AzureMLSettings
    models_folder: Path
    states: ServingStates
    _operations: dict[str, Any] = field(default_factory=dict, init=False, repr=False)
    """The operations that this process has begun, by deployment."""

    @cached_property
    def workspace(self) -> Workspace:
        """The connection."""
        return Workspace(self.settings)

    @cached_property
    def _credential(self) -> EndpointCredential:
        return EndpointCredential(self.workspace, self._page)

    @property
    def _page(self) -> str:
        return self.workspace.studio(f"endpoints/realtime/{self.settings.endpoint}")

    @_as_endpoint_error()
    def desired(self) -> DesiredState:
        """What should run. Raises `EndpointError` if its tags are damaged or cannot be read."""
        entity = self._entity()
        if entity is None:
            return DesiredState()
        try:
            return desired_from_tags(dict(entity.tags or {}), self.models_folder)
        except ValueError as error:
            raise EndpointError(f"{self.describe()}: its tags say nothing sensible ({error}); deploy again") from error

    @_as_endpoint_error()
    def deploy(self, desired: DesiredState) -> None:
        """Declares what should run, and has Azure begin with it. Waits for the endpoint itself, not for deployments."""
        self._declare(desired)
        self._advance(desired, retry_failed=True)

    def bring_back(self) -> bool:
        """Azure keeps what is declared running by itself."""
        return False

    @_as_endpoint_error()
    def wait_healthy(self, name: str, seconds: float | None = None) -> ObservedDeployment:
        """Waits until a deployment is provisioned as declared. Raises `EndpointError` with the end of its log if it is not."""
        desired = self.desired()
        if name not in desired.deployments:
            raise EndpointError(f"deployment {name!r} is not declared; deploy it first")
        deadline = time.monotonic() + (seconds or self.settings.deployment_wait_seconds)
        while True:
            self._advance(desired)
            found = self._deployments().get(name)
            if found is not None and self._is_as_wanted(found, desired.deployments[name]):
                return self._observed(found, self._entity())
            state = provisioning_state(found) if found is not None else "not there"
            if state in online.GIVEN_UP:
                raise self._failure(name, state)
            self._pause(deadline, f"deployment {name}", f"is {state} and was not ready in time")

    @_as_endpoint_error()
    def wait_until_converged(self, seconds: float | None = None) -> ObservedState:
        """Waits until traffic, mirror and deployments are as declared. Raises `EndpointError`."""
        desired = self.desired()
        deadline = time.monotonic() + (seconds or self.settings.deployment_wait_seconds)
        while not self._advance(desired):
            found = self._deployments()  # those that are not declared are ended, whatever became of them
            for name in desired.deployments:
                if name in found and provisioning_state(found[name]) in online.GIVEN_UP:
                    raise self._failure(name)
            self._pause(deadline, f"endpoint {self.settings.endpoint}", "was not as declared in time")
        return self.observed()

    def _pause(self, deadline: float, resource: str, fault: str) -> None:
        """Waits before the next look. Raises `AzureMLError` once the deadline has passed."""
        if time.monotonic() > deadline:
            raise AzureMLError(resource, fault, "run it again: it goes on waiting", self._page)
        time.sleep(self.settings.poll_seconds)

    @_as_endpoint_error()
    def observed(self) -> ObservedState:
        """What runs."""
        entity = self._entity()
        if entity is None:
            return ObservedState(None, running=False, healthy=False, routed=False, converged=False)
        found = self._deployments()
        desired = desired_from_tags(dict(entity.tags or {}), self.models_folder)
        ready = provisioning_state(entity) == online.SUCCEEDED
        return ObservedState(
            url=str(entity.scoring_uri).removesuffix("/score"),
            running=True,
            healthy=ready,
            routed=ready,
            converged=ready and self._is_converged(desired, entity, found),
            deployments=[self._observed(one, entity) for one in found.values()],
            page=self._page,
        )

    def _observed(self, one: "OnlineDeployment", entity: "OnlineEndpoint | None") -> ObservedDeployment:
        tags = dict(one.tags or {})
        version, content = tags.get(online.MODEL_VERSION, ""), tags.get(online.CONTENT_HASH, "")
        created = getattr(one.creation_context, "created_at", None) if one.creation_context else None
        traffic = dict(entity.traffic or {}) if entity is not None else {}
        return ObservedDeployment(
            name=str(one.name),
            deployment=_deployment_of(self.models_folder, version, content),
            phase=PHASES.get(provisioning_state(one), "starting"),
            healthy=provisioning_state(one) == online.SUCCEEDED,
            restarts=0,
            since=str(created or ""),
            traffic=int(traffic.get(str(one.name), 0)),
            status={name: value for name, value in tags.items() if name in online.STATED_BY_TAGS},
        )

    @_as_endpoint_error()
    def score(self, requests: Sequence[Mapping[str, Any]], deployment: str | None = None) -> dict[str, Any]:
        """The answer to one call, by a client of our own: the SDK's sends one call's headers with the next one too."""
        entity = self._entity()
        if entity is None or not entity.scoring_uri:
            raise EndpointError(f"{self.describe()} is not there; materialize endpoints/recommender")
        answer = self._post(str(entity.scoring_uri), requests, deployment)
        if answer.status_code in REFUSED:
            self._credential.forget()  # a token has expired, or the keys were made anew
            answer = self._post(str(entity.scoring_uri), requests, deployment)
        if answer.status_code in REFUSED:
            raise self._credential.refusal(answer.status_code, _message_of(answer))
        if answer.status_code != http.client.OK:
            raise EndpointError(f"the endpoint answers {answer.status_code}: {_message_of(answer)}")
        document: dict[str, Any] = answer.json()
        return document

    def _post(self, address: str, requests: Sequence[Mapping[str, Any]], deployment: str | None) -> Any:
        import requests as http_requests

        headers = {"Authorization": f"Bearer {self._credential.value()}"}
        if deployment is not None:
            headers[DEPLOYMENT_HEADER] = deployment
        body = {"requests": list(requests)}
        try:
            return http_requests.post(address, json=body, headers=headers, timeout=ANSWER_SECONDS)
        except http_requests.RequestException as error:
            raise EndpointError(
                f"{self.describe()} cannot be reached ({type(error).__name__}); see {self._page}"
            ) from error

    def describe(self) -> str:
        """The endpoint's name and workspace."""
        return f"online endpoint {self.settings.endpoint} of {self.settings.describe()}"

    # Each step first checks what is there, so that it can be repeated after any interruption.

    def _entity(self) -> "OnlineEndpoint | None":
        """The endpoint, or none."""
        name, get = self.settings.endpoint, self.workspace.client.online_endpoints.get
        return found_or_none(f"endpoint {name}", lambda: get(name), self._page)

    def _deployments(self) -> dict[str, "OnlineDeployment"]:
        """What is deployed, whatever its state, by name."""
        with faults_of(f"deployments of endpoint {self.settings.endpoint}", self._page):
            found = self.workspace.client.online_deployments.list(endpoint_name=self.settings.endpoint)
            return {str(one.name): one for one in found}

    def _declare(self, desired: DesiredState) -> None:
        """Writes what should run into the endpoint's tags; makes the endpoint if it is not there, and waits for that.

        Raises `AzureMLError` if an endpoint of the other kind has its name.
        """
        settings, entity, tags = self.settings, self._entity(), desired_as_tags(desired)
        if entity is None:
            if settings.endpoint_compute is not None and settings.endpoint_kind is EndpointKind.KUBERNETES:
                ensure_kubernetes(self.workspace, settings.endpoint_compute)
            self._write(lambda: online.endpoint_entity(settings, {"git_commit": git_commit(), **tags}))
            return
        kind = online.kind_of(entity)
        if kind is not settings.endpoint_kind:
            raise AzureMLError(
                f"endpoint {settings.endpoint}",
                f"is {kind.value}, not {settings.endpoint_kind.value}, and cannot be changed to that",
                f"choose another name by {PREFIX}ENDPOINT, or delete the endpoint",
                self._page,
            )
        wanted = {**other_tags(entity.tags or {}), **tags}
        if (dict(entity.tags or {}), entity.auth_mode) != (wanted, settings.endpoint_auth.value):

            def declare(entity: "OnlineEndpoint") -> None:
                entity.tags = {**other_tags(entity.tags or {}), **tags}
                entity.auth_mode = settings.endpoint_auth.value

            self._change(declare)

    def _change(self, change: Callable[["OnlineEndpoint"], None]) -> "OnlineEndpoint":
        """Changes the endpoint that is there, and returns it. It is read at each attempt: what others changed meanwhile stays."""

        def changed() -> "OnlineEndpoint":
            entity = self.workspace.client.online_endpoints.get(self.settings.endpoint)
            change(entity)
            return entity

        return self._write(changed)

    def _write(self, entity: Callable[[], "OnlineEndpoint"]) -> "OnlineEndpoint":
        def write() -> "OnlineEndpoint":
            written = entity()
            self.workspace.client.online_endpoints.begin_create_or_update(written).result()
            return written

        with faults_of(f"endpoint {self.settings.endpoint}", self._page):
            return self._when_free(write)

    def _advance(self, desired: DesiredState, *, retry_failed: bool = False) -> bool:
        """Takes every step that can be taken now; returns whether all is as desired. Never waits for a deployment."""
        entity = self._entity()
        if entity is None:
            raise AzureMLError(f"endpoint {self.settings.endpoint}", "is not there", "deploy again", self._page)
        found = self._deployments()
        for name, wanted in desired.deployments.items():
            if self._needs_making(found.get(name), wanted, retry_failed=retry_failed):
                self._make(name, wanted)
        ready = {name for name, wanted in desired.deployments.items() if self._is_as_wanted(found.get(name), wanted)}
        if not self._has_traffic(desired, entity) and {*_shares(desired.traffic), *_mirrored(desired)} <= ready:

            def send(entity: "OnlineEndpoint") -> None:
                entity.traffic = {name: desired.traffic.get(name, 0) for name in found}
                entity.mirror_traffic = _mirrored(desired)

            entity = self._change(send)
        elif self._has_traffic(desired, entity):
            self._end_others(desired, found)
        return self._is_converged(desired, entity, found)

    def _needs_making(self, found: "OnlineDeployment | None", wanted: Deployment, *, retry_failed: bool) -> bool:
        """Whether to begin a deployment: there is none, a different one, or a failed one that is to be tried again."""
        if found is None:
            return True
        state = provisioning_state(found)
        if state in online.GIVEN_UP:
            return retry_failed
        return state == online.SUCCEEDED and not self._is_as_wanted(found, wanted)

    def _is_as_wanted(self, found: "OnlineDeployment | None", wanted: Deployment) -> bool:
        """Whether a deployment is provisioned with this model."""
        if found is None or provisioning_state(found) != online.SUCCEEDED:
            return False
        tags = found.tags or {}
        model = tags.get(online.MODEL_VERSION), tags.get(online.CONTENT_HASH)
        return model == (wanted.model_version, wanted.content_hash)

    def _is_converged(
        self, desired: DesiredState, entity: "OnlineEndpoint", found: dict[str, "OnlineDeployment"]
    ) -> bool:
        """Whether exactly what should run is running, with the traffic that it should have."""
        return (
            set(found) == set(desired.deployments)
            and all(self._is_as_wanted(found[name], wanted) for name, wanted in desired.deployments.items())
            and self._has_traffic(desired, entity)
        )

    def _has_traffic(self, desired: DesiredState, entity: "OnlineEndpoint") -> bool:
        return (_shares(entity.traffic), _shares(entity.mirror_traffic)) == (
            _shares(desired.traffic),
            _mirrored(desired),
        )

    def _make(self, name: str, wanted: Deployment) -> None:
        """Begins a deployment; Azure goes on with it whatever becomes of this process."""
        settings = self.settings
        state = self.states.current()
        conda = serving_conda(collects_data=settings.collect_data)
        model = wanted.model_version, wanted.content_hash
        spec = online.spec_of(settings, name, model, state.name, conda, container_url(self.workspace))
        environment = ensure_environment(self.workspace, serving_environment(self.workspace, conda))
        with tempfile.TemporaryDirectory(prefix="globolatte-deployment-") as scratch:
            code = write_folder(spec, Path(scratch) / "code", state)
            entity = online.deployment_entity(settings, spec, code, environment)
            with faults_of(f"deployment {name} of endpoint {self.settings.endpoint}", self._page):
                self._operations[name] = self._when_free(
                    lambda: self.workspace.client.online_deployments.begin_create_or_update(
                        entity, skip_script_validation=True
                    )
                )

    def _end_others(self, desired: DesiredState, found: dict[str, "OnlineDeployment"]) -> None:
        for name, one in found.items():
            if name not in desired.deployments and provisioning_state(one) != "Deleting":
                with faults_of(f"deployment {name} of endpoint {self.settings.endpoint}", self._page):
                    self._delete(name)

    def _delete(self, name: str) -> None:
        endpoint = self.settings.endpoint
        self._when_free(
            lambda: self.workspace.client.online_deployments.begin_delete(name=name, endpoint_name=endpoint).result()
        )

    def _when_free(self, act: Callable[[], Found]) -> Found:
        """Changes something of the endpoint, also where it has to wait for another change."""
        return when_free(act, self.settings.deployment_wait_seconds, self.settings.poll_seconds)

    def _failure(self, name: str, state: str = "Failed") -> AzureMLError:
        """Why a deployment failed: the operation's message if this process began it, and the end of the container's log."""
        reason = self._reason(name)
        try:
            log = self.workspace.client.online_deployments.get_logs(name, self.settings.endpoint, lines=LOG_LINES)
        except Exception as error:  # noqa: BLE001 - no log is no reason to hide the failure
            log = f"(no log: {message_of(error)})"
        return AzureMLError(
            f"deployment {name} of endpoint {self.settings.endpoint}",
            f"{state.lower()}{': ' + reason if reason else ''}. The last lines of its log:\n{log.strip()}\n",
            remedy_for(reason or "ResourceNotReady"),
            self._page,
        )

    def _reason(self, name: str) -> str:
        """The failure's reason, from the operation that this process began, which may report it later than the deployment does."""
        operation = self._operations.get(name)
        if operation is None:
            return ""
        try:
            operation.wait(REASON_SECONDS)
        except Exception as error:  # noqa: BLE001 - the operation's failure, whatever its kind, is what we are after
            return message_of(error)
        return "" if operation.done() else f"(its operation had no reason to tell within {REASON_SECONDS:g} seconds)"


def _message_of(answer: Any) -> str:
    """The message of an answer that reports a failure."""
    try:
        message = str(answer.json()["message"])
    except (KeyError, TypeError, ValueError):
        message = answer.text.strip()[:500] or answer.reason
    return message


def _shares(percentages: Any) -> dict[str, int]:
    """The percentages that are not zero."""
    return {name: int(percent) for name, percent in dict(percentages or {}).items() if percent}


def _mirrored(desired: DesiredState) -> dict[str, int]:
    """The mirror as Azure has it: percentages by deployment."""
    return {desired.mirror.deployment: desired.mirror.percent} if desired.mirror is not None else {}


DEPLOYMENT, TRAFFIC, MIRROR = "desired_deployment_", "desired_traffic", "desired_mirror"


def desired_as_tags(desired: DesiredState) -> dict[str, str]:
    """The desired state as tags."""
    tags = {
        f"{DEPLOYMENT}{name}": f"{one.model_version}/{one.content_hash}" for name, one in desired.deployments.items()
    }
    if desired.traffic:
        tags[TRAFFIC] = _percentages(desired.traffic)
    if desired.mirror is not None:
        tags[MIRROR] = _percentages(_mirrored(desired))
    return tags


def desired_from_tags(tags: Mapping[str, str], models_folder: Path) -> DesiredState:
    """The inverse of the tags. Raises `ValueError` if they are damaged."""
    deployments = {
        name.removeprefix(DEPLOYMENT): _deployment_of(models_folder, *value.partition("/")[::2])
        for name, value in tags.items()
        if name.startswith(DEPLOYMENT)
    }
    mirrored = list(_numbers(tags.get(MIRROR, "")).items())
    return DesiredState(deployments, _numbers(tags.get(TRAFFIC, "")), Mirror(*mirrored[0]) if mirrored else None)


def other_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The tags whose value differs."""
    return {name: value for name, value in tags.items() if not name.startswith((DEPLOYMENT, TRAFFIC, MIRROR))}


def _deployment_of(models_folder: Path, version: str, content: str) -> Deployment:
    return Deployment(str(models_folder / folder_name(version, content)), version, content)


def _percentages(numbers: Mapping[str, int]) -> str:
    return ",".join(f"{name}={percent}" for name, percent in sorted(numbers.items()))


def _numbers(text: str) -> dict[str, int]:
    pairs = (part.partition("=") for part in text.split(",") if part)
    return {name: int(percent) for name, _, percent in pairs}
