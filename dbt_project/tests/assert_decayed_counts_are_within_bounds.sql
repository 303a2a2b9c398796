-- A decayed count is never above the count; it is zero without main orders only, and the slower decay keeps more.
{{ config(meta={
    'checks': 'touched_customers',
    'follows': ['int_customer_product_state_history'],
    'dagster': {'ref': {'name': 'feat_customer_product_state'}}
}) }}

select states.*
from {{ ref('feat_customer_product_state') }} as states
{{ only_touched_customers('states') }}
where
    states.decayed_main_30d > states.decayed_main_120d * (1 + 1e-9)
    or states.decayed_main_120d > states.main_orders * (1 + 1e-9)
    or (states.decayed_main_30d > 0) <> (states.main_orders > 0)
