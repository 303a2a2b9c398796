"""Faults on demand. A test requests a fault before the call that it should hit, and that call uses it up."""

import re
import threading
from dataclasses import dataclass
from typing import Any

from tests.emulators.azureml.calls import Refused

QUOTA = (
    "Not enough quota available for {what}. Current usage/limit: 24/24. Additional needed: 4. Please see troubleshooting "
    "guide, available here: https://aka.ms/oe-tsg#error-outofquota"
)


@dataclass
class _Answered:
    method: str
    path: re.Pattern[str]
    times: int
    refusal: Refused


@dataclass
class _Named:
    kind: str
    name: str
    detail: Any
    times: int


class Faults:
    """Faults of one stand-in. `times` is how many calls meet a fault."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.clear()

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        with self._lock:
            self._answered: list[_Answered] = []
            self._named: list[_Named] = []
        self.operation_polls = 1
        """How often a long-running operation answers that it goes on before it reports its end."""
        self.page_size = 30
        """How many items a page of a list holds."""
        self.token_seconds = 3600
        """For how long a token is good that is given out from now on."""
        self.endpoint_token_seconds = 3600
        """The same for the tokens that endpoints give out themselves."""

    def refuse(self, path: str, status: int, code: str, message: str, *, method: str = "*", times: int = 1) -> None:
        """Answers calls whose path matches a regular expression with an error."""
        self._add(_Answered(method, re.compile(path, re.IGNORECASE), times, Refused(status, code, message)))

    def throttle(self, path: str = "", *, seconds: int = 1, method: str = "*", times: int = 1) -> None:
        """Answers calls with 429 and how long to wait."""
        message = f"The request is being throttled; retry after {seconds} seconds."
        refusal = Refused(429, "TooManyRequests", message, {"Retry-After": str(seconds)})
        self._add(_Answered(method, re.compile(path, re.IGNORECASE), times, refusal))

    def expire_token(self, path: str = "", *, times: int = 1) -> None:
        """Answers calls as if their token had run out."""
        message = "The access token has expired. Obtain a new one."
        refusal = Refused(401, "ExpiredAuthenticationToken", message, {"WWW-Authenticate": "Bearer"})
        self._add(_Answered("*", re.compile(path, re.IGNORECASE), times, refusal))

    def fail_job(self, name: str = "", message: str = "The node was lost", *, times: int = 1) -> None:
        """Fails jobs (by the start of their name) before their code runs."""
        self._named_fault("fail-job", name, message, times)

    def cancel_job(self, name: str = "", *, times: int = 1) -> None:
        """Cancels jobs when they begin to run, as a person in the studio or preemption does."""
        self._named_fault("cancel-job", name, None, times)

    def hold_job(self, name: str = "", *, times: int = 1) -> None:
        """Leaves jobs queued until they are cancelled, as a cluster without nodes does."""
        self._named_fault("hold-job", name, None, times)

    def fail_provisioning(
        self, name: str = "", message: str = "The container did not become ready", *, times: int = 1
    ) -> None:
        """Fails the provisioning of a deployment, endpoint, compute or schedule."""
        self._named_fault("provisioning", name, ("ProvisioningFailed", message), times)

    def out_of_quota(self, name: str = "", *, times: int = 1) -> None:
        """Refuses a deployment or compute for want of quota: while it is provisioned, as Azure does."""
        self._named_fault("provisioning", name, ("OutOfQuota", QUOTA.format(what=name or "cores")), times)

    def refusal_of(self, method: str, path: str) -> Refused | None:
        """The fault that a call meets, used up by it."""
        with self._lock:
            for fault in self._answered:
                if fault.times > 0 and fault.method in ("*", method) and fault.path.search(path):
                    fault.times -= 1
                    return fault.refusal
        return None

    def taken(self, kind: str, name: str) -> _Named | None:
        """The fault that something named meets, used up by it."""
        with self._lock:
            for fault in self._named:
                if fault.times > 0 and fault.kind == kind and name.startswith(fault.name):
                    fault.times -= 1
                    return fault
        return None

    def _add(self, fault: _Answered) -> None:
        with self._lock:
            self._answered.append(fault)

    def _named_fault(self, kind: str, name: str, detail: Any, times: int) -> None:
        with self._lock:
            self._named.append(_Named(kind, name, detail, times))
