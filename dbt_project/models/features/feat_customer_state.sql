{{ config(materialized='view') }}

with

customers as (

    select * from {{ ref('dim_customer') }}

),

home_business_units as (

    select * from {{ ref('int_customer_home_business_unit') }}

),

current_states as (

    select * from {{ ref('int_customer_state_history') }}
    where valid_to is null

),

final as (

    select
        customers.customer_id,
        home_business_units.home_business_unit,
        {{ customer_state_columns('current_states') }}
    from customers
    inner join home_business_units on customers.customer_id = home_business_units.customer_id
    left join current_states on customers.customer_id = current_states.customer_id

)

select * from final
