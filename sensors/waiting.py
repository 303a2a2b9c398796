"""What waits for a person in this deployment: in ingestion, and a model that waits for approval. For passes, doctor and alerts."""

from collections.abc import Iterable

from globolatte_assets.models.promotion import waits_for_sign_off
from globolatte_ingest.waiting import Waiting, what_waits
from resources.clock import Clock
from resources.landing.landing_zone import LandedFile, LandingZone
from resources.ml.ml_platform import MLPlatform
from resources.settings.choices import LandingKind
from resources.settings.settings import Settings
from resources.warehouse.warehouse import Warehouse
from sensors.landing import path_rules


def waiting_in(
    settings: Settings,
    warehouse: Warehouse,
    landing: LandingZone,
    ml: MLPlatform,
    clock: Clock,
    listing: Iterable[LandedFile] | None = None,
) -> list[Waiting]:
    """Everything that waits; `listing` is all that is in the landing zone, if the caller has it. Raises `WarehouseBusyError`, `OSError`."""
    found = what_waits(
        warehouse,
        landing,
        path_rules(settings, clock, {}),
        clock.timestamp(),
        listing=listing,
        lists_whole=settings.landing is LandingKind.FOLDER,
    )
    if settings.model_sign_off and (line := waits_for_sign_off(warehouse, ml)) is not None:
        found.append(Waiting("sign-off", line))
    return found
