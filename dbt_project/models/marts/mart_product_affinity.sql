with

catalogue as (

    select * from {{ ref('dim_product') }}

),

{{ in_every_scope('int_daily_sales', [], ['order_count']) }},

{{ in_every_scope('int_daily_product_sales', ['product_id'], ['order_count']) }},

{{ in_every_scope('int_daily_product_pairs', ['product_id', 'other_product_id'], ['order_count']) }},

-- both directions: who buys the one is offered the other
pairs as (

    select
        scope,
        product_id,
        other_product_id,
        order_count
    from int_daily_product_pairs
    union all
    select
        scope,
        other_product_id as product_id,
        product_id as other_product_id,
        order_count
    from int_daily_product_pairs

),

counts as (

    select
        pairs.scope,
        pairs.product_id,
        pairs.other_product_id,
        orders.order_count,
        products.order_count as product_orders,
        other_products.order_count as other_product_orders,
        pairs.order_count as pair_orders,
        catalogue.category = other_catalogue.category as is_same_category,
        other_catalogue.price - catalogue.price as price_difference
    from pairs
    inner join int_daily_sales as orders on pairs.scope = orders.scope
    inner join int_daily_product_sales as products
        on pairs.scope = products.scope and pairs.product_id = products.product_id
    inner join int_daily_product_sales as other_products
        on pairs.scope = other_products.scope and pairs.other_product_id = other_products.product_id
    left join catalogue on pairs.product_id = catalogue.product_id
    left join catalogue as other_catalogue on pairs.other_product_id = other_catalogue.product_id

),

measured as (

    select
        scope,
        product_id,
        other_product_id,
        order_count,
        product_orders,
        other_product_orders,
        pair_orders,
        cast(pair_orders as double) / order_count as support,
        cast(pair_orders as double) / product_orders as confidence,
        cast(pair_orders as double) * order_count / (cast(product_orders as double) * other_product_orders) as lift,
        cast(price_difference as decimal(18, 2)) as price_difference,
        case
            when is_same_category and price_difference > 0 then 'upsell'
            when not is_same_category then 'cross_sell'
            else 'other'
        end as offer
    from counts

),

final as (

    select
        scope,
        product_id,
        other_product_id,
        order_count,
        product_orders,
        other_product_orders,
        pair_orders,
        support,
        confidence,
        lift,
        price_difference,
        offer,
        cast(row_number() over (
            partition by scope, product_id
            order by lift desc, pair_orders desc, other_product_id asc
        ) as bigint) as lift_rank
    from measured

)

select * from final
