{#- Keys made of several fields, the same text on both engines and under any session's date format. -#}

{#- A date as YYYY-MM-DD. -#}
{% macro iso_date(date_expression) -%}
    {{ adapter.dispatch('iso_date')(date_expression) }}
{%- endmacro %}

{% macro default__iso_date(date_expression) -%}
    to_char({{ date_expression }}, 'YYYY-MM-DD')
{%- endmacro %}

{% macro duckdb__iso_date(date_expression) -%}
    strftime({{ date_expression }}, '%Y-%m-%d')
{%- endmacro %}

{#- A unit and a date before an id: files only promise ids that are unique within one unit and date. -#}
{% macro daily_key(id) -%}
    business_unit || '|' || {{ iso_date('business_date') }} || '|' || {{ id }}
{%- endmacro %}
