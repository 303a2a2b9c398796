"""The lineage graph: one folder per stage, left to right as data flows.

An asset here is an adapter: it reads through resources, calls a pure function, and reports. Data science is in `globolatte_ml`,
SQL models in `dbt_project`, access to external systems in `resources`, and what starts work in `sensors`.
"""
