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

{#-
What stands before an id: files only promise ids that are unique within one unit, date and, where told, store. A store's name stands
before the date, where no id can, and its own bars are doubled, so that no two keys are the same text.
-#}
{% macro daily_key(id, kept_apart_by='') -%}
    business_unit || '|' || {{ kept_apart_by }}{{ iso_date('business_date') }} || '|' || {{ id }}
{%- endmacro %}

{% macro store_of_key() -%}
    coalesce({{ part_of_key('store', 'store_id') }}, '') ||{{ ' ' }}
{%- endmacro %}

{% macro part_of_key(word, value) -%}
    '{{ word }} ' || replace({{ value }}, '|', '||') || '|'
{%- endmacro %}
