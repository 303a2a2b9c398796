{#-
Snowflake's query history says of each statement which run sent it, and for which model or test, in the form of the platform's own
tags. GLOBOLATTE_RUN_ID is read when a statement is sent and not in the profile, where a new value would have every build parse anew.
-#}
{% macro snowflake__set_query_tag() %}
    {%- set stage = model.fqn[1] if model.resource_type == 'model' else model.resource_type -%}
    {%- set tag = {'app': 'globolatte', 'run_id': env_var('GLOBOLATTE_RUN_ID', ''), 'assets': [stage ~ '/' ~ model.name]} -%}
    {%- do run_query("alter session set query_tag = '" ~ tojson(tag) ~ "'") -%}
    {{ return(none) }}
{% endmacro %}

{#- dbt tags models by itself; a connection that was a model's would tag a test as that model. -#}
{% materialization test, adapter='snowflake' %}
    {%- do set_query_tag() -%}
    {{ return(dbt.materialization_test_default()) }}
{% endmaterialization %}
