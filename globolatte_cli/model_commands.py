"""The commands on models: a person's sign-off. Words and options only; what they do is in `sign_offs`, imported when they run."""

import click

BY = click.option("--by", required=True, help="Who decides.")
WHY = click.option("--why", required=True, help="Why, for the record.")


@click.group()
def models() -> None:
    """Models: approve or reject what training made."""


@models.command("approve")
@click.argument("version")
@BY
@WHY
def models_approve(version: str, by: str, why: str) -> None:
    """Approve a model version, and have the verdict on the challenger given again."""
    from globolatte_cli.sign_offs import decide

    decide(version, by, why, approved=True)


@models.command("reject")
@click.argument("version")
@BY
@WHY
def models_reject(version: str, by: str, why: str) -> None:
    """Reject a model version: it is not promoted, whatever the gates say. A champion stays until another replaces it."""
    from globolatte_cli.sign_offs import decide

    decide(version, by, why, approved=False)
