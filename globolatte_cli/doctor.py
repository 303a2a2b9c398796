"""`globolatte doctor`: what is configured, reachable and missing, with remedies. Prints no secret."""

import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict
from importlib.metadata import version

import click
from pydantic import ValidationError
from pydantic_settings import BaseSettings
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from globolatte_cli.kept_parts import customer_state, dagster_storage, has_storage, ml_platform, waiting, warehouse
from globolatte_cli.output import JSON, plain_console, print_json
from globolatte_cli.prepare import manifest_is_current
from globolatte_cli.running_parts import Finding, daemon, disk, online_endpoint
from globolatte_cli.settings_page import shown, variable
from globolatte_ingest.paths import layout_of
from resources import environment
from resources.landing.landing_zone import REFERENCE_PREFIX, SALES_PREFIX
from resources.settings.azureml import AzureMLSettings
from resources.settings.choices import LandingKind, MissingSettingError, MLKind
from resources.settings.settings import Settings

REFERENCE_FILES = ("business_units.csv", "products.csv", "customers.csv")


def _home(settings: Settings) -> Finding:
    """Whether the home can be written; what is not there is not made."""
    home = next(folder for folder in (settings.home, *settings.home.parents) if folder.exists())
    remedy = "make it writable for this user, or set GLOBOLATTE_HOME to another folder"
    try:
        with tempfile.TemporaryFile(dir=home):
            pass
    except OSError as fault:
        return Finding("home", False, f"{settings.home} cannot be written: {fault.strerror or fault}", remedy)
    made = "" if home == settings.home else ": is not made yet, and the first `globolatte run` makes it"
    return Finding("home", True, f"{settings.home}{made}")


def _python(_: Settings) -> Finding:
    running = ".".join(map(str, sys.version_info[:3]))
    return Finding("Python", (3, 11) <= sys.version_info[:2] <= (3, 13), running, "use Python 3.11, 3.12 or 3.13")


def _packages(_: Settings) -> Finding:
    names = ("dagster", "dagster-azure", "dbt-core", "duckdb", "mlflow", "scikit-learn")
    return Finding("packages", True, ", ".join(f"{name} {version(name)}" for name in names))


def _landing(settings: Settings) -> Finding:
    landing = environment.landing_of(settings)
    if settings.landing is LandingKind.FOLDER and not settings.landing_folder.is_dir():
        what = "is a file and no folder" if settings.landing_folder.exists() else "is not there"
        needed = f"{REFERENCE_PREFIX}{', '.join(REFERENCE_FILES)}"
        remedy = (
            f"put the folder there again; into a new one put {needed} and the sales files, or try `globolatte demo`"
        )
        return Finding("landing zone", False, f"{landing.describe()}: {what}", remedy)
    paths = [file.path for file in landing.files(REFERENCE_PREFIX)]
    missing = [name for name in REFERENCE_FILES if REFERENCE_PREFIX + name not in paths]
    state = f"{landing.describe()}: reachable"
    if settings.landing is LandingKind.FOLDER:  # counting a whole container takes minutes
        layout = layout_of(settings)
        listing = landing.files(SALES_PREFIX if layout.is_usual else "")
        files = sum(1 for file in listing if layout.is_usual or layout.told(file.path))
        state = f"{landing.describe()}: {files:,} sales files"
    if missing:
        remedy = f"put {REFERENCE_PREFIX}{', '.join(missing)} into it, or try `globolatte demo`"
        return Finding("landing zone", False, state, remedy)
    return Finding("landing zone", True, f"{state}, reference data complete")


def _event_queue(settings: Settings) -> Finding:
    if settings.landing is LandingKind.FOLDER:
        return Finding("event queue", True, "none: a folder is looked at")
    if not environment.has_event_queue(settings):
        state, remedy = (
            "none: new blobs are found late, by looking",
            "set GLOBOLATTE_BLOB_QUEUE (docs/azure-landing.md)",
        )
        return Finding("event queue", False, state, remedy)
    events = environment.event_queue_of(settings)
    waiting, poisoned = events.lengths()
    state = f"{events.describe()}: about {waiting:,} messages, {poisoned:,} in its poison queue"
    return Finding("event queue", poisoned == 0, state, "read their reasons, correct the cause, then delete them")


def _manifest(settings: Settings) -> Finding:
    current = manifest_is_current(settings)
    state = "current" if current else "missing, out of date or of the other warehouse"
    return Finding("dbt manifest", current, state, "run `globolatte prepare`")


def _daemon(settings: Settings) -> Iterator[Finding]:
    if has_storage(settings):
        yield from daemon(settings)
    else:
        yield Finding("daemon", True, "nothing of it is on record (see Dagster's storage); `globolatte dev` starts it")


CHECKS: Mapping[str, Callable[[Settings], Finding | Iterator[Finding]]] = {
    "home": _home,
    "Python": _python,
    "packages": _packages,
    "dbt manifest": _manifest,
    "disk": disk,
    "landing zone": _landing,
    "event queue": _event_queue,
    "warehouse": warehouse,
    "waiting for a person": waiting,
    "ML platform": ml_platform,
    "customer state": customer_state,
    "online endpoint": online_endpoint,
    "Dagster's storage": dagster_storage,
    "daemon": _daemon,
}
"""By the name of what is looked at."""


def findings(settings: Settings) -> Iterator[Finding]:
    """Runs all checks; a check that raises is a finding and does not end the others.

    Nothing in the home is changed but by the questions that a running endpoint is asked, which its log marks.
    """
    environment.export(settings)
    for name, check in CHECKS.items():
        try:
            found = check(settings)
            yield from [found] if isinstance(found, Finding) else found
        except Exception as error:  # noqa: BLE001 - the doctor reports what is broken, whatever it is
            yield Finding(name, False, f"{type(error).__name__}: {error}", "see the message")


def settings_table(settings: Settings) -> dict[str, tuple[str, str]]:
    """Each setting's variable with its value and meaning; those of Azure ML are left out while one that it needs is missing."""
    groups: list[BaseSettings] = [settings]
    if settings.ml is MLKind.AZUREML:
        with suppress(MissingSettingError, ValidationError):  # the findings report it
            groups.append(AzureMLSettings.from_environment())
    return {
        variable(type(group), name): (shown(getattr(group, name)), " ".join(str(field.description).split()))
        for group in groups
        for name, field in sorted(
            type(group).model_fields.items(), key=lambda item: item[0] not in type(group).__annotations__
        )
    }


@click.command()
@JSON
def doctor(*, as_json: bool) -> None:
    """Print what is configured, reachable and missing, with remedies. No secret is printed."""
    settings = Settings()
    found = list(findings(settings))
    if as_json:
        values = {name: value for name, (value, _) in settings_table(settings).items()}
        print_json({"settings": values, "findings": [asdict(item) for item in found]})
    else:
        _print(plain_console(), settings, found)
    sys.exit(0 if all(item.fine for item in found) else 1)


def _print(console: Console, settings: Settings, found: list[Finding]) -> None:
    table = Table("setting", "value", "meaning", title="Settings", title_justify="left")
    for name, (value, meaning) in settings_table(settings).items():
        table.add_row(name, value, meaning)
    console.print(table)
    for item in found:
        mark = "[red]✗[/]" if not item.fine else "[yellow]![/]" if item.waits else "[green]✓[/]"
        console.print(f"{mark} {escape(item.name)}: ", end="", markup=True)
        console.print(item.state, markup=False, highlight=False)
        if not item.fine and item.remedy:
            console.print(f"  [yellow]remedy:[/] {escape(item.remedy)}", markup=True)
