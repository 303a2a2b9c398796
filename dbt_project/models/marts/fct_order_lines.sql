{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key=['business_unit', 'business_date'],
    meta={'follows': []},
    pre_hook=["{{ log_changed_days(ref('int_sales_days')) }}", "{{ delete_emptied_days() }}"],
    post_hook="{{ set_watermark('day_changes') }}"
) }}
{%- set same_receipt = 'partition by business_unit, business_date, store_id, receipt_id' -%}
{%- set file_of_sale = "case when kind = 'sale' then load_id end" %}

with

sales as (

    select
        sales.*,
        -- a void names the receipt that it takes back
        case when sales.kind = 'void' then coalesce(sales.refunded_order_id, sales.order_id) else sales.order_id end
            as receipt_id
    from {{ ref('stg_sales_transactions') }} as sales
    {{ only_touched_days('sales') }}

),

-- joined here and not in staging, where it would have to be joined to all sales however few have changed
weather as (

    select feed.* from {{ ref('stg_weather') }} as feed
    {{ only_touched_days('feed') }}
    {{ that_count('feed') }}

),

quarantine as (

    select quarantine.* from {{ ref('stg_quarantine') }} as quarantine
    {{ only_touched_days('quarantine') }}

),

load_parts as (

    select distinct
        load_id,
        file_path
    from {{ ref('int_load_parts') }}

),

-- two tills that tell no store may begin with the same number each day
shared_receipts as (

    select
        *,
        store_id is null
        and min({{ file_of_sale }}) over ({{ same_receipt }}) < max({{ file_of_sale }}) over ({{ same_receipt }})
            as is_of_several_files
    from sales

),

keyed as (

    select
        shared_receipts.*,
        case
            when shared_receipts.receipt_id is null
                then {{ daily_key('transaction_id', store_of_key() ~ "'line|' || ") }}
            when shared_receipts.is_of_several_files
                then {{ daily_key('receipt_id', part_of_key('file', 'load_parts.file_path') ~ ' || ') }}
            else {{ daily_key('receipt_id', store_of_key()) }}
        end as order_key,
        {{ daily_key('transaction_id', store_of_key()) }} as order_line_key
    from shared_receipts
    left join load_parts
        on
            shared_receipts.load_id = load_parts.load_id
            and shared_receipts.is_of_several_files

),

voids as (

    select
        order_key,
        product_id,
        -sum(quantity) as quantity
    from keyed
    where
        kind = 'void'
        and receipt_id is not null
        and coalesce(refunded_date, business_date) = business_date
    group by order_key, product_id

),

-- the sale lines of which something was voided on their day, the last ones first
sales_with_voids as (

    select
        keyed.order_key,
        keyed.product_id,
        keyed.order_line_key,
        sum(keyed.quantity) over (
            partition by keyed.order_key, keyed.product_id
            order by keyed.file_row_number desc, keyed.transaction_id desc
            rows between unbounded preceding and current row
        ) <= voids.quantity as is_voided
    from keyed
    inner join voids
        on
            keyed.order_key = voids.order_key
            and keyed.product_id = voids.product_id
    where keyed.kind = 'sale'

),

voided_receipts as (

    select distinct
        order_key,
        product_id
    from sales_with_voids

),

booked as (

    select
        keyed.*,
        case
            when keyed.kind = 'sale' and coalesce(sales_with_voids.is_voided, false) then 'voided'
            when keyed.kind = 'sale' then 'sold'
            when keyed.kind = 'void' and voided_receipts.order_key is not null then 'voids'
            -- a line that was cancelled in its own place
            when keyed.kind = 'void' and keyed.quantity = 0 and keyed.total_price = 0 then 'voids'
            else 'refunds'
        end as booking
    from keyed
    left join sales_with_voids on keyed.order_line_key = sales_with_voids.order_line_key
    left join voided_receipts
        on
            keyed.order_key = voided_receipts.order_key
            and keyed.product_id = voided_receipts.product_id
            and keyed.kind = 'void'
            and coalesce(keyed.refunded_date, keyed.business_date) = keyed.business_date

),

