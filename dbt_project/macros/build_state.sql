{#-
What the incremental models know of each other, so that a build costs what changed and not the history.

build_state.built_days: the content of every day (unit x date), as fct_order_lines has it.
build_state.day_changes, build_state.customer_changes: two logs. fct_order_lines writes into the first which days changed,
    fct_orders into the second which customers had an order on such a day, before or after; each build under a new sequence.
build_state.watermarks: up to which sequence of a log each model has followed, and each test that looks at changes (macros/checks.sql).

A model replaces what was logged since its own watermark, up to the watermarks of the models that it reads, and then sets its
own. So models may be built alone and in any order, a build that was killed is repeated by the next one, and a day or customer
that is replaced once more comes out the same.
-#}
{% macro create_build_state() %}
create schema if not exists build_state;
create table if not exists build_state.built_days (business_unit varchar, business_date date, content_hash varchar);
create table if not exists build_state.day_changes (sequence bigint, business_unit varchar, business_date date);
create table if not exists build_state.customer_changes (sequence bigint, customer_id varchar, from_date date);
create table if not exists build_state.watermarks (model varchar, log varchar, sequence bigint)
{%- if execute %};
{{ forget_strangers() }}
{{ drop_retired() }}
{%- endif %}
{% endmacro %}

{#- Tables that a release has taken out: what is not built any more would only mislead. -#}
{% macro drop_retired() %}
    {%- for schema, table in [('marts', 'mart_product_affinity'), ('intermediate', 'int_daily_product_pairs')] -%}
        {%- set retired = adapter.get_relation(database=target.database, schema=schema, identifier=table) -%}
        {%- if retired is not none -%}
            {%- do adapter.drop_relation(retired) -%}
        {%- endif -%}
    {%- endfor -%}
{% endmacro %}

{#- A log is kept for all who follow it: not for a model or test that a release has taken out. -#}
{% macro forget_strangers() %}
    {%- set known = graph.nodes.values() | selectattr('resource_type', 'in', ['model', 'test']) | map(attribute='name') -%}
delete from build_state.watermarks where model not in ('{{ known | join("', '") }}')
{%- endmacro %}

{#- The highest sequence of a log that a model may follow: what all models that it reads have followed. -#}
{% macro newest_change(log, parents) -%}
    {%- if parents -%}
        (select min(sequence) from build_state.watermarks where log = '{{ log }}' and model in ('{{ parents | join("', '") }}'))
    {%- else -%}
        (select max(sequence) from build_state.{{ log }})
    {%- endif -%}
{%- endmacro %}

{%- macro is_unfollowed(log, parents) -%}
    sequence > coalesce(
        (select max(sequence) from build_state.watermarks where log = '{{ log }}' and model = '{{ model.name }}'), 0
    )
    and sequence <= {{ newest_change(log, parents) }}
{%- endmacro %}

{#- The days that this model has to replace. -#}
{%- macro touched_days(parents=[]) -%}
    (
        select distinct
            business_unit,
            business_date
        from build_state.day_changes
        where {{ is_unfollowed('day_changes', parents) }}
    )
{%- endmacro %}

{#- The customers that this model has to replace, each from the earliest date that changed. -#}
{%- macro touched_customers(parents) -%}
    (
        select
            customer_id,
            min(from_date) as from_date
        from build_state.customer_changes
        where {{ is_unfollowed('customer_changes', parents) }}
        group by customer_id
    )
{%- endmacro %}

{#- The earliest date that changed for any of them: as a constant it lets the warehouse skip the parts of a table before it. -#}
{%- macro earliest_touched(parents) -%}
    {%- set earliest = run_query('select min(from_date) from ' ~ touched_customers(parents) ~ ' as touched').columns[0].values()[0] -%}
    cast('{{ earliest or '9999-12-31' }}' as date)
{%- endmacro %}

{#-
Whether this build, or test, only follows changes. A unit test has no table that could be followed up: it sees the model as built anew.
-#}
{%- macro follows_changes() -%}
    {%- if model.resource_type == 'test' -%}
        {{ return(checks_changes()) }}
    {%- endif -%}
    {{ return(this is not none and is_incremental()) }}
{%- endmacro -%}

{#- Where changes are followed: a join that leaves the rows of the touched days, or customers, of a relation. -#}
{%- macro only_touched_days(relation, parents=[]) -%}
    {%- if follows_changes() -%}
    inner join {{ touched_days(parents) }} as touched
        on {{ relation }}.business_unit = touched.business_unit and {{ relation }}.business_date = touched.business_date
    {%- endif -%}
{%- endmacro %}

{%- macro only_touched_customers(relation, parents) -%}
    {%- if follows_changes() -%}
    inner join {{ touched_customers(parents) }} as touched on {{ relation }}.customer_id = touched.customer_id
    {%- endif -%}
{%- endmacro %}

{#- … and of them those from the first date that changed for the customer, or that reach it. -#}
{%- macro only_since_touched(relation, parents) -%}
    {%- if follows_changes() -%}
    inner join {{ touched_customers(parents) }} as touched
        on
            {{ relation }}.customer_id = touched.customer_id
            and {{ relation }}.business_date >= touched.from_date
            and {{ relation }}.business_date >= {{ earliest_touched(parents) }}
    {%- endif -%}
{%- endmacro %}

{%- macro only_touched_intervals(relation, parents) -%}
    {%- if follows_changes() -%}
    inner join {{ touched_customers(parents) }} as touched
        on
            {{ relation }}.customer_id = touched.customer_id
            and {{ interval_reaches(relation, 'touched.from_date') }}
            and {{ interval_reaches(relation, earliest_touched(parents)) }}
    {%- endif -%}
{%- endmacro %}

{#- Of a state's own table: the interval in which the first change falls. All that is in it is still true but for its end. -#}
{%- macro only_bases(relation, parents) -%}
    {{ only_touched_intervals(relation, parents) }}
        and {{ relation }}.valid_from <= touched.from_date
{%- endmacro %}

{#- Whether an interval of a state reaches a date. An interval includes the day on which it ends. -#}
{%- macro interval_reaches(intervals, date) -%}
    ({{ intervals }}.valid_to >= {{ date }} or {{ intervals }}.valid_to is null)
{%- endmacro %}

{#-
A table built anew is written in this order, and what follows is added at the end: a warehouse that knows the least and the greatest
value of each part of a table then reads the parts that changed, not the whole.
-#}
{%- macro in_the_order_of(column) -%}
    {%- if not follows_changes() -%}
    order by {{ column }}
    {%- endif -%}
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
from {{ days }} as days
full outer join build_state.built_days as built
    on days.business_unit = built.business_unit and days.business_date = built.business_date
where days.content_hash is null or built.content_hash is null or days.content_hash <> built.content_hash
{% endmacro %}

{#- After fct_order_lines. -#}
{% macro remember_built_days(days) %}
delete from build_state.built_days
where (business_unit, business_date) in (select business_unit, business_date from {{ touched_days() }} as touched);
insert into build_state.built_days (business_unit, business_date, content_hash)
select days.business_unit, days.business_date, days.content_hash
from {{ days }} as days
inner join {{ touched_days() }} as touched
    on days.business_unit = touched.business_unit and days.business_date = touched.business_date
{% endmacro %}

{#- Before fct_orders: who had an order on a changed day, by its old rows and by the new lines. -#}
{% macro log_changed_customers(order_lines, parents) %}
{{ forget_followed('customer_changes') }};
insert into build_state.customer_changes (sequence, customer_id, from_date)
select {{ next_sequence('customer_changes') }}, customer_id, min(business_date)
from (
    select changed.customer_id, changed.business_date
    from {{ order_lines }} as changed
    inner join {{ touched_days(parents) }} as touched
        on changed.business_unit = touched.business_unit and changed.business_date = touched.business_date
    {%- if follows_changes() %}
    union all
    select changed.customer_id, changed.business_date
    from {{ this }} as changed
    inner join {{ touched_days(parents) }} as touched
        on changed.business_unit = touched.business_unit and changed.business_date = touched.business_date
    {%- endif %}
) as customers
group by customer_id
{% endmacro %}

{#- After a model: it has followed a log as far as it could. -#}
{% macro set_watermark(log, parents=[]) %}
{%- set newest = newest_change(log, parents) -%}
delete from build_state.watermarks where log = '{{ log }}' and model = '{{ model.name }}';
insert into build_state.watermarks (model, log, sequence) select '{{ model.name }}', '{{ log }}', coalesce({{ newest }}, 0)
{%- if execute and not follows_changes() %};
{{ forget_checks() }}
{%- endif %}
{% endmacro %}
