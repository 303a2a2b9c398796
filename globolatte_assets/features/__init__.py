"""Features: the dbt project as assets. The SQL is in `dbt_project`; this package only describes it to Dagster."""
