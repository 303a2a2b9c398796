-- Conservation: a loaded file's rows were either loaded or quarantined, and the quarantined ones are there to be read.
{{ config(meta={'dagster': {'ref': {'name': 'stg_load_ledger'}}}) }}

with

loads as (

    select * from {{ ref('stg_load_ledger') }}
    -- reference files are in the ledger, too; they belong to no date
    where
        status = 'loaded'
        and business_date is not null

),

quarantine as (

    select
        load_id,
        count(*) as line_count
    from {{ ref('stg_quarantine') }}
    group by load_id

)

select
    loads.load_id,
    loads.rows_in_file,
    loads.rows_loaded,
    loads.rows_quarantined,
    quarantine.line_count as quarantine_lines
from loads
left join quarantine on loads.load_id = quarantine.load_id
where
    loads.rows_in_file <> loads.rows_loaded + loads.rows_quarantined
    or loads.rows_quarantined <> coalesce(quarantine.line_count, 0)
