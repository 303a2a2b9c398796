"""Whether a body is what the SDK's own REST models say: nothing unknown, nothing required missing, values of their type.

The models are those of the installed `azure-ai-ml`; nothing of them is written down here. A model is named by itself
(`DataVersionBase`) or with the client that carries it (`runhistory.RunDetails`).
"""

import datetime
import enum
import functools
import importlib
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import isodate

CLIENTS = "azure.ai.ml._restclient"
MAIN_CLIENT = "arm_ml_service"
PRIMITIVES: dict[Any, tuple[type, ...]] = {str: (str,), bool: (bool,), int: (int,), float: (float, int)}
PREVIEW_FIELDS: dict[str, dict[str, Any]] = {
    "ComputeInstanceProperties": {"enableRootAccess": bool, "releaseQuotaOnStop": bool, "enableOSPatching": bool},
    "DataDriftMonitoringSignal": {"mode": str},
    "DataQualityMonitoringSignal": {"mode": str},
    "PredictionDriftMonitoringSignal": {"mode": str},
    "MonitorDefinition": {"alertNotificationSetting": Any},
    "MonitoringInputDataBase": {
        "windowSize": datetime.timedelta,
        "windowOffset": datetime.timedelta,
        "preprocessingComponentId": str,
    },
    "ModelVersionProperties": {"system_metadata": Any},
    "RegistryProperties": {"managedResourceGroupTags": dict[str, str]},
    "TableVerticalLimitSettings": {"sweepConcurrentTrials": int, "sweepTrials": int},
}
"""What the SDK sends for preview versions of the API although the models that it carries do not know it."""


@dataclass(frozen=True)
class Field:
    """One field of a model: its type, and who may write it."""

    kind: Any
    required: bool
    returned: bool
    """Whether answers carry it; secrets are only ever sent to the service."""
    taken: bool
    """Whether requests carry it; states are only in the service's answers."""


@functools.cache
def model(name: str) -> type:
    """A REST model of the SDK. Raises `AttributeError` if the installed SDK has none of that name."""
    client, _, own = name.rpartition(".")
    found: type = getattr(importlib.import_module(f"{CLIENTS}.{client or MAIN_CLIENT}.models"), own)
    return found


def fields_of(name: str) -> dict[str, Field]:
    """The fields of a model by their name on the wire."""
    return _fields(model(name))


def request_faults(name: str, value: Any) -> list[str]:
    """What of a request's body (as `as_the_service_reads` gives it) does not fit a model, one sentence each."""
    return list(_Side(is_request=True).check(value, model(name), name))


def as_the_service_reads(name: str, value: Any) -> Any:
    """A request's body as the service takes it: names of enumerations in any case, numbers where texts belong."""
    return _read(value, model(name))


def _read(value: Any, kind: Any) -> Any:
    options = [option for option in typing.get_args(kind) if option is not type(None)]
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        enums = [option for option in options if isinstance(option, type) and issubclass(option, enum.Enum)]
        return _read(value, (enums or options)[0])
    if isinstance(value, dict) and getattr(kind, "_is_model", False):
        fields = _fields(_actual(kind, value))
        return {key: _read(inner, fields[key].kind) if key in fields else inner for key, inner in value.items()}
    if isinstance(value, dict) and typing.get_origin(kind) is dict:
        return {key: _read(inner, options[-1]) for key, inner in value.items()}
    if isinstance(value, list) and typing.get_origin(kind) is list:
        return [_read(inner, options[-1]) for inner in value]
    if isinstance(value, str) and isinstance(kind, type) and issubclass(kind, enum.Enum):
        return next((option.value for option in kind if option.value.lower() == value.lower()), value)
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return str(value) if number and kind is str else value


def answer_faults(name: str, value: Any) -> list[str]:
    """The same for an answer."""
    return list(_Side(is_request=False).check(value, model(name), name))


def page_faults(name: str, value: Any) -> list[str]:
    """The same for a page of a list."""
    if not isinstance(value, dict) or not isinstance(value.get("value"), list):
        return [f"{name}: a page has a list under 'value'"]
    unknown = [f"{name}: a page has no {key!r}" for key in value if key not in ("value", "nextLink")]
    check = _Side(is_request=False).check
    return unknown + [
        fault for number, item in enumerate(value["value"]) for fault in check(item, model(name), f"{name}[{number}]")
    ]


