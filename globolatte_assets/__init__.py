"""The lineage graph: one folder per stage, left to right as data flows.

An asset here is an adapter: it reads through resources, calls a pure function, and reports. The science lives in
`globolatte_ml`, SQL models in `dbt_project`, the outside world in `resources`, what starts work in `sensors`.
"""
