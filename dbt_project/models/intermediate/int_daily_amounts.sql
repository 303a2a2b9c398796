{% call sums_of_days('booking, currency') -%}
cast(sum(total_price) as decimal(18, 2)) as total_price
{%- endcall %}
