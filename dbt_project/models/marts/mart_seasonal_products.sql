with

daily_sales as (

    select
        business_unit,
        product_id,
        main_orders,
        {{ season('business_date') }} as season
    from {{ ref('int_daily_product_sales') }}
    union all
    -- booked off on the day of the refund
    select
        business_unit,
        product_id,
        -1 as main_orders,
        {{ season('refunded_on') }} as season
    from {{ ref('int_refunded_products') }}
    where is_main_product

),

seasons as (

    select
        business_unit as scope,
        season,
        product_id,
        -- a season can take back more than it sold
        cast(greatest(sum(main_orders), 0) as bigint) as main_orders
    from daily_sales
    group by business_unit, season, product_id
    union all
    select
        'chain' as scope,
        season,
        product_id,
        cast(greatest(sum(main_orders), 0) as bigint) as main_orders
    from daily_sales
    group by season, product_id

),

totals as (

    select
        *,
        sum(main_orders) over (partition by scope, season) as season_orders,
        sum(main_orders) over (partition by scope, product_id) as product_orders,
        sum(main_orders) over (partition by scope) as all_orders
    from seasons

),

shares as (

    select
        scope,
        season,
        product_id,
        main_orders,
        cast(main_orders as double) / season_orders as share,
        cast(product_orders as double) / all_orders as share_of_all_seasons
    from totals
    where
        season_orders > 0
        and product_orders > 0

),

final as (

    select
        scope,
        season,
        product_id,
        main_orders,
        share,
        share_of_all_seasons,
        share / share_of_all_seasons as seasonal_index,
        cast(row_number() over (
            partition by scope, season
            order by main_orders desc, product_id asc
        ) as bigint) as popularity_rank
    from shares

)

select * from final
