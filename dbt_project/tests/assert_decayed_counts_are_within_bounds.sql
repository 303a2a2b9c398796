-- A decayed count is never above the count; it is zero without main orders only, and the slower decay keeps more.
{{ config(meta={'dagster': {'ref': {'name': 'feat_customer_product_state'}}}) }}

select *
from {{ ref('feat_customer_product_state') }}
where
    decayed_main_30d > decayed_main_120d * (1 + 1e-9)
    or decayed_main_120d > main_orders * (1 + 1e-9)
    or (decayed_main_30d > 0) <> (main_orders > 0)
