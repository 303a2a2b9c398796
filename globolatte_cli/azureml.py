"""`globolatte azureml …`: what a person does with the Azure ML workspace outside the graph."""

import shutil
from functools import partial
from pathlib import Path

import click

from globolatte_cli.errors import UserError
from globolatte_cli.instance import prepare_home
from globolatte_cli.output import plain_console
from resources.endpoint.azureml import batch
from resources.endpoint.azureml.export import Served, export
from resources.environment import ml_of, states_of
from resources.ml.azureml import schedules
from resources.ml.azureml.models import SHARED_NAME, adopt, share
from resources.ml.azureml.workspace import Workspace
from resources.ml.ml_platform import CHAMPION
from resources.settings.azureml import AzureMLSettings
from resources.settings.choices import MLKind
from resources.settings.settings import Settings

OFF = click.option("--off", is_flag=True, help="Switch it off; it stays.")
say = partial(plain_console().print, highlight=False)


@click.group()
def azureml() -> None:
    """The Azure ML workspace: definitions for `az ml`, models shared between workspaces."""


@azureml.command("export")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def export_definitions(folder: Path) -> None:
    """Write every definition as Azure ML CLI v2 YAML into FOLDER."""
    settings = Settings()
    prepare_home(settings)
    champion, states = ml_of(settings).model(CHAMPION), states_of(settings)
    served = Served(champion, states.current()) if champion is not None and states.is_published else None
    try:
        files = export(AzureMLSettings.from_environment(), folder.resolve(), served)
    except FileExistsError as error:
        raise UserError(str(error)) from error
    say(f"{len(files)} definitions in {folder}; README.md says how `az ml` takes them")
    if served is None:
        say("No champion yet: serving is left out. Run `globolatte run` first.")


@azureml.command("share")
def share_champion() -> None:
    """Share the champion with the registry (GLOBOLATTE_AZUREML_REGISTRY)."""
    settings, workspace = _on_azure()
    champion = ml_of(settings).model(CHAMPION)
    if champion is None:
        raise UserError(
            "there is no champion to share; run `globolatte run`, and see models/promotion if it was refused"
        )
    say(f"version {champion.version} is {SHARED_NAME}:{share(workspace, champion)} in the registry")


@azureml.command("adopt")
@click.argument("shared")
def adopt_shared(shared: str) -> None:
    """Make the model SHARED of the registry this workspace's challenger."""
    settings, workspace = _on_azure()
    snapshot = ml_of(settings).latest_snapshot()
    version = adopt(workspace, shared, snapshot.name, settings.azureml_folder / "shared")
    say(f"version {version.version} is challenger; materialize models/evaluation and models/promotion")


@azureml.command("score")
@click.argument("questions", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("out", type=click.Path(path_type=Path))
def score_batch(questions: Path, out: Path) -> None:
    """Answer the files of QUESTIONS (a question a line, as JSON) by the batch endpoint; the answers go to OUT.

    The champion is put behind the batch endpoint first if it is not there.
    """
    settings, workspace = _on_azure()
    if out.exists():
        raise UserError(f"{out} is there already; name a file that is not")
    champion, states = ml_of(settings).model(CHAMPION), states_of(settings)
    if champion is None or not states.is_published:
        raise UserError("there is no champion with customer states; run `globolatte run`")
    name = batch.deploy(workspace, champion, states.current())
    answers = batch.score(workspace, questions, settings.azureml_folder / "batch", click.echo)
    (shutil.copytree if answers.is_dir() else shutil.copyfile)(answers, out)
    say(f"{out}: answered by deployment {name} with model version {champion.version}")


@azureml.command("schedule")
@OFF
def switch_schedule(*, off: bool) -> None:
    """Have Azure ML itself train every Monday, on the latest snapshot."""
    _, workspace = _on_azure()
    if off:
        schedules.disable(workspace, schedules.RETRAINING)
        say(f"{schedules.RETRAINING} is off")
    else:
        say(f"{schedules.ensure_retraining(workspace)} trains on the latest snapshot, every Monday")


@azureml.command("monitor")
@click.argument("deployment", default="blue")
@click.option("--email", "emails", multiple=True, help="Whom to tell of drift.")
@OFF
def switch_monitor(deployment: str, emails: tuple[str, ...], *, off: bool) -> None:
    """Have Azure ML itself watch the requests to DEPLOYMENT, every night."""
    _, workspace = _on_azure()
    if off:
        schedules.disable(workspace, schedules.MONITOR)
        say(f"{schedules.MONITOR} is off")
    else:
        say(f"{schedules.ensure_monitor(workspace, deployment, list(emails))} watches {deployment}")


def _on_azure() -> tuple[Settings, Workspace]:
    settings = Settings()
    if settings.ml is not MLKind.AZUREML:
        raise UserError(f"GLOBOLATTE_ML={settings.ml}: there is no Azure ML workspace; set GLOBOLATTE_ML=azureml")
    prepare_home(settings)
    return settings, Workspace(AzureMLSettings.from_environment())
