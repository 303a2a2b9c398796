{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['business_unit', 'business_date'],
    meta={'follows': []},
    pre_hook=["{{ log_changed_days(ref('int_sales_days')) }}", "{{ delete_emptied_days() }}"],
    post_hook="{{ set_watermark('day_changes') }}"
) }}

with

sales as (

    select sales.* from {{ ref('stg_sales_transactions') }} as sales
    {{ only_touched_days('sales') }}

),

quarantine as (

    select quarantine.* from {{ ref('stg_quarantine') }} as quarantine
    {{ only_touched_days('quarantine') }}

),

numbered as (

    select
        *,
        {{ daily_key('order_id') }} as order_key,
        {{ daily_key('transaction_id') }} as order_line_key,
        row_number() over (
            partition by business_unit, business_date, order_id
            order by file_row_number, transaction_id
        ) as line_number
    from sales

),

-- where the quarantined lines of an order begin in its file
quarantined_orders as (

    select
        load_id,
        order_id,
        min(file_row_number) as first_row_number
    from quarantine
    where order_id is not null
    group by load_id, order_id

),

-- lines whose order cannot be told: each may have been the first line of the order that follows it
quarantined_strays as (

    select distinct
        load_id,
        file_row_number
    from quarantine
    where order_id is null

),

final as (

    select
        numbered.order_line_key,
        numbered.order_key,
        numbered.transaction_id,
        numbered.order_id,
        numbered.business_unit,
        numbered.business_date,
        cast(numbered.line_number as bigint) as line_number,
        numbered.line_number = 1
        and quarantined_orders.order_id is null
        and quarantined_strays.load_id is null as is_main_line,
        numbered.product_id,
        numbered.customer_id,
        numbered.quantity,
        numbered.total_price,
        numbered.transacted_at,
        numbered.payment_method,
        numbered.weather,
        numbered.load_id,
        numbered.file_row_number
    from numbered
    left join quarantined_orders
        on
            numbered.load_id = quarantined_orders.load_id
            and numbered.order_id = quarantined_orders.order_id
            and numbered.file_row_number > quarantined_orders.first_row_number
            and numbered.line_number = 1
    left join quarantined_strays
        on
            numbered.load_id = quarantined_strays.load_id
            and numbered.file_row_number = quarantined_strays.file_row_number + 1
            and numbered.line_number = 1

)

select * from final
{{ in_the_order_of('business_date') }}
