-- A unit's share of orders without a customer: of its last 7 days with orders it is within 20 points of that of the
-- 56 days before. A jump, either way, means that a till stopped or began to send customers. Nothing is said of fewer
-- than 50 orders on either side.
{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'int_daily_sales'}}}) }}

with

days as (

    select
        business_unit,
        order_count,
        anonymous_orders,
        row_number() over (partition by business_unit order by business_date desc) as days_ago
    from {{ ref('int_daily_sales') }}
    where order_count > 0

),

windows as (

    select
        business_unit,
        sum(case when days_ago <= 7 then order_count else 0 end) as orders_now,
        sum(case when days_ago <= 7 then anonymous_orders else 0 end) as anonymous_now,
        sum(case when days_ago > 7 then order_count else 0 end) as orders_before,
        sum(case when days_ago > 7 then anonymous_orders else 0 end) as anonymous_before
    from days
    where days_ago <= 63
    group by business_unit

),

shares as (

    select
        *,
        cast(anonymous_now as double) / orders_now as share_now,
        cast(anonymous_before as double) / orders_before as share_before
    from windows
    where
        orders_now >= 50
        and orders_before >= 50

)

select * from shares
where abs(share_now - share_before) > 0.2
