"""The sensor that evaluates automation conditions, on by default: without it nothing follows new data."""

import dagster as dg


def automation_sensor() -> dg.AutomationConditionSensorDefinition:
    """Evaluates every asset's condition, every half minute at most."""
    return dg.AutomationConditionSensorDefinition(
        name="automation_sensor",
        target=dg.AssetSelection.all(),
        default_status=dg.DefaultSensorStatus.RUNNING,
        minimum_interval_seconds=30,
        description="Materializes what follows new data: dbt models, customer states, recommendations.",
    )
