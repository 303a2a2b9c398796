"""The asset `models/promotion`: makes the challenger champion, or stores the reasons why not."""

import dagster as dg

from globolatte_assets.keys import EVALUATION, OWNER_SCIENCE, PREFERENCE_MODEL, PROMOTION, WAREHOUSE_POOL
from globolatte_assets.models.champion import challenger_of
from globolatte_assets.models.decisions import Decision, record_decision
from globolatte_assets.models.evaluation import evaluation_of, stored_evaluation
from globolatte_assets.models.sign_off import signed, stored_sign_off
from globolatte_assets.models.trainings import record_verdict
from globolatte_ml.training.promotion import promotion_verdict
from resources.clock import Clock
from resources.ml.ml_platform import CHALLENGER, CHAMPION, MLPlatform
from resources.warehouse.warehouse import Warehouse

NO_CHAMPION = "none"
"""The metadata's entry for the champion while there is none."""


def waits_for_sign_off(warehouse: Warehouse, ml: MLPlatform) -> str | None:
    """The line about a challenger that passed every gate and that nobody has approved or rejected; none if there is none."""
    challenger, champion = ml.model(CHALLENGER), ml.model(CHAMPION)
    if challenger is None or (champion is not None and champion.version == challenger.version):
        return None
    of_challenger = stored_evaluation(warehouse, challenger, challenger.snapshot)
    if of_challenger is None or stored_sign_off(warehouse, challenger) is not None:
        return None
    of_champion = stored_evaluation(warehouse, champion, challenger.snapshot) if champion is not None else None
    if not promotion_verdict(of_challenger, of_champion).promoted:
        return None
    version = challenger.version
    return (
        f"model version {version} passed every gate and waits for approval: look at its page, then `globolatte models approve {version} "
        "--by NAME --why REASON`, or reject it"
    )


def promotion_asset(*, sign_off_wanted: bool) -> dg.AssetsDefinition:
    """The asset; `sign_off_wanted`: whether a person must approve what passed the gates."""

    @dg.asset(
        key=PROMOTION,
        deps=[PREFERENCE_MODEL, EVALUATION],
        pool=WAREHOUSE_POOL,
        owners=[OWNER_SCIENCE],
        kinds={"mlflow"},
        description="Makes the challenger champion if it passes every gate on the same holdout, and a person's sign-off where that is "
        "wanted; each gate's sentence is stored.",
    )
    def promotion(
        context: dg.AssetExecutionContext,
        warehouse: dg.ResourceParam[Warehouse],
        ml: dg.ResourceParam[MLPlatform],
        clock: Clock,
    ) -> dg.MaterializeResult:
        """Make the challenger champion, or report why not."""
        challenger, champion = challenger_of(ml), ml.model(CHAMPION)
        of_challenger = evaluation_of(warehouse, challenger, challenger.snapshot)
        of_champion = stored_evaluation(warehouse, champion, challenger.snapshot) if champion is not None else None
        verdict = signed(
            promotion_verdict(of_challenger, of_champion),
            stored_sign_off(warehouse, challenger),
            challenger,
            wanted=sign_off_wanted,
        )
        reasons = verdict.reasons
        if verdict.promoted:
            if champion is not None and of_champion is None:
                reasons = (
                    *reasons,
                    f"The champion, version {champion.version}, cannot be read any more and was not evaluated.",
                )
            ml.promote(challenger, reasons)
        elif champion is not None and champion.version == challenger.version and champion.reasons:
            # an earlier run was cut off after the promotion and before it could report it
            reasons = (*reasons, "It was promoted before, for these reasons:", *champion.reasons)
        serving = ml.model(CHAMPION)
        champion_version = serving.version if serving is not None else None
        record_verdict(warehouse, challenger, clock.timestamp(), promoted=verdict.promoted, champion=champion_version)
        decision = Decision(
            context.run.run_id, challenger, verdict.promoted, champion_version, reasons, clock.timestamp()
        )
        record_decision(warehouse, decision)
        return dg.MaterializeResult(
            metadata={
                "promoted": verdict.promoted,
                "reasons": dg.MetadataValue.md("\n".join(f"- {reason}" for reason in reasons)),
                "challenger": challenger.version,
                "champion": champion_version or NO_CHAMPION,
            },
            data_version=dg.DataVersion(serving.content_hash[:16] if serving is not None else NO_CHAMPION),
        )

    return promotion
