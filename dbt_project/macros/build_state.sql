{#-
What the incremental models know of each other, so that a build costs what changed and not the history.

build_state.built_days: the content of every day (unit x date) with rows, as fct_order_lines has it.
build_state.day_changes, build_state.customer_changes: two logs. fct_order_lines writes into the first which days changed,
    fct_orders into the second which customers had an order on such a day, before or after, and fct_refunds who had something taken
    back; each build under a new sequence.
build_state.refunds_to_resolve: macros/refunds.sql.
build_state.watermarks: up to which sequence of a log each model has followed, and each test that looks at changes (macros/checks.sql).

A model's meta says which models it `follows`. It replaces what was logged since its own watermark, up to the watermarks of these, and
then sets its own. So models may be built alone and in any order, a build that was killed is repeated by the next one, and a day or
customer that is replaced once more comes out the same.
-#}
{% macro create_build_state() %}
create schema if not exists build_state;
create table if not exists build_state.built_days (business_unit varchar, business_date date, content_hash varchar);
create table if not exists build_state.day_changes (sequence bigint, business_unit varchar, business_date date);
create table if not exists build_state.customer_changes (sequence bigint, customer_id varchar, from_date date);
create table if not exists build_state.refunds_to_resolve (order_line_key varchar);
create table if not exists build_state.watermarks (model varchar, log varchar, sequence bigint)
{%- if execute %};
{{ forget_retired() }}
{%- endif %}
{% endmacro %}

{#- A log is kept for all who follow it: not for a model or test that a release has taken out, whose table would only mislead. -#}
{% macro forget_retired() %}
    {%- for schema, table in [('marts', 'mart_product_affinity'), ('intermediate', 'int_daily_product_pairs')] -%}
        {%- set retired = adapter.get_relation(database=target.database, schema=schema, identifier=table) -%}
        {%- if retired is not none -%}
            {%- do adapter.drop_relation(retired) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set known = graph.nodes.values() | selectattr('resource_type', 'in', ['model', 'test']) | map(attribute='name') -%}
delete from build_state.watermarks
where
    model not in ('{{ known | join("', '") }}')
    -- before there were refunds, fct_orders said how far the customers' log may be followed
    or (model = 'fct_orders' and log = 'customer_changes')
{%- endmacro %}

{#- The models that this model, or test, follows. -#}
{% macro follows() %}
    {%- set meta = config.get('meta') -%}
    {{ return(meta['follows'] if meta is mapping else []) }}
{% endmacro %}

{#- The highest sequence of a log that may be followed: what all of these models have followed. -#}
{% macro newest_change(log, parents) -%}
    {%- if parents -%}
        (select min(sequence) from build_state.watermarks where log = '{{ log }}' and model in ('{{ parents | join("', '") }}'))
    {%- else -%}
        (select max(sequence) from build_state.{{ log }})
    {%- endif -%}
{%- endmacro %}

{%- macro is_unfollowed(log) -%}
    sequence > coalesce(
        (select max(sequence) from build_state.watermarks where log = '{{ log }}' and model = '{{ model.name }}'), 0
    )
    and sequence <= {{ newest_change(log, follows()) }}
{%- endmacro %}

{#- The days that this model has to replace. -#}
{%- macro touched_days() -%}
    (
        select distinct
            business_unit,
            business_date
        from build_state.day_changes
        where {{ is_unfollowed('day_changes') }}
    )
{%- endmacro %}

{#- The customers that this model has to replace, each from the earliest date that changed. -#}
{%- macro touched_customers() -%}
    (
        select
            customer_id,
            min(from_date) as from_date
        from build_state.customer_changes
        where {{ is_unfollowed('customer_changes') }}
        group by customer_id
    )
{%- endmacro %}

{%- macro next_sequence(log) -%}
    (
        select coalesce(max(sequence), 0) + 1
        from (
            select sequence from build_state.{{ log }}
            union all
            select sequence from build_state.watermarks where log = '{{ log }}'
        ) as sequences
    )
{%- endmacro %}

{%- macro forget_followed(log) -%}
delete from build_state.{{ log }}
where sequence <= (select min(sequence) from build_state.watermarks where log = '{{ log }}')
{%- endmacro %}

{#- Before fct_order_lines: the days whose content, by the ledger, is not what was built. -#}
{% macro log_changed_days(days) %}
{{ forget_followed('day_changes') }};
insert into build_state.day_changes (sequence, business_unit, business_date)
select
    {{ next_sequence('day_changes') }},
    coalesce(days.business_unit, built.business_unit),
    coalesce(days.business_date, built.business_date)
from (select * from {{ days }} where rows_loaded > 0) as days
full outer join build_state.built_days as built
    on days.business_unit = built.business_unit and days.business_date = built.business_date
where days.content_hash is null or built.content_hash is null or days.content_hash <> built.content_hash;
delete from build_state.built_days
where (business_unit, business_date) in (select business_unit, business_date from {{ touched_days() }} as touched);
insert into build_state.built_days (business_unit, business_date, content_hash)
select days.business_unit, days.business_date, days.content_hash
from {{ days }} as days
inner join {{ touched_days() }} as touched
    on days.business_unit = touched.business_unit and days.business_date = touched.business_date
where days.rows_loaded > 0
{% endmacro %}

{#- Before fct_orders: who had an order on a changed day, by its old rows and by the new lines. -#}
{% macro log_changed_customers(order_lines) %}
{{ forget_followed('customer_changes') }};
insert into build_state.customer_changes (sequence, customer_id, from_date)
select {{ next_sequence('customer_changes') }}, customer_id, min(business_date)
from (
    select changed.customer_id, changed.business_date
    from {{ order_lines }} as changed
    {{ join_touched_days('changed') }}
    {%- if follows_changes() %}
    union all
    select changed.customer_id, changed.business_date
    from {{ this }} as changed
    {{ join_touched_days('changed') }}
    {%- endif %}
) as customers
-- anonymous orders belong to nobody's state
where customer_id is not null
group by customer_id
{% endmacro %}

{#- After a model: it has followed a log as far as it could. -#}
{% macro set_watermark(log, parents=none) %}
{%- set newest = newest_change(log, follows() if parents is none else parents) -%}
delete from build_state.watermarks where log = '{{ log }}' and model = '{{ model.name }}';
insert into build_state.watermarks (model, log, sequence) select '{{ model.name }}', '{{ log }}', coalesce({{ newest }}, 0)
{%- if execute and not follows_changes() %};
{{ forget_checks() }}
{%- endif %}
{% endmacro %}
