"""The asset `endpoints/recommender`: the champion behind the online endpoint, blue/green."""

from pathlib import Path
from typing import Any

import dagster as dg

from globolatte_assets.endpoints.rollout import declared_or_served, plan_rollout, roll_out
from globolatte_assets.keys import OWNER_SCIENCE, PROMOTION, RECOMMENDER, SERVING_STATE
from globolatte_assets.models.champion import champion_of
from globolatte_ml.scoring.state_bundle import read_state_bundle
from resources.endpoint.endpoint import Deployment, Endpoint, EndpointError
from resources.endpoint.serving_state import ServingStates
from resources.ml.ml_platform import MLPlatform

SMOKE_CUSTOMER = "smoke-test"
"""An id that no customer has, so the answer is the regional one. It is in the prediction log like any other answer."""


@dg.asset(
    key=RECOMMENDER,
    deps=[PROMOTION, SERVING_STATE],
    owners=[OWNER_SCIENCE],
    kinds={"azureml"},
    description="The champion on the idle colour of the online endpoint; once it is healthy and has answered a smoke request, it "
    "gets all the traffic and the other colour ends. If it does not, what served before goes on serving.",
)
def recommender(
    ml: dg.ResourceParam[MLPlatform], states: ServingStates, endpoint: dg.ResourceParam[Endpoint]
) -> dg.MaterializeResult:
    """Deploy the champion to the endpoint, or leave the present deployment and report why."""
    champion = champion_of(ml)
    wanted = Deployment(str(champion.folder), champion.version, champion.content_hash)
    try:
        question = smoke_question(states.current())
        rollout = plan_rollout(declared_or_served(endpoint), wanted)
        latency = roll_out(endpoint, rollout, question)
        state = endpoint.wait_until_converged()
    except (EndpointError, FileNotFoundError) as error:
        facts = error.facts if isinstance(error, EndpointError) else {}
        links = {name: dg.MetadataValue.url(fact) for name, fact in facts.items() if fact.startswith("https://")}
        raise dg.Failure(description=str(error), metadata={**facts, **links}, allow_retries=False) from error
    serving = state.named(rollout.colour)
    return dg.MaterializeResult(
        metadata={
            "url": dg.MetadataValue.url(f"{state.url}/score"),
            "health": dg.MetadataValue.url(str(state.page)),
            "deployment": rollout.colour,
            "replaced": rollout.replaces or "none",
            "model_version": champion.version,
            "content_hash": champion.content_hash,
            "state_version": str(serving.status.get("state_version")) if serving is not None else "unknown",
            "traffic": dg.MetadataValue.json(dict(rollout.final.traffic)),
            "smoke_latency_ms": round(latency, 2),
            "new_deployment": rollout.needed,
        },
        data_version=dg.DataVersion(champion.content_hash[:16]),
    )


def smoke_question(state_folder: Path) -> dict[str, Any]:
    """A question that the current state can answer: the first unit in the first weather."""
    bundle = read_state_bundle(state_folder)
    return {
        "customer_id": SMOKE_CUSTOMER,
        "region": next(iter(bundle.business_units)),
        "weather": bundle.weathers[0],
    }
