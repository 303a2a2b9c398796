{#- The text under a key of a JSON object; NULL without that key. -#}
{% macro json_text(column, key) -%}
    {{ adapter.dispatch('json_text')(column, key) }}
{%- endmacro %}

{% macro default__json_text(column, key) -%}
    cast(get_path(parse_json({{ column }}), '{{ key }}') as varchar)
{%- endmacro %}

{% macro duckdb__json_text(column, key) -%}
    json_extract_string({{ column }}, '$.{{ key }}')
{%- endmacro %}
