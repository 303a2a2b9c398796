{#-
A CTE of the daily table's name: its measures added up over all days, for every business unit and for the chain as a whole.
-#}
{% macro in_every_scope(daily_table, keys, measures) -%}
{{ daily_table }} as (

    select
        business_unit as scope,
    {%- for key in keys %}
        {{ key }},
    {%- endfor %}
    {%- for measure in measures %}
        cast(sum({{ measure }}) as bigint) as {{ measure }}{{ ',' if not loop.last }}
    {%- endfor %}
    from {{ ref(daily_table) }}
    group by {{ (['business_unit'] + keys) | join(', ') }}
    union all
    select
        'chain' as scope,
    {%- for key in keys %}
        {{ key }},
    {%- endfor %}
    {%- for measure in measures %}
        cast(sum({{ measure }}) as bigint) as {{ measure }}{{ ',' if not loop.last }}
    {%- endfor %}
    from {{ ref(daily_table) }}
    {{ 'group by ' ~ keys | join(', ') if keys else 'having count(*) > 0' }}

)
{%- endmacro %}
