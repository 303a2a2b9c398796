{#-
Exponential decay without self joins: a purchase on day d, seen from day t, weighs
2^(-(t - d) / h) = 2^((d - epoch) / h) / 2^((t - epoch) / h).
The numerators add up in one running window sum and the denominator rescales it to the row's own day. With a half-life h
of 30 days or more a double holds every day within 80 years of the epoch.
-#}
{% macro decayed_sum(measure, day, half_life_days, window) -%}
    sum({{ measure }} * {{ growth_since_epoch(day, half_life_days) }}) over ({{ window }})
        / {{ growth_since_epoch(day, half_life_days) }}
{%- endmacro %}

{% macro growth_since_epoch(day, half_life_days) -%}
    power(2, cast({{ day }} - cast('2020-01-01' as date) as double) / {{ half_life_days }})
{%- endmacro %}
