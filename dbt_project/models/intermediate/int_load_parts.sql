{{ config(materialized='view') }}

with

{{ load_parts() }}

select * from load_parts
