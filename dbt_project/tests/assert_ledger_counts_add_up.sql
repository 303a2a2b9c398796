-- Conservation: a loaded file's rows were either loaded or quarantined, and the quarantined ones are there to be read.
{{ config(meta={
    'checks': 'touched_days',
    'follows': ['fct_order_lines'],
    'dagster': {'ref': {'name': 'stg_load_ledger'}}
}) }}
-- depends_on: {{ ref('fct_order_lines') }}

with

loads as (

    select loads.* from {{ ref('stg_load_ledger') }} as loads
    {{ only_touched_days('loads') }}
    -- reference files are in the ledger, too; they belong to no date
    where
        loads.status = 'loaded'
        and loads.business_date is not null

),

quarantine as (

    select
        quarantine.load_id,
        count(*) as line_count
    from {{ ref('stg_quarantine') }} as quarantine
    {{ only_touched_days('quarantine') }}
    group by quarantine.load_id

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
