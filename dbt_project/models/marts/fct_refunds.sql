{{ config(
    materialized='incremental',
    incremental_strategy='delete+insert',
    unique_key='order_line_key',
    meta={'follows': ['fct_orders']},
    pre_hook="{{ note_refunds_to_resolve() }}",
    post_hook="{{ log_resolved_refunds() }}"
) }}

with

refunds as (

    select
        refunding.order_line_key,
        refunding.order_key as receipt_key,
        refunding.business_unit,
        refunding.business_date,
        refunding.store_id,
        refunding.transacted_at,
        refunding.kind,
        refunding.product_id,
        refunding.customer_id as named_customer_id,
        refunding.refunded_order_id,
        refunding.refunded_date,
        refunding.quantity,
        refunding.total_price,
        refunding.currency as named_currency
    from {{ ref('fct_order_lines') }} as refunding
    {{ only_touched_days('refunding') }}
    where refunding.booking = 'refunds'
    {%- if follows_changes() %}
    union all
    select
        known.order_line_key,
        known.receipt_key,
        known.business_unit,
        known.business_date,
        known.store_id,
        known.transacted_at,
        known.kind,
        known.product_id,
        known.named_customer_id,
        known.refunded_order_id,
        known.refunded_date,
        known.quantity,
        known.total_price,
        known.named_currency
    from {{ this }} as known
    inner join build_state.refunds_to_resolve as again on known.order_line_key = again.order_line_key
    {%- endif %}

),

-- what a refund may take back: the order that it names, the one on whose receipt it stands, those of its customer
candidates as (

    select
        refunds.order_line_key,
        refunds.product_id,
        1 as preference,
        {{ of_candidate() }}
    from refunds
    inner join {{ ref('fct_orders') }} as orders
        on
            refunds.business_unit = orders.business_unit
            and refunds.refunded_order_id = orders.order_id
            and refunds.store_id is not distinct from orders.store_id
            and refunds.business_date >= orders.business_date
            and coalesce(refunds.refunded_date, orders.business_date) = orders.business_date
    union all
    select
        refunds.order_line_key,
        refunds.product_id,
        2 as preference,
        {{ of_candidate() }}
    from refunds
    inner join {{ ref('fct_orders') }} as orders
        on
            refunds.business_unit = orders.business_unit
            and refunds.business_date = orders.business_date
            and refunds.receipt_key = orders.order_key
    where refunds.refunded_order_id is null
    union all
    select
        refunds.order_line_key,
        refunds.product_id,
        3 as preference,
        {{ of_candidate() }}
    from refunds
    inner join {{ ref('fct_orders') }} as orders
        on
            refunds.business_unit = orders.business_unit
            and refunds.named_customer_id = orders.customer_id
            and refunds.store_id is not distinct from orders.store_id
            and refunds.business_date >= orders.business_date
            and refunds.transacted_at > orders.ordered_at
    where refunds.refunded_order_id is null

),

candidate_orders as (

    select distinct
        order_key,
        order_date
    from candidates

),

-- pieces, less what was voided of a line on its day
product_quantities as (

    select
        sold.order_key,
        sold.product_id,
        cast(sum(sold.quantity) as bigint) as quantity,
        max(case when sold.booking = 'sold' then 1 else 0 end) = 1 as is_sold
    from candidate_orders
    inner join {{ ref('fct_order_lines') }} as sold
        on
            candidate_orders.order_date = sold.business_date
            and candidate_orders.order_key = sold.order_key
    where sold.booking <> 'refunds'
    group by sold.order_key, sold.product_id

),

with_the_product as (

    select
        candidates.*,
        product_quantities.quantity as product_quantity
    from candidates
    inner join product_quantities
        on
            candidates.order_key = product_quantities.order_key
            and candidates.product_id = product_quantities.product_id
    where product_quantities.is_sold

),

told as (

    select
        *,
        cast(null as bigint) as pieces_since
    from with_the_product
    where preference < 3
    qualify row_number() over (
        partition by order_line_key
        order by preference asc, order_date desc, ordered_at desc, order_key desc
    ) = 1

),

