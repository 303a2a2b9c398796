with

customer_sales as (

    select * from {{ ref('int_customer_sales') }}

),

home_business_units as (

    select * from {{ ref('int_customer_home_business_unit') }}

),

last_day as (

    select max(last_order_date) as as_of_date from customer_sales

),

-- each amount is in the currency that its lines name, else in that of its unit
spent as (

    select
        customer_sales.*,
        coalesce(customer_sales.currency, business_units.currency) as spent_in
    from customer_sales
    left join {{ ref('dim_business_unit') }} as business_units
        on customer_sales.business_unit = business_units.business_unit_id

),

currencies as (

    select count(distinct coalesce(spent_in, '')) as currency_count
    from spent

),

rates as (

    select
        rates.currency,
        rates.rate
    from {{ ref('int_exchange_rates') }} as rates
    cross join last_day
    where
        last_day.as_of_date >= rates.valid_from
        and last_day.as_of_date < coalesce(rates.valid_before, cast('9999-12-31' as date))

),

-- what customers spent can be compared in one currency alone
compared as (

    select
        spent.*,
        case
            when currencies.currency_count <= 1 then spent.total_price
            else spent.total_price * rates.rate
        end as comparable_price
    from spent
    cross join currencies
    left join rates on spent.spent_in = rates.currency

),

customers as (

    select
        customer_id,
        min(first_order_date) as first_order_date,
        max(last_order_date) as last_order_date,
        cast(sum(order_count) as bigint) as order_count,
        case when count(*) = count(comparable_price) then cast(sum(comparable_price) as decimal(18, 2)) end
            as total_price
    from compared
    group by customer_id
    -- somebody who kept nothing that was bought is no customer
    having sum(order_count) > 0

),

scored as (

    select
        customers.*,
        last_day.as_of_date,
        cast(last_day.as_of_date - customers.last_order_date as integer) as recency_days,
        cast(ntile(5) over (order by customers.last_order_date, customers.customer_id) as integer) as recency_score,
        cast(ntile(5) over (order by customers.order_count, customers.customer_id) as integer) as frequency_score,
        case
            when customers.total_price is not null
                then cast(ntile(5) over (
                    partition by case when customers.total_price is null then 0 else 1 end
                    order by customers.total_price, customers.customer_id
                ) as integer)
        end as monetary_score
    from customers
    cross join last_day

),

final as (

    select
        scored.customer_id,
        home_business_units.home_business_unit,
        scored.as_of_date,
        scored.first_order_date,
        scored.last_order_date,
        scored.recency_days,
        scored.order_count,
        scored.total_price,
        scored.recency_score,
        scored.frequency_score,
        scored.monetary_score,
        case
            when scored.recency_score >= 4 and scored.frequency_score >= 4 then 'champion'
            when scored.recency_score >= 4 and scored.frequency_score <= 2 then 'promising'
            when scored.recency_score <= 2 and scored.frequency_score >= 4 then 'at_risk'
            when scored.recency_score <= 2 and scored.frequency_score <= 2 then 'lapsed'
            else 'regular'
        end as rfm_group
    from scored
    inner join home_business_units on scored.customer_id = home_business_units.customer_id

)

select * from final
