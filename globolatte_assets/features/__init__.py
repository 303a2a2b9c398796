"""Features: the dbt project as assets. SQL lives in `dbt_project`; here is only how Dagster sees it."""
