{#-
Which rows of the weather feed count. Of files that tell the same, the last by name; a store that is named with its unit goes first.
-#}
{% macro that_count(feed) -%}
qualify row_number() over (
    partition by {{ feed }}.business_unit, {{ feed }}.store_id, {{ feed }}.business_date, {{ feed }}.hour_of_day
    order by {{ feed }}.is_of_any_unit asc, {{ feed }}.file_path desc, {{ feed }}.weather asc
) = 1
{%- endmacro %}
