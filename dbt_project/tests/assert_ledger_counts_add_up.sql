-- Conservation: the rows of a loaded file, of each unit and date, were either loaded or quarantined, and the
-- quarantined ones are there to be read.
{{ config(meta={
    'checks': 'touched_days',
    'follows': ['fct_order_lines'],
    'dagster': {'ref': {'name': 'stg_load_ledger'}}
}) }}
-- depends_on: {{ ref('fct_order_lines') }}, {{ ref('stg_load_ledger') }}

with

{{ load_parts() }},

loads as (

    select loads.* from load_parts as loads
    {{ only_touched_days('loads') }}
    where loads.status = 'loaded'

),

quarantine as (

    select
        quarantine.load_id,
        quarantine.business_unit,
        quarantine.business_date,
        count(*) as line_count
    from {{ ref('stg_quarantine') }} as quarantine
    {{ only_touched_days('quarantine') }}
    group by quarantine.load_id, quarantine.business_unit, quarantine.business_date

)

select
    loads.load_id,
    loads.business_unit,
    loads.business_date,
    loads.rows_in_part,
    loads.rows_loaded,
    loads.rows_quarantined,
    quarantine.line_count as quarantine_lines
from loads
left join quarantine
    on
        loads.load_id = quarantine.load_id
        and loads.business_unit = quarantine.business_unit
        and loads.business_date = quarantine.business_date
where
    loads.rows_in_part <> loads.rows_loaded + loads.rows_quarantined
    or loads.rows_quarantined <> coalesce(quarantine.line_count, 0)
