-- Conservation: a loaded file version has exactly the order lines that the ledger counted; no line is without one.
{{ config(meta={
    'checks': 'touched_days',
    'follows': ['fct_order_lines'],
    'dagster': {'ref': {'name': 'fct_order_lines'}}
}) }}
-- depends_on: {{ ref('stg_load_ledger') }}: what nothing is built from, so that a failure stops no model

with

{{ load_parts() }},

order_lines as (

    select
        order_lines.load_id,
        count(*) as line_count
    from {{ ref('fct_order_lines') }} as order_lines
    {{ only_touched_days('order_lines') }}
    group by order_lines.load_id

),

loads as (

    select
        loads.load_id,
        sum(loads.rows_loaded) as rows_loaded
    from load_parts as loads
    {{ only_touched_days('loads') }}
    where loads.status = 'loaded'
    group by loads.load_id

)

select
    coalesce(loads.load_id, order_lines.load_id) as load_id,
    loads.rows_loaded,
    order_lines.line_count
from loads
full outer join order_lines on loads.load_id = order_lines.load_id
where coalesce(loads.rows_loaded, 0) <> coalesce(order_lines.line_count, 0)
