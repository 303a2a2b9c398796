{#-
What customers have left after refunds. From the day after a refund on, a state is that of a chain in which what was refunded had never
been bought; what was known before stays as it was. Counts could be taken off, but not last products and dates: so the history starts
anew after each day of a refund (`resets`), from what is then left of all the customer's orders (`orders_left`), and goes on from there.
-#}

{#- The days of the touched customers after which their history starts anew. -#}
{% macro resets() -%}
resets as (

    select distinct
        refunded.customer_id,
        refunded.refunded_on as reset_date
    from {{ ref('int_refunded_lines') }} as refunded
    {%- if follows_changes() %}
    inner join {{ touched_customers() }} as touched
        on
            refunded.customer_id = touched.customer_id
            and refunded.refunded_on >= touched.from_date
    {%- endif %}
    where
        refunded.refunded_on is not null
        and refunded.has_main_product

)
{%- endmacro %}

{#- Of orders with refunds the lines that are left at each reset, and of all orders those that are, with their main product. -#}
{% macro orders_left() -%}
lines_left as (

    select
        resets.reset_date,
        refunded.order_key,
        refunded.product_id,
        refunded.follows_a_gap,
        row_number() over (partition by resets.reset_date, refunded.order_key order by refunded.line_number) as place,
        count(*) over (partition by resets.reset_date, refunded.order_key) as line_count
    from resets
    inner join {{ ref('int_refunded_lines') }} as refunded
        on
            resets.customer_id = refunded.customer_id
            and resets.reset_date >= refunded.business_date
            and (refunded.refunded_on is null or resets.reset_date < refunded.refunded_on)
    where refunded.has_main_product

),

orders_with_refunds as (

    select distinct
        customer_id,
        order_key
    from {{ ref('int_refunded_lines') }}

),

orders_left as (

    select
        resets.customer_id,
        resets.reset_date,
        orders.order_key,
        orders.business_date,
        orders.ordered_at,
        orders.daypart,
        coalesce(lines_left.line_count, orders.line_count) as line_count,
        coalesce(lines_left.product_id, orders.main_product_id) as main_product_id,
        orders_with_refunds.order_key is not null as has_refunds
    from resets
    inner join {{ ref('fct_orders') }} as orders
        on
            resets.customer_id = orders.customer_id
            and resets.reset_date >= orders.business_date
    left join orders_with_refunds
        on
            orders.customer_id = orders_with_refunds.customer_id
            and orders.order_key = orders_with_refunds.order_key
    left join lines_left
        on
            resets.reset_date = lines_left.reset_date
            and orders.order_key = lines_left.order_key
            and lines_left.place = 1
    where
        orders.main_product_id is not null
        -- its first line that is left may follow one that nobody could read
        and (orders_with_refunds.order_key is null or not lines_left.follows_a_gap)

)
{%- endmacro %}

{#- The weight of what is left of the days of the decay period (macros/decay.sql) in which the customer's last order is, or of one before. -#}
{% macro weight_left(days, states, half_life_days, periods_ago) -%}
    cast(sum(
        case
            when
                {{ decay_period(days ~ '.business_date', half_life_days) }}
                = {{ decay_period(states ~ '.last_order_date', half_life_days) }} - {{ periods_ago }}
                then {{ decay_weight(days ~ '.main_orders', days ~ '.business_date', half_life_days) }}
            else 0
        end
    ) as decimal(37, 0))
{%- endmacro %}

{#- What `starts` know, as if it were orders: the last products as three rows in their sequence, the counts in the last of them. -#}
{% macro recent_products_of_starts(counts) -%}
    {%- for product in (3, 2, 1) %}
    {{- 'union all' if loop.first else '\n    union all' }}
    select
        customer_id,
        known_on,
        is_reset,
        -{{ product }} as place,
        cast(null as timestamp) as ordered_at,
        cast(null as varchar) as order_key,
        first_order_date,
        last_order_date,
        recent_product_{{ product }} as main_product_id,
        {%- for count in counts %}
        {{ count if product == 1 else '0 as ' ~ count }}{{ ',' if not loop.last }}
        {%- endfor %}
    from starts
    {%- if product > 1 %}
    where recent_product_{{ product }} is not null
    {%- endif %}
    {%- endfor %}
{%- endmacro %}
