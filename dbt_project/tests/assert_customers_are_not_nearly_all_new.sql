-- A unit's customers of a day: of at least 20, nine in ten are not there for the first time (the variable
-- `most_new_customers`, 0.9; 1 to say nothing). Where they are, a till writes its customers' ids in another way, and
-- each of them has lost the history. Of the unit's last 7 days with customers, once it has had 28.
{{ config(severity='warn', meta={'dagster': {'ref': {'name': 'fct_orders'}}}) }}

with

days as (

    select
        business_unit,
        business_date,
        row_number() over (partition by business_unit order by business_date desc) as days_ago,
        count(*) over (partition by business_unit) as days_with_customers
    from {{ ref('int_daily_sales') }}
    where customer_count > 0

),

latest_days as (

    select * from days
    where
        days_ago <= 7
        and days_with_customers > 28

),

customers as (

    select distinct
        orders.business_unit,
        orders.business_date,
        orders.customer_id
    from {{ ref('fct_orders') }} as orders
    inner join latest_days
        on
            orders.business_unit = latest_days.business_unit
            and orders.business_date = latest_days.business_date
    where orders.customer_id is not null

),

first_orders as (

    select
        customer_id,
        min(first_order_date) as first_order_date
    from {{ ref('int_customer_sales') }}
    where customer_id in (select customers.customer_id from customers)
    group by customer_id

),

shares as (

    select
        customers.business_unit,
        customers.business_date,
        count(*) as customer_count,
        sum(case when first_orders.first_order_date = customers.business_date then 1 else 0 end) as new_customers
    from customers
    inner join first_orders on customers.customer_id = first_orders.customer_id
    group by customers.business_unit, customers.business_date

)

select * from shares
where
    customer_count >= 20
    and new_customers > {{ var('most_new_customers', 0.9) }} * customer_count
