"""`AzureMLEndpoint`: the online endpoint in a workspace, behind the protocol `resources.endpoint.endpoint.Endpoint`.

What should run is kept in tags of the endpoint; each look takes the next steps towards it. A run that was cut off is gone on with by
whoever looks next: a deployment that Azure is still making is waited for, not made again.
"""

import http.client
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resources.endpoint.azureml import online
from resources.endpoint.azureml.endpoint_credential import EndpointCredential
from resources.endpoint.azureml.endpoint_update import SUCCEEDED, EndpointUpdate, desired_from_tags
from resources.endpoint.endpoint import (
    DEPLOYMENT_HEADER,
    Deployment,
    DesiredState,
    EndpointError,
    ObservedDeployment,
    ObservedState,
)
from resources.endpoint.serving_state import ServingStates
from resources.ml.azureml.faults import AzureMLError
from resources.ml.azureml.models import folder_name
from resources.ml.azureml.workspace import Workspace, provisioning_state
from resources.settings.azureml import AzureMLSettings

if TYPE_CHECKING:
    from azure.ai.ml.entities import OnlineDeployment, OnlineEndpoint

ANSWER_SECONDS = 185.0
"""Azure gives a request 180 seconds at the most."""
REFUSED = frozenset({http.client.UNAUTHORIZED, http.client.FORBIDDEN})
PHASES = {
    SUCCEEDED: "serving",
    "Failed": "waiting to start again",
    "Canceled": "waiting to start again",
    "Deleting": "draining",
}


@dataclass
class AzureMLEndpoint:
    """The endpoint of the settings' name. `models_folder`: where the platform keeps copies of models; `states`: customer states."""

    settings: AzureMLSettings
    models_folder: Path
    states: ServingStates

    @cached_property
    def workspace(self) -> Workspace:
        """The connection."""
        return Workspace(self.settings)

    @cached_property
    def _update(self) -> EndpointUpdate:
        return EndpointUpdate(self.workspace, self.models_folder, self.states)

    @cached_property
    def _credential(self) -> EndpointCredential:
        return EndpointCredential(self.workspace)

    @property
    def _page(self) -> str:
        return self.workspace.studio(f"endpoints/realtime/{self.settings.endpoint}")

    def desired(self) -> DesiredState:
        """What should run. Raises `EndpointError` if the tags that say so are damaged, or cannot be read."""
        with _as_endpoint_error():
            entity = self._update.endpoint()
        if entity is None:
            return DesiredState()
        try:
            return desired_from_tags(dict(entity.tags or {}), self.models_folder)
        except ValueError as error:
            raise EndpointError(f"{self.describe()}: its tags say nothing sensible ({error}); deploy again") from error

    def deploy(self, desired: DesiredState) -> None:
        """Declares what should run, and has Azure begin with it. Waits for the endpoint itself, not for deployments."""
        with _as_endpoint_error():
            self._update.declare(desired)
            self._update.advance(desired, retry_failed=True)

    def wait_healthy(self, name: str, seconds: float | None = None) -> ObservedDeployment:
        """Waits until a deployment is provisioned as declared. Raises `EndpointError` with the end of its log if it is not."""
        desired = self.desired()
        if name not in desired.deployments:
            raise EndpointError(f"deployment {name!r} is not declared; deploy it first")
        deadline = time.monotonic() + (seconds or self.settings.deployment_wait_seconds)
        with _as_endpoint_error():
            while True:
                self._update.advance(desired)
                found = self._update.deployments().get(name)
                state = provisioning_state(found) if found is not None else "not there"
                if found is not None and self._update.is_as_wanted(found, desired.deployments[name]):
                    return self._observed(found, self._update.endpoint())
                if state in online.GIVEN_UP:
                    raise self._update.failure(name, state)
                if time.monotonic() > deadline:
                    raise AzureMLError(
                        f"deployment {name}",
                        f"is {state} and was not ready in time",
                        "run it again: it goes on waiting",
                        self._page,
                    )
                time.sleep(self.settings.poll_seconds)

    def wait_settled(self, seconds: float | None = None) -> ObservedState:
        """Waits until traffic, mirror and deployments are as declared. Raises `EndpointError`."""
        desired = self.desired()
        deadline = time.monotonic() + (seconds or self.settings.deployment_wait_seconds)
        with _as_endpoint_error():
            while not self._update.advance(desired):
                found = self._update.deployments()
                failed = [name for name, one in found.items() if provisioning_state(one) in online.GIVEN_UP]
                failed = [name for name in failed if name in desired.deployments]  # the others are ended
                if failed:
                    raise self._update.failure(failed[0])
                if time.monotonic() > deadline:
                    raise AzureMLError(
                        f"endpoint {self.settings.endpoint}",
                        "was not as declared in time",
                        "run it again: it goes on",
                        self._page,
                    )
                time.sleep(self.settings.poll_seconds)
        return self.observed()

    def observed(self) -> ObservedState:
        """What runs."""
        with _as_endpoint_error():
            entity = self._update.endpoint()
            if entity is None:
                return ObservedState(None, running=False, healthy=False, routed=False, settled=False)
            found = self._update.deployments()
            desired = desired_from_tags(dict(entity.tags or {}), self.models_folder)
            ready = provisioning_state(entity) == SUCCEEDED
            return ObservedState(
                url=str(entity.scoring_uri).removesuffix("/score"),
                running=True,
                healthy=ready,
                routed=ready,
                settled=ready and self._update.is_settled(desired, entity, found),
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
            deployment=Deployment(str(self.models_folder / folder_name(version, content)), version, content),
            phase=PHASES.get(provisioning_state(one), "starting"),
            healthy=provisioning_state(one) == SUCCEEDED,
            restarts=0,
            since=str(created or ""),
            traffic=int(traffic.get(str(one.name), 0)),
            status={
                name: tags[name]
                for name in (online.MODEL_VERSION, online.CONTENT_HASH, online.STATE_VERSION)
                if name in tags
            },
        )

    def score(self, requests: Sequence[Mapping[str, Any]], deployment: str | None = None) -> dict[str, Any]:
        """The answer to one call, by a client of our own: the SDK's sends one call's headers with the next one too."""
        with _as_endpoint_error():
            entity = self._update.endpoint()
        if entity is None or not entity.scoring_uri:
            raise EndpointError(f"{self.describe()} is not there; materialize endpoints/recommender")
        answer = self._asked(str(entity.scoring_uri), requests, deployment)
        if answer.status_code in REFUSED:
            self._credential.forget()  # a token has expired, or the keys were made anew
            answer = self._asked(str(entity.scoring_uri), requests, deployment)
        if answer.status_code in REFUSED:
            with _as_endpoint_error():
                raise self._credential.refusal(answer.status_code, _words_of(answer))
        if answer.status_code != http.client.OK:
            raise EndpointError(f"the endpoint answers {answer.status_code}: {_words_of(answer)}")
        document: dict[str, Any] = answer.json()
        return document

    def _asked(self, address: str, requests: Sequence[Mapping[str, Any]], deployment: str | None) -> Any:
        import requests as http_requests

        with _as_endpoint_error():
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


def _words_of(answer: Any) -> str:
    """What an answer that is none says."""
    try:
        said = str(answer.json()["message"])
    except (KeyError, TypeError, ValueError):
        said = answer.text.strip()[:500] or answer.reason
    return said


class _as_endpoint_error:  # noqa: N801 - reads as the statement that it is
    """Turns `AzureMLError` into `EndpointError`, which is what callers of an endpoint expect."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, AzureMLError):
            raise EndpointError(str(error), error.facts) from error
