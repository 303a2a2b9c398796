{#-
Data tests that cost what changed. A test whose meta says what it `checks` (touched_days, touched_customers, touched_intervals, or
since_touched: the touched customers' rows from the first date that changed) and which models it `follows` looks at the rows that were
replaced since it last passed; so it stays failed until what it found is mended. It looks at all rows the first time, in a full
refresh, and after a model that it reads was built anew.
-#}

{#- Whether this test only has to look at changes. -#}
{% macro checks_changes() %}
    {%- if not execute or not rows_to_check() or flags.FULL_REFRESH or not has_build_state() -%}
        {{ return(false) }}
    {%- endif -%}
    {%- set passed = "select count(*) from build_state.watermarks where model = '" ~ model.name ~ "'" -%}
    {{ return(run_query(passed).columns[0].values()[0] > 0) }}
{% endmacro %}

{#- What of its model this test looks at; none if it always looks at all rows. -#}
{% macro rows_to_check() %}
    {%- set meta = config.get('meta') -%}
    {{ return(meta.get('checks') if meta is mapping else none) }}
{% endmacro %}

{%- macro log_of(checks) -%}
    {{ return('day_changes' if checks == 'touched_days' else 'customer_changes') }}
{%- endmacro %}

{#- Where SQL is only rendered, to be documented or linted, nothing was ever built. -#}
{% macro has_build_state() %}
    {{ return(adapter.get_relation(database=target.database, schema='build_state', identifier='watermarks') is not none) }}
{% endmacro %}

{#- By this dbt's generic tests, and ours, read their model. -#}
{% macro get_where_subquery(relation) -%}
    {%- if not checks_changes() -%}
        {{ return(adapter.dispatch('get_where_subquery', 'dbt')(relation)) }}
    {%- endif -%}
    {%- set checked -%}
    (
        select checked.* from {{ relation }} as checked
        {{ {
            'touched_days': only_touched_days,
            'touched_customers': only_touched_customers,
            'touched_intervals': only_touched_intervals,
            'since_touched': only_since_touched,
        }[rows_to_check()]('checked') }}
    ) as checked_rows
    {%- endset -%}
    {{ return(checked) }}
{%- endmacro %}

{#- At the end of a run: a test that passed has followed its log as far as the models that it reads. -#}
{% macro remember_checks(results) %}
    {%- set passed = [] -%}
    {%- for result in results if result.node.resource_type == 'test' and result.status == 'pass' -%}
        {%- if (result.node.config.get('meta') or {}).get('checks') -%}
            {%- do passed.append(result.node) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- if passed %}
delete from build_state.watermarks where model in ('{{ passed | map(attribute='name') | join("', '") }}');
insert into build_state.watermarks (model, log, sequence)
        {%- for test in passed %}
        {%- set meta = test.config.get('meta') %}
        {%- set log = log_of(meta['checks']) %}
select '{{ test.name }}', '{{ log }}', coalesce({{ newest_change(log, meta['follows']) }}, 0)
        {{- '\nunion all' if not loop.last }}
        {%- endfor %}
    {%- endif %}
{% endmacro %}

{#- After a model was built anew: what was found in it before says nothing any more. -#}
{% macro forget_checks() %}
    {%- set tests = [] -%}
    {%- for test in graph.nodes.values() if test.resource_type == 'test' and model.unique_id in test.depends_on.nodes -%}
        {%- do tests.append(test.name) -%}
    {%- endfor -%}
    {%- if tests -%}
delete from build_state.watermarks where model in ('{{ tests | join("', '") }}')
    {%- else -%}
select 1 as nothing_to_forget
    {%- endif -%}
{% endmacro %}
