{#- An incremental model that adds up the order lines of each unit and date by one more column; the sums are the call's body. -#}
{% macro sums_of_days(by) -%}
{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['business_unit', 'business_date'],
    meta={'follows': ['fct_order_lines']},
    pre_hook="{{ delete_emptied_days() }}",
    post_hook="{{ set_watermark('day_changes') }}"
) }}

with

order_lines as (

    select order_lines.* from {{ ref('fct_order_lines') }} as order_lines
    {{ only_touched_days('order_lines') }}

),

final as (

    select
        business_unit,
        business_date,
        {{ by }},
        {{ caller() }}
    from order_lines
    group by business_unit, business_date, {{ by }}

)

select * from final
{%- endmacro %}
