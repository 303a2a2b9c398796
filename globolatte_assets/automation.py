"""When assets materialize by themselves: the automation conditions, defined only here and applied to the whole graph."""

import dagster as dg

from globolatte_assets import keys

RAW_SALES = dg.AssetSelection.assets(keys.SALES_TRANSACTIONS)

FOLLOWERS = frozenset(
    {
        keys.HOLIDAYS,
        keys.WEATHER,
        keys.SEGMENTS,
        keys.PRODUCT_AFFINITY,
        keys.SERVING_STATE,
        keys.RECOMMENDATIONS,
        keys.REGIONAL_RECOMMENDATIONS,
        keys.CAMPAIGN_RESULTS,
        keys.DATA_DRIFT,
        keys.PERFORMANCE,
        keys.SUPPLIER_SCORECARDS,
    }
)
"""The assets that follow new data, besides dbt's models. Training and what depends on it start only on request."""


RETRY_AFTER_A_FAULT = dg.RetryPolicy(max_retries=1, delay=5)
"""The retry policy of what follows new data: automation requests an update only once, so a temporary fault must not end it."""


def follow_new_data(*, waits_for_checks: bool = False) -> dg.AutomationCondition:
    """An asset follows its inputs: it materializes once after any of them got new data.

    Each clause prevents one failure:

    - `any_deps_updated | newly_missing`, since the last time this was handled: each update leads to one materialization, and an asset
      that was wiped is made again.
    - not `any_deps_missing`, raw sales left out: the stock `AutomationCondition.eager()` never fires while any partition of
      an input is missing, and a day on which a unit delivered nothing is missing for ever. Every other input must be there,
      or recommendations would be requested before there is a champion.
    - not `any_deps_in_progress`: a backlog of three units would build everything three times.
    - not `in_progress`: a second build of the same asset would wait for the first, then find nothing to do.
    - with `waits_for_checks`, its inputs' blocking checks have passed: Dagster ensures that within a run but not across runs, and raw
      sales are loaded in runs of their own.
    """
    changed = (dg.AutomationCondition.newly_missing() | dg.AutomationCondition.any_deps_updated()).since_last_handled()
    condition = (
        changed
        & ~dg.AutomationCondition.any_deps_missing().ignore(RAW_SALES)
        & ~dg.AutomationCondition.any_deps_in_progress()
        & ~dg.AutomationCondition.in_progress()
    )
    if waits_for_checks:
        condition &= dg.AutomationCondition.all_deps_blocking_checks_passed()
    return condition.with_label("follow_new_data")


def follows_new_data(spec: dg.AssetSpec) -> bool:
    """Whether an asset materializes by itself: dbt's models, and the `FOLLOWERS`."""
    return spec.group_name in keys.DBT_GROUPS or spec.key in FOLLOWERS


def hourly_and_after_new_data() -> dg.AutomationCondition:
    """The condition of checks for missing deliveries: every hour, since a missing delivery causes no event, and after each arrival."""
    every_hour: dg.AutomationCondition = dg.AutomationCondition.cron_tick_passed("5 * * * *")
    requested = (dg.AutomationCondition.any_deps_updated() | every_hour).since_last_handled()
    return (
        requested & ~dg.AutomationCondition.any_deps_in_progress() & ~dg.AutomationCondition.in_progress()
    ).with_label("hourly_and_after_new_data")
