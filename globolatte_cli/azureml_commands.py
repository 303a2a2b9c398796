"""The commands on the Azure ML workspace. Words and options only; what they do is in `azureml`, imported when they run."""

from pathlib import Path

import click


@click.group()
def azureml() -> None:
    """The Azure ML workspace: definitions for `az ml`, models shared between workspaces."""


@azureml.command("export")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def azureml_export(folder: Path) -> None:
    """Write every definition as Azure ML CLI v2 YAML into FOLDER."""
    from globolatte_cli.azureml import export_definitions

    export_definitions(folder)


@azureml.command("share")
def azureml_share() -> None:
    """Share the champion with the registry (GLOBOLATTE_AZUREML_REGISTRY)."""
    from globolatte_cli.azureml import share_champion

    share_champion()


@azureml.command("adopt")
@click.argument("shared")
def azureml_adopt(shared: str) -> None:
    """Make the model SHARED of the registry this workspace's challenger."""
    from globolatte_cli.azureml import adopt_shared

    adopt_shared(shared)


@azureml.command("score")
@click.argument("questions", type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.argument("out", type=click.Path(path_type=Path))
def azureml_score(questions: Path, out: Path) -> None:
    """Answer the files of QUESTIONS (a question a line, as JSON) by the batch endpoint; the answers go to OUT.

    The champion is put behind the batch endpoint first if it is not there.
    """
    from globolatte_cli.azureml import score_batch

    score_batch(questions, out)


@azureml.command("schedule")
@click.option("--off", is_flag=True, help="Switch it off; it stays.")
def azureml_schedule(*, off: bool) -> None:
    """Have Azure ML itself train every Monday, on the latest snapshot."""
    from globolatte_cli.azureml import switch_schedule

    switch_schedule(off=off)


@azureml.command("monitor")
@click.argument("deployment", default="blue")
@click.option("--email", "emails", multiple=True, help="Whom to tell of drift.")
@click.option("--off", is_flag=True, help="Switch it off; it stays.")
def azureml_monitor(deployment: str, emails: tuple[str, ...], *, off: bool) -> None:
    """Have Azure ML itself watch the requests to DEPLOYMENT, every night."""
    from globolatte_cli.azureml import switch_monitor

    switch_monitor(deployment, list(emails), off=off)