@dataclass(frozen=True)
class _Side:
    """The check of a request (`is_request`) or of an answer."""

    is_request: bool

    def check(self, value: Any, kind: Any, where: str) -> Iterator[str]:
        origin = typing.get_origin(kind)
        if kind is Any:
            return
        if origin in (typing.Union, types.UnionType):
            yield from self._check_union(value, typing.get_args(kind), where)
        elif value is None:
            yield f"{where} is null"
        elif origin in (list, dict):
            yield from self._check_collection(value, origin, typing.get_args(kind)[-1], where)
        elif getattr(kind, "_is_model", False):
            yield from self._check_model(value, kind, where)
        else:
            yield from _check_scalar(value, kind, where)

    def _check_union(self, value: Any, options: tuple[Any, ...], where: str) -> Iterator[str]:
        if value is None and type(None) in options:
            return
        real = [option for option in options if option is not type(None)]
        enums = [option for option in real if isinstance(option, type) and issubclass(option, enum.Enum)]
        faults = [list(self.check(value, option, where)) for option in enums or real]  # `str | Enum`: the enum's values
        if all(faults):
            yield from faults[0]

    def _check_collection(self, value: Any, origin: type, item: Any, where: str) -> Iterator[str]:
        if not isinstance(value, origin):
            yield f"{where} is {type(value).__name__}, not {origin.__name__}"
            return
        for key, inner in enumerate(value) if isinstance(value, list) else value.items():
            yield from self.check(inner, item, f"{where}[{key}]")

    def _check_model(self, value: Any, kind: type, where: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{where} is {type(value).__name__}, not an object ({kind.__name__})"
            return
        actual = _actual(kind, value)
        fields = _fields(actual)
        for name, inner in value.items():
            if name not in fields:
                yield f"{where}.{name} is unknown to {actual.__name__}"
            elif not self.is_request and not fields[name].returned:
                yield f"{where}.{name} is never told by the service"
            else:
                yield from self.check(inner, fields[name].kind, f"{where}.{name}")
        for name, field in fields.items():
            expected = field.taken if self.is_request else field.returned
            if field.required and expected and name not in value:
                yield f"{where}.{name} is missing; {actual.__name__} requires it"


def _check_scalar(value: Any, kind: Any, where: str) -> Iterator[str]:
    if typing.get_origin(kind) is typing.Literal:
        allowed = [getattr(option, "value", option) for option in typing.get_args(kind)]
        if value not in allowed:
            yield f"{where} is {value!r}, not {' or '.join(map(repr, allowed))}"
    elif isinstance(kind, type) and issubclass(kind, enum.Enum):
        if value not in [option.value for option in kind]:
            yield f"{where} is {value!r}, which {kind.__name__} does not know"
    elif kind in (datetime.datetime, datetime.timedelta):
        yield from _check_time(value, kind, where)
    elif kind in PRIMITIVES:
        if not isinstance(value, PRIMITIVES[kind]) or (isinstance(value, bool) and kind is not bool):
            yield f"{where} is {value!r}, not {kind.__name__}"
    else:
        yield f"{where}: the stand-in cannot check {kind!r}"


def _check_time(value: Any, kind: Any, where: str) -> Iterator[str]:
    try:
        (isodate.parse_datetime if kind is datetime.datetime else isodate.parse_duration)(value)
    except (ValueError, TypeError, isodate.ISO8601Error):
        yield f"{where} is {value!r}, no {kind.__name__} of ISO 8601"


def _actual(kind: Any, value: dict[str, Any]) -> type:
    """The subclass that the discriminators choose."""
    seen: list[str] = []
    while hasattr(kind, "__mapping__"):
        discriminator = kind._get_discriminator(seen)
        chosen = kind.__mapping__.get(value.get(discriminator._rest_name)) if discriminator is not None else None
        if chosen is None:
            break
        seen.append(discriminator._rest_name)
        kind = chosen
    found: type = kind
    return found


@functools.cache
def _fields(kind: Any) -> dict[str, Field]:
    """The fields of a model by their name on the wire."""
    kind.__new__(kind)  # computes its fields
    package = importlib.import_module(kind.__module__.rpartition(".")[0])
    hints = typing.get_type_hints(kind, vars(importlib.import_module(kind.__module__)) | {"_models": package})
    preview = PREVIEW_FIELDS.get(kind.__name__, {})
    return {name: Field(hint | None, required=False, returned=True, taken=True) for name, hint in preview.items()} | {
        field._rest_name: _field(hints[name], field._visibility or ["read", "create"])
        for name, field in kind._attr_to_rest_field.items()
    }


def _field(hint: Any, visibility: list[str]) -> Field:
    optional = hint is Any or type(None) in typing.get_args(hint)
    return Field(hint, not optional, returned="read" in visibility, taken=bool({"create", "update"} & set(visibility)))
