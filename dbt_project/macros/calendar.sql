{#- Season of a date on the northern hemisphere, by whole months. -#}
{% macro season(date_expression) -%}
    case
        when extract(month from {{ date_expression }}) in (12, 1, 2) then 'winter'
        when extract(month from {{ date_expression }}) in (3, 4, 5) then 'spring'
        when extract(month from {{ date_expression }}) in (6, 7, 8) then 'summer'
        else 'autumn'
    end
{%- endmacro %}

{#- Part of the day of a local timestamp: the hour decides, the minute never does. After the midnight that ends its business date it is
    still the evening of that date: a unit may declare that its day ends later. -#}
{% macro daypart(timestamp_expression, business_date) -%}
    case
        when cast({{ timestamp_expression }} as date) > {{ business_date }} then 'evening'
        when extract(hour from {{ timestamp_expression }}) < 11 then 'morning'
        when extract(hour from {{ timestamp_expression }}) < 14 then 'midday'
        when extract(hour from {{ timestamp_expression }}) < 18 then 'afternoon'
        else 'evening'
    end
{%- endmacro %}
