{{ config(materialized='view') }}

with

customers as (

    select * from {{ ref('dim_customer') }}

),

business_units as (

    select * from {{ ref('dim_business_unit') }}

),

customer_sales as (

    select * from {{ ref('int_customer_sales') }}
    where main_orders > 0

),

customer_units as (

    select
        customer_id,
        business_unit
    from customer_sales
    where is_home

),

located_units as (

    select
        customers.customer_id,
        min(business_units.business_unit_id) as business_unit
    from customers
    inner join business_units
        on right(lower(trim(customers.location)), length(business_units.country)) = lower(business_units.country)
    group by customers.customer_id

),

unit_totals as (

    select
        business_unit,
        sum(main_orders) as order_count,
        max(latest_main_ordered_at) as latest_order_at
    from customer_sales
    group by business_unit

),

busiest_unit as (

    select business_units.business_unit_id as business_unit
    from business_units
    left join unit_totals on business_units.business_unit_id = unit_totals.business_unit
    order by
        coalesce(unit_totals.order_count, 0) desc,
        unit_totals.latest_order_at desc nulls last,
        business_units.business_unit_id asc
    limit 1

),

final as (

    select
        customers.customer_id,
        coalesce(
            customer_units.business_unit,
            located_units.business_unit,
            busiest_unit.business_unit
        ) as home_business_unit
    from customers
    left join customer_units on customers.customer_id = customer_units.customer_id
    left join located_units on customers.customer_id = located_units.customer_id
    left join busiest_unit on true

)

select * from final
