{% call sums_of_days('product_id') -%}
count(distinct case when booking = 'sold' then order_key end) as order_count,
        cast(sum(case when booking = 'sold' then 1 else 0 end) as bigint) as line_count,
        cast(sum(case when is_main_line then 1 else 0 end) as bigint) as main_orders,
        cast(sum(quantity) as bigint) as quantity,
        cast(sum(total_price) as decimal(18, 2)) as total_price,
        cast(sum(case when booking = 'refunds' then quantity else 0 end) as bigint) as refunded_quantity,
        cast(sum(case when booking = 'refunds' then total_price else 0 end) as decimal(18, 2)) as refunded_price
{%- endcall %}
