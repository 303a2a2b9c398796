{{ config(
    materialized='incremental',
    incremental_strategy='as_of_states',
    meta={'follows': ['int_customer_product_state_history', 'int_customer_sales']},
    post_hook=["{{ follow_categories(ref('dim_product')) }}", "{{ set_watermark('customer_changes') }}"]
) }}

with

customers as (

    select
        states.*,
        greatest(
            states.morning_orders, states.midday_orders, states.afternoon_orders, states.evening_orders
        ) as most_orders_of_a_daypart
    from {{ ref('int_customer_state_history') }} as states
    {{ only_touched_customers('states') }}
    where states.valid_to is null

),

home_business_units as (

    select sales.* from {{ ref('int_customer_sales') }} as sales
    {{ only_touched_customers('sales') }}
    where sales.is_home

),

product_states as (

    select states.* from {{ ref('int_customer_product_state_history') }} as states
    {{ only_touched_customers('states') }}
    where states.valid_to is null

),

products as (

    select * from {{ ref('dim_product') }}

),

favourites as (

    select
        customer_id,
        product_id,
        main_orders
    from product_states
    qualify row_number() over (
        partition by customer_id
        order by main_orders desc, decayed_main_120d desc, product_id asc
    ) = 1

),

recent_favourites as (

    select
        customer_id,
        product_id
    from product_states
    qualify row_number() over (
        partition by customer_id
        order by decayed_main_30d desc, main_orders desc, product_id asc
    ) = 1

),

variety as (

    select
        customer_id,
        count(*) as product_count,
        cast(sum(addon_lines) as bigint) as addon_lines
    from product_states
    group by customer_id

),

final as (

    select
        customers.customer_id,
        home_business_units.business_unit as home_business_unit,
        customers.order_count,
        favourites.product_id as favourite_product_id,
        products.category as favourite_category,
        cast(favourites.main_orders as double) / customers.order_count as favourite_share,
        recent_favourites.product_id as recent_favourite_product_id,
        cast(variety.product_count as bigint) as product_count,
        cast(variety.addon_lines as double) / customers.order_count as addons_per_order,
        case
            when customers.morning_orders = customers.most_orders_of_a_daypart then 'morning'
            when customers.midday_orders = customers.most_orders_of_a_daypart then 'midday'
            when customers.afternoon_orders = customers.most_orders_of_a_daypart then 'afternoon'
            else 'evening'
        end as favourite_daypart,
        cast(customers.morning_orders as double) / customers.order_count as morning_share,
        cast(customers.midday_orders as double) / customers.order_count as midday_share,
        cast(customers.afternoon_orders as double) / customers.order_count as afternoon_share,
        cast(customers.evening_orders as double) / customers.order_count as evening_share
    from customers
    inner join home_business_units on customers.customer_id = home_business_units.customer_id
    inner join favourites on customers.customer_id = favourites.customer_id
    inner join recent_favourites on customers.customer_id = recent_favourites.customer_id
    inner join variety on customers.customer_id = variety.customer_id
    left join products on favourites.product_id = products.product_id

)

select * from final
