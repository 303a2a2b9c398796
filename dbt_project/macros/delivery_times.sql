{#- A moment of a zone's clocks, without offset, of a moment in UTC without offset. -#}
{% macro local_time(utc, time_zone) %}
    {{ return(adapter.dispatch('local_time')(utc, time_zone)) }}
{% endmacro %}

{%- macro default__local_time(utc, time_zone) -%}
    timezone({{ time_zone }}, timezone('UTC', cast({{ utc }} as timestamp)))
{%- endmacro %}

{%- macro snowflake__local_time(utc, time_zone) -%}
    convert_timezone('UTC', {{ time_zone }}, {{ utc }})
{%- endmacro %}

{#- How many hours after a business date has ended its file must be there: the setting of that name. -#}
{% macro delivery_hours() %}
    {{ return(env_var('GLOBOLATTE_DELIVERY_HOURS', '12') | float) }}
{% endmacro %}

{#- Hours from a date's beginning to a moment, to the minute. -#}
{% macro hours_since(date, moment) %}
    {{ return(adapter.dispatch('hours_since')(date, moment)) }}
{% endmacro %}

{%- macro default__hours_since(date, moment) -%}
    date_diff('minute', cast({{ date }} as timestamp), {{ moment }}) / 60.0
{%- endmacro %}

{%- macro snowflake__hours_since(date, moment) -%}
    datediff('minute', cast({{ date }} as timestamp), {{ moment }}) / 60.0
{%- endmacro %}
