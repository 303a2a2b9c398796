"""Long-running operations: work in a thread, with a status that the client polls."""

import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.emulators.azureml.calls import GROUP, PROVIDER, Answer, Call, Refused, error_body
from tests.emulators.azureml.faults import Faults
from tests.emulators.azureml.network import MANAGEMENT, REGION
from tests.emulators.azureml.routes import route

SUBSCRIPTION = GROUP.partition("/resourceGroups")[0]
QUICK_MILLISECONDS = 20
WORKING_MILLISECONDS = 200
REPORTING_SECONDS = 2.0
"""How long a resource waits with its failure until the client has read it from the operation, which states the reason."""

Work = Callable[[], None]


class OperationFailed(Exception):  # noqa: N818
    """The work of an operation failed; the client reads code and message from its status."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass
class Operation:
    """One operation. It is done when its work is, but not before the client has asked `polls` times in vain."""

    polls: int
    retry_milliseconds: int
    name: str = field(default_factory=lambda: str(uuid.uuid4()))
    status: str = "InProgress"
    error: dict[str, Any] | None = None
    finished: threading.Event = field(default_factory=threading.Event)
    reported: threading.Event = field(default_factory=threading.Event)


class Operations:
    """All operations of a stand-in."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._all: dict[str, Operation] = {}
        self._threads: list[threading.Thread] = []

    def start(self, done: Work, work: Work | None = None, failed: Callable[[str], None] | None = None) -> Operation:
        """Begins an operation: `work`, if any, in a thread, then `done`; or `failed` with the reason."""
        operation = Operation(
            self._faults.operation_polls, WORKING_MILLISECONDS if work is not None else QUICK_MILLISECONDS
        )
        self._all[operation.name] = operation
        if work is None:
            _carry_out(operation, done, None, failed)
        else:
            thread = threading.Thread(target=_carry_out, args=(operation, done, work, failed), daemon=True)
            self._threads.append(thread)
            thread.start()
        return operation

    def get(self, name: str) -> Operation | None:
        return self._all.get(name)

    def join(self) -> None:
        """Waits for whatever is still at work."""
        for thread in self._threads:
            thread.join(timeout=60)


def _carry_out(operation: Operation, done: Work, work: Work | None, failed: Callable[[str], None] | None) -> None:
    try:
        if work is not None:
            work()
        done()
        operation.status = "Succeeded"
    except OperationFailed as error:
        operation.error = error_body(error.code, error.message)
        operation.status = "Failed"
        operation.finished.set()
        operation.reported.wait(REPORTING_SECONDS)
        if failed is not None:
            failed(error.message)
    finally:
        if operation.status == "InProgress":
            operation.error = error_body("InternalServerError", "The stand-in failed; see its log")
            operation.status = "Failed"
        operation.finished.set()


def accepted(call: Call, operation: Operation, status: int, body: Any = None) -> Answer:
    """The answer that begins an operation."""
    scope = f"/subscriptions/{call.names['subscription']}/providers/{PROVIDER}/locations/{REGION}"
    address = f"https://{MANAGEMENT}{scope}/mfeOperationsStatus/{operation.name}?api-version={call.api_version}"
    headers = {
        "Azure-AsyncOperation": address,
        "x-ms-async-operation-timeout": "PT30M",
        "x-ms-retry-after-ms": str(operation.retry_milliseconds),
    }
    headers["Location"] = f"https://{call.host}{call.path}?api-version={call.api_version}"
    if status == 202:
        headers["Location"] = address.replace("mfeOperationsStatus", "mfeOperationResults")
    return Answer(status, body, headers)


@route("GET", f"{SUBSCRIPTION}/providers/{PROVIDER}/locations/{{location}}/mfeOperationsStatus/{{operation}}")
def operation_status(call: Call) -> Answer:
    """How an operation does."""
    operation = _needed(call)
    operation.polls -= 1
    if operation.polls >= 0 or not operation.finished.is_set():
        pause = {"x-ms-retry-after-ms": str(operation.retry_milliseconds)}
        return Answer(200, {"id": call.path, "name": operation.name, "status": "InProgress"}, pause)
    operation.reported.set()
    body: dict[str, Any] = {"id": call.path, "name": operation.name, "status": operation.status}
    if operation.error is not None:
        body["error"] = operation.error
    return Answer(200, body)


@route("GET", f"{SUBSCRIPTION}/providers/{PROVIDER}/locations/{{location}}/mfeOperationResults/{{operation}}")
def operation_result(call: Call) -> Answer:
    """The result of an operation that leaves none."""
    operation = _needed(call)
    if not operation.finished.is_set():
        return Answer(202, None, {"Location": f"https://{MANAGEMENT}{call.path}?api-version={call.api_version}"})
    return Answer(204 if operation.status == "Succeeded" else 409)


def _needed(call: Call) -> Operation:
    operation = call.world.operations.get(call.names["operation"])
    if operation is None:
        raise Refused(404, "NotFound", f"operation {call.names['operation']} not found")
    return operation
