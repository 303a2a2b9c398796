"""The definitions of the stage `raw`: reference data, sales, misplaced files, and the checks of the units' deliveries."""

import dagster as dg

from globolatte_assets.partitions import sales_partitions
from globolatte_assets.raw.deliveries import delivery_checks, unit_deliveries
from globolatte_assets.raw.misplaced_files import misplaced_files_asset
from globolatte_assets.raw.reference_data import holiday_calendar_asset, reference_assets
from globolatte_assets.raw.sales_transactions import sales_transactions_asset
from globolatte_assets.raw.waiting import no_day_delivered_twice, waiting_check
from globolatte_assets.raw.weather import weather_asset
from globolatte_ingest.deliveries import DeliveryPolicy
from globolatte_ingest.kept_files import KeptFiles
from globolatte_ingest.paths import layout_of
from globolatte_ingest.reading.landed_bytes import FileLimits
from resources.settings.choices import LandingKind, MissingDelivery
from resources.settings.settings import Settings


def delivery_policy(settings: Settings) -> DeliveryPolicy:
    """By when this deployment's units must have delivered."""
    return DeliveryPolicy(
        settings.first_business_date, settings.delivery_hours, settings.delivery_days, settings.missing_delivery
    )


def raw(settings: Settings) -> dg.Definitions:
    """The stage `raw` of a deployment. The checks that every unit has delivered are there unless they are turned off."""
    first, units, policy = settings.first_business_date, sorted(settings.business_units), delivery_policy(settings)
    limits = FileLimits(settings.max_file_bytes, settings.max_compression_ratio, settings.load_batch_bytes)
    kept = KeptFiles(settings.kept_files_folder, settings.keep_files_days)
    deliveries = unit_deliveries(units, policy)
    layout = layout_of(settings)
    lists_whole = settings.landing is LandingKind.FOLDER
    watched = settings.missing_delivery is not MissingDelivery.OFF
    return dg.Definitions(
        assets=[
            *deliveries,
            *reference_assets(units, kept),
            holiday_calendar_asset(first.year),
            weather_asset(kept),
            sales_transactions_asset(
                sales_partitions(units, first),
                first,
                limits,
                settings.max_bad_share,
                deliveries,
                kept,
                settings.max_take_away,
                layout,
                lists_whole=lists_whole,
            ),
            misplaced_files_asset(units, first, layout),
        ],
        asset_checks=[
            *([delivery_checks(units, policy)] if watched else []),
            no_day_delivered_twice,
            waiting_check(units, first, layout, lists_whole=lists_whole),
        ],
    )