-- all refunds, with the order that they name or on whose receipt they stand
taken_back as (

    select
        refunds.order_line_key,
        refunds.business_unit,
        refunds.store_id,
        refunds.business_date,
        refunds.transacted_at,
        refunds.product_id,
        refunds.quantity,
        refunds.refunded_order_id is null and told.order_key is null as is_told_nowhere,
        refunds.named_customer_id,
        told.order_key
    from refunds
    left join told on refunds.order_line_key = told.order_line_key
    {%- if follows_changes() %}
    union all
    select
        known.order_line_key,
        known.business_unit,
        known.store_id,
        known.business_date,
        known.transacted_at,
        known.product_id,
        known.quantity,
        known.refunded_order_id is null and known.order_key is distinct from known.receipt_key as is_told_nowhere,
        known.named_customer_id,
        known.order_key
    from {{ this }} as known
    left join build_state.refunds_to_resolve as again on known.order_line_key = again.order_line_key
    where again.order_line_key is null
    {%- endif %}

),

told_nowhere as (

    select * from refunds
    where
        order_line_key in (
            select taken_back.order_line_key from taken_back
            where taken_back.is_told_nowhere
        )

),

-- going back from a refund, what its customer bought of the product and what was taken back of it: an order's pieces
-- are those that no refund by then has told to be of it
steps as (

    select
        bought.order_line_key,
        bought.order_key as step_key,
        bought.order_date as step_date,
        bought.ordered_at as step_at,
        0 as place,
        greatest(max(bought.product_quantity) + coalesce(sum(taken_back.quantity), 0), 0) as pieces
    from with_the_product as bought
    inner join told_nowhere on bought.order_line_key = told_nowhere.order_line_key
    left join taken_back
        on
            bought.order_key = taken_back.order_key
            and bought.product_id = taken_back.product_id
            and not taken_back.is_told_nowhere
            and {{ is_before('taken_back', 'told_nowhere') }}
    where bought.preference = 3
    group by bought.order_line_key, bought.order_key, bought.order_date, bought.ordered_at
    union all
    select
        told_nowhere.order_line_key,
        taken_back.order_line_key as step_key,
        taken_back.business_date as step_date,
        taken_back.transacted_at as step_at,
        1 as place,
        taken_back.quantity as pieces
    from told_nowhere
    inner join taken_back
        on
            told_nowhere.named_customer_id = taken_back.named_customer_id
            and told_nowhere.business_unit = taken_back.business_unit
            and told_nowhere.product_id = taken_back.product_id
            and told_nowhere.store_id is not distinct from taken_back.store_id
            and taken_back.is_told_nowhere
            and {{ is_before('taken_back', 'told_nowhere') }}

),

going_back as (

    select
        *,
        sum(pieces) over (
            partition by order_line_key
            order by step_date desc, step_at desc, place asc, step_key desc
            rows between unbounded preceding and current row
        ) as pieces_since
    from steps

),

-- the latest order since which the customer bought more than was taken back
of_the_customer as (

    select
        bought.*,
        cast(going_back.pieces_since as bigint) as pieces_since
    from with_the_product as bought
    inner join going_back
        on
            bought.order_line_key = going_back.order_line_key
            and bought.order_key = going_back.step_key
    where
        bought.preference = 3
        and going_back.place = 0
        and going_back.pieces_since > 0
    qualify row_number() over (
        partition by bought.order_line_key
        order by bought.order_date desc, bought.ordered_at desc, bought.order_key desc
    ) = 1

),

resolved as (

    select * from told
    union all
    select * from of_the_customer

),

-- a void that is larger than what it voids takes nothing from the order's other products
order_quantities as (

    select
        order_key,
        cast(sum(greatest(quantity, 0)) as bigint) as quantity
    from product_quantities
    group by order_key

),

final as (

    select
        refunds.order_line_key,
        refunds.receipt_key,
        refunds.business_unit,
        refunds.business_date,
        refunds.store_id,
        refunds.transacted_at,
        refunds.kind,
        refunds.product_id,
        refunds.named_customer_id,
        refunds.refunded_order_id,
        refunds.refunded_date,
        refunds.quantity,
        refunds.total_price,
        refunds.named_currency,
        -- it is paid back as it was paid
        coalesce(refunds.named_currency, resolved.currency) as currency,
        resolved.order_key,
        resolved.order_date,
        -- whose order it was; of an order that is not known, who brought it back
        case
            when resolved.order_key is null then refunds.named_customer_id else resolved.customer_id
        end as customer_id,
        coalesce(resolved.main_product_id = refunds.product_id, false) as is_main_product,
        resolved.product_quantity,
        order_quantities.quantity as order_quantity
    from refunds
    left join resolved on refunds.order_line_key = resolved.order_line_key
    left join order_quantities on resolved.order_key = order_quantities.order_key

)

select * from final
{{ in_the_order_of('business_date') }}