numbered as (

    select
        *,
        row_number() over (
            partition by order_key
            order by case when booking = 'sold' then 0 else 1 end, file_row_number, transaction_id
        ) as line_number
    from booked

),

-- where the quarantined lines of an order begin in its file
quarantined_orders as (

    select
        load_id,
        business_unit,
        business_date,
        store_id,
        order_id,
        min(file_row_number) as first_row_number
    from quarantine
    where
        order_id is not null
        and reason <> 'lost_id'
    group by load_id, business_unit, business_date, store_id, order_id

),

loads as (

    select distinct load_id from sales

),

-- lines whose order cannot be told: each may have been the first line of the order that follows it
quarantined_strays as (

    select distinct
        strays.load_id,
        strays.file_row_number
    from {{ ref('stg_quarantine') }} as strays
    -- also where they stand under another unit or date of their file
    inner join loads on strays.load_id = loads.load_id
    where
        strays.is_of_unknown_order
        and (strays.order_id is null or strays.reason = 'lost_id')

),

final as (

    select
        numbered.order_line_key,
        numbered.order_key,
        numbered.transaction_id,
        numbered.order_id,
        numbered.business_unit,
        numbered.business_date,
        numbered.store_id,
        numbered.kind,
        numbered.booking,
        cast(numbered.line_number as bigint) as line_number,
        numbered.line_number = 1
        and numbered.booking = 'sold'
        and quarantined_orders.order_id is null
        and quarantined_strays.load_id is null as is_main_line,
        quarantined_orders.order_id is not null or quarantined_strays.load_id is not null as follows_a_gap,
        numbered.product_id,
        numbered.customer_id,
        numbered.quantity,
        numbered.total_price,
        numbered.discount,
        numbered.weight,
        numbered.promotion,
        numbered.currency,
        numbered.transacted_at,
        numbered.payment_method,
        coalesce(
            numbered.weather,
            store_hours.weather,
            store_days.weather,
            unit_hours.weather,
            unit_days.weather,
            '{{ var('unknown_weather') }}'
        ) as weather,
        numbered.refunded_order_id,
        numbered.refunded_date,
        numbered.load_id,
        numbered.file_row_number
    from numbered
    left join quarantined_orders
        on
            numbered.load_id = quarantined_orders.load_id
            and numbered.business_unit = quarantined_orders.business_unit
            and numbered.business_date = quarantined_orders.business_date
            and numbered.store_id is not distinct from quarantined_orders.store_id
            and numbered.order_id = quarantined_orders.order_id
            and numbered.file_row_number > quarantined_orders.first_row_number
    left join quarantined_strays
        on
            numbered.load_id = quarantined_strays.load_id
            and numbered.file_row_number = quarantined_strays.file_row_number + 1
            and numbered.order_id is not null
    left join weather as store_hours
        on
            numbered.business_unit = store_hours.business_unit
            and numbered.business_date = store_hours.business_date
            and numbered.store_id = store_hours.store_id
            and {{ hour_of_business_date('numbered') }} = store_hours.hour_of_day
    left join weather as store_days
        on
            numbered.business_unit = store_days.business_unit
            and numbered.business_date = store_days.business_date
            and numbered.store_id = store_days.store_id
            and store_days.hour_of_day is null
    left join weather as unit_hours
        on
            numbered.business_unit = unit_hours.business_unit
            and numbered.business_date = unit_hours.business_date
            and unit_hours.store_id is null
            and {{ hour_of_business_date('numbered') }} = unit_hours.hour_of_day
    left join weather as unit_days
        on
            numbered.business_unit = unit_days.business_unit
            and numbered.business_date = unit_days.business_date
            and unit_days.store_id is null
            and unit_days.hour_of_day is null

)

select * from final
{{ in_the_order_of('business_date') }}
