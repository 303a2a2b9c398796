"""What callers of the online endpoint show: its key, its own token, or a token of Microsoft Entra. Tokens expire and are fetched anew."""

import time
from dataclasses import dataclass, field
from typing import Any

from resources.ml.azureml.faults import AzureMLError, faults_of
from resources.ml.azureml.workspace import Workspace
from resources.settings.azureml import PREFIX, EndpointAuth

EARLY_SECONDS = 30.0
"""A token is not shown in the last seconds of its life: a request may be under way for that long."""

REMEDIES = {
    EndpointAuth.KEY: f"see that {PREFIX}ENDPOINT names the endpoint that you mean, then run it again",
    EndpointAuth.AML_TOKEN: "give the identity that runs this the action 'onlineEndpoints/token/action' on the endpoint "
    "(the role 'AzureML Data Scientist' has it), and check this machine's clock",
    EndpointAuth.AAD_TOKEN: "give the identity that runs this the action 'onlineEndpoints/score/action' on the endpoint "
    "(the role 'AzureML Data Scientist' has it), and log in again (az login) if its token has expired",
}


@dataclass
class EndpointCredential:
    """The credential of the endpoint that the workspace's settings name; fetched when first needed."""

    workspace: Workspace
    _shown: str | None = field(default=None, init=False, repr=False)
    _good_until: float = field(default=0.0, init=False, repr=False)

    def value(self) -> str:
        """The key or token to show now. Raises `AzureMLError` if it cannot be had."""
        if self._shown is None or time.time() >= self._good_until:
            self._shown = self._fetch()
        return self._shown

    def forget(self) -> None:
        """The next `value` is fetched: the endpoint did not take the last one."""
        self._shown = None

    def refusal(self, status: int, words: str) -> AzureMLError:
        """What to say where a credential that was just fetched is refused; the credential itself is not in it."""
        own = self.workspace.settings
        return AzureMLError(
            f"endpoint {own.endpoint}",
            f"refuses our {own.endpoint_auth.value} ({status}: {words})",
            REMEDIES[own.endpoint_auth],
            self._page,
        )

    @property
    def _page(self) -> str:
        return self.workspace.studio(f"endpoints/realtime/{self.workspace.settings.endpoint}")

    def _fetch(self) -> str:
        name = self.workspace.settings.endpoint
        with faults_of(f"credentials of endpoint {name}", self._page):
            given: Any = self.workspace.client.online_endpoints.get_keys(name)
        key = getattr(given, "primary_key", None)
        self._good_until = float("inf") if key else float(given.expiry_time_utc) - EARLY_SECONDS
        return str(key or given.access_token)
