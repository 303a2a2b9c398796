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

{#- The hour of a sale on its business date: a sale after midnight that belongs to the day before is one of that day's last hour. -#}
{% macro hour_of_business_date(sales) -%}
    case
        when cast({{ sales }}.transacted_at as date) <> {{ sales }}.business_date then 23
        else extract(hour from {{ sales }}.transacted_at)
    end
{%- endmacro %}

{#- A subquery with the column day_number: 0 to 9999, more than 27 years of days. -#}
{% macro day_numbers() -%}
    {%- set digits = '(values (0), (1), (2), (3), (4), (5), (6), (7), (8), (9))' -%}
    (
        select ones.digit + 10 * tens.digit + 100 * hundreds.digit + 1000 * thousands.digit as day_number
        from {{ digits }} as ones (digit)
        cross join {{ digits }} as tens (digit)
        cross join {{ digits }} as hundreds (digit)
        cross join {{ digits }} as thousands (digit)
    )
{%- endmacro %}
