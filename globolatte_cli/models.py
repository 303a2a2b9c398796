"""`globolatte models approve|reject`: records a person's decision, and makes the verdict again."""

import click

from globolatte_assets.models.sign_off import SignOff, record_sign_off
from globolatte_cli.errors import UserError
from globolatte_cli.output import BY, WHY, plain_console
from resources.environment import clock_of, ml_of, warehouse_of
from resources.ml.ml_platform import CHALLENGER, CHAMPION
from resources.settings.settings import Settings


@click.group()
def models() -> None:
    """Models: approve or reject what training made."""


@models.command()
@click.argument("version")
@BY
@WHY
def approve(version: str, by: str, why: str) -> None:
    """Approve a model version, and have the verdict on the challenger given again."""
    decide(version, by, why, approved=True)


@models.command()
@click.argument("version")
@BY
@WHY
def reject(version: str, by: str, why: str) -> None:
    """Reject a model version: it is not promoted, whatever the gates say. A champion stays until another replaces it."""
    decide(version, by, why, approved=False)


def decide(version: str, by: str, why: str, *, approved: bool) -> None:
    """Records the decision. Raises `UserError` for a version that is neither challenger nor champion, and for an empty name or reason."""
    if not by.strip() or not why.strip():
        raise UserError("--by and --why must say something; name the person and the reason")
    settings, console = Settings(), plain_console()
    ml = ml_of(settings)
    known = {model.version: model for model in (ml.model(CHALLENGER), ml.model(CHAMPION)) if model is not None}
    if version not in known:
        there = ", ".join(known) or "none yet"
        raise UserError(
            f"model version {version} is neither challenger nor champion (these are: {there}); give one of them"
        )
    sign_off = SignOff(approved, by.strip(), why.strip())
    record_sign_off(warehouse_of(settings), known[version], sign_off, clock_of(settings))
    console.print(f"Version {version}: {sign_off}")
    challenger = ml.model(CHALLENGER)
    if challenger is not None and challenger.version == version:
        from globolatte_cli.run_pass import promote  # loads all assets, which a refusal does not need

        promote(settings)
        champion = ml.model(CHAMPION)
        console.print(f"Champion: version {champion.version}" if champion else "There is no champion.")
