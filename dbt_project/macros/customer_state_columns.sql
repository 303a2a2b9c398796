{#- The customer-level state columns, read from a left-joined interval: no interval means a customer without orders. -#}
{% macro customer_state_columns(states) -%}
    {%- for column in ['order_count', 'line_count'] %}
        coalesce({{ states }}.{{ column }}, 0) as {{ column }},
    {%- endfor %}
        {{ states }}.first_order_date,
        {{ states }}.last_order_date,
    {%- for column in ['morning_orders', 'midday_orders', 'afternoon_orders', 'evening_orders'] %}
        coalesce({{ states }}.{{ column }}, 0) as {{ column }},
    {%- endfor %}
        {{ states }}.recent_product_1,
        {{ states }}.recent_product_2,
        {{ states }}.recent_product_3
{%- endmacro %}
