{{ config(materialized='view') }}

with

refunded_lines as (

    select * from {{ ref('int_refunded_lines') }}
    where has_main_product

),

days as (

    select distinct
        order_key,
        refunded_on
    from refunded_lines
    where refunded_on is not null

),

first_lines_left as (

    select
        days.order_key,
        days.refunded_on,
        refunded_lines.line_number,
        case when not refunded_lines.follows_a_gap then refunded_lines.product_id end as main_product_id
    from days
    inner join refunded_lines
        on
            days.order_key = refunded_lines.order_key
            and (refunded_lines.refunded_on is null or days.refunded_on < refunded_lines.refunded_on)
    qualify row_number() over (
        partition by days.order_key, days.refunded_on order by refunded_lines.line_number
    ) = 1

),

final as (

    select
        days.order_key,
        days.refunded_on,
        first_lines_left.main_product_id
    from days
    left join first_lines_left
        on
            days.order_key = first_lines_left.order_key
            and days.refunded_on = first_lines_left.refunded_on
    where coalesce(first_lines_left.line_number, 0) <> 1

)

select * from final
