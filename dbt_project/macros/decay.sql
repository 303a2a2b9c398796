{#-
Exponential decay in whole numbers: a purchase on day d, seen from day t, weighs 2^(-(t - d) / h).

A sum of doubles depends on the order in which they are added, and so on how the builds were cut. So time is divided into periods
of 53 half-lives from 2020-01-01 on, and a purchase weighs 2^(48 + days into its period / h), rounded to a whole number: these add
up exactly in any order. A state holds the sum of its own period and that of the period before, of which 2^-53 counts; what is
older would change no digit of a purchase of today.

States are those of a customer and product, and end with the customer's orders of last_order_date. They add up what was bought since
started_on, the customer's last refund (macros/left_over.sql).
-#}
{% macro decay_weight(count, day, half_life_days) -%}
    cast(round({{ count }} * {{ growth_in_period(day, half_life_days) }}) as decimal(37, 0))
{%- endmacro %}

{% macro growth_in_period(day, half_life_days) -%}
    power(2, 48 + {{ days_of_decay(day) }} / {{ half_life_days }} - 53 * {{ decay_period(day, half_life_days) }})
{%- endmacro %}

{% macro decay_period(day, half_life_days) -%}
    cast(floor({{ days_of_decay(day) }} / {{ 53 * half_life_days }}) as integer)
{%- endmacro %}

{% macro days_of_decay(day) -%}
    cast({{ day }} - cast('2020-01-01' as date) as double)
{%- endmacro %}

{#- A state's sum over its own period, and over the one before; the latter from both columns of the days that are added up. -#}
{% macro weight_in_period(weight, half_life_days) -%}
    cast(sum(cast({{ weight }} as decimal(37, 0))) over (
        partition by customer_id, product_id, started_on, {{ decay_period('last_order_date', half_life_days) }}
        order by last_order_date rows between unbounded preceding and current row
    ) as decimal(37, 0))
{%- endmacro %}

{% macro weight_in_period_before(weight, weight_before, half_life_days) -%}
    cast({{ weight_in_period(weight_before, half_life_days) }} + coalesce(sum(cast({{ weight }} as decimal(37, 0))) over (
        partition by customer_id, product_id, started_on
        order by {{ decay_period('last_order_date', half_life_days) }} range between 1 preceding and 1 preceding
    ), 0) as decimal(37, 0))
{%- endmacro %}

{#- The purchases as seen from a state's last day. Never zero where there was one. -#}
{% macro decayed_count(count, weight, weight_before, half_life_days) -%}
    case
        when {{ count }} = 0 then 0
        else greatest(cast({{ weight }} as double) + cast({{ weight_before }} as double) / power(2, 53), power(2, -5))
    end / {{ growth_in_period('last_order_date', half_life_days) }}
{%- endmacro %}
