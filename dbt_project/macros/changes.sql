{#-
What an incremental model, or a test that looks at changes, reads of its inputs: joins that leave the rows that were touched
(macros/build_state.sql). Where everything is built or looked at they leave all rows.

Day-grained models are dbt's delete+insert by day: their rows of a touched day are replaced by what is there now. It deletes by the
new rows, so `delete_emptied_days` goes before it: of a day that was retracted, or of which no order is left, none is there to say so.
-#}

{#-
Whether this build, or test, only follows changes. A unit test has no table that could be followed up: it sees the model as built anew.
-#}
{%- macro follows_changes() -%}
    {%- if model.resource_type == 'test' -%}
        {{ return(checks_changes()) }}
    {%- endif -%}
    {{ return(this is not none and is_incremental()) }}
{%- endmacro -%}

{%- macro only_touched_days(relation) -%}
    {%- if follows_changes() -%}
    {{ join_touched_days(relation) }}
    {%- endif -%}
{%- endmacro %}

{%- macro join_touched_days(relation) -%}
    inner join {{ touched_days() }} as touched
        on {{ relation }}.business_unit = touched.business_unit and {{ relation }}.business_date = touched.business_date
{%- endmacro %}

{%- macro only_touched_customers(relation) -%}
    {%- if follows_changes() -%}
    inner join {{ touched_customers() }} as touched on {{ relation }}.customer_id = touched.customer_id
    {%- endif -%}
{%- endmacro %}

{#- … and of their rows those from the first date that changed for the customer, or that reach it. -#}
{%- macro only_since_touched(relation) -%}
    {%- if follows_changes() -%}
    inner join {{ touched_customers() }} as touched
        on
            {{ relation }}.customer_id = touched.customer_id
            and {{ relation }}.business_date >= touched.from_date
            and {{ relation }}.business_date >= {{ earliest_touched() }}
    {%- endif -%}
{%- endmacro %}

{%- macro only_touched_intervals(relation) -%}
    {%- if follows_changes() -%}
    inner join {{ touched_customers() }} as touched
        on
            {{ relation }}.customer_id = touched.customer_id
            and {{ interval_reaches(relation, 'touched.from_date') }}
            and {{ interval_reaches(relation, earliest_touched()) }}
    {%- endif -%}
{%- endmacro %}

{#- Of a state's own table: the interval in which the first change falls. All that is in it is still true but for its end. -#}
{%- macro only_bases(relation) -%}
    {{ only_touched_intervals(relation) }}
        and {{ relation }}.valid_from <= touched.from_date
{%- endmacro %}

{#- Whether an interval of a state reaches a date. An interval includes the day on which it ends. -#}
{%- macro interval_reaches(intervals, date) -%}
    ({{ intervals }}.valid_to >= {{ date }} or {{ intervals }}.valid_to is null)
{%- endmacro %}

{#- The earliest date that changed for any of them: as a constant it lets the warehouse skip the parts of a table before it. -#}
{%- macro earliest_touched() -%}
    {%- set earliest = run_query('select min(from_date) from ' ~ touched_customers() ~ ' as touched').columns[0].values()[0] -%}
    cast('{{ earliest or '9999-12-31' }}' as date)
{%- endmacro %}

{#- Before a day-grained model. With `order_lines`, a model of orders: a day can have lines and none that is sold. -#}
{% macro delete_emptied_days(order_lines=none) %}
    {%- if follows_changes() %}
delete from {{ this }}
where
    (business_unit, business_date) in (select business_unit, business_date from {{ touched_days() }} as touched)
    and (business_unit, business_date) not in (
        {%- if order_lines %}
        select sold.business_unit, sold.business_date
        from {{ order_lines }} as sold
        {{ join_touched_days('sold') }}
        where sold.booking = 'sold'
        {%- else %}
        select business_unit, business_date from build_state.built_days
        {%- endif %}
    )
    {%- endif %}
{% endmacro %}

{#- Before a model that knows by itself for which content of a day it was made: the days that have another one now, or none. -#}
{% macro delete_other_content(days) %}
    {%- if follows_changes() %}
delete from {{ this }}
where (business_unit, business_date, content_hash) not in (select business_unit, business_date, content_hash from {{ days }})
    {%- endif %}
{% endmacro %}

{#-
A table built anew is written in this order, and what follows is added at the end: a warehouse that knows the least and the greatest
value of each part of a table then reads the parts that changed, not the whole.
-#}
{%- macro in_the_order_of(column) -%}
    {%- if not follows_changes() -%}
    order by {{ column }}
    {%- endif -%}
{%- endmacro %}
