{#-
The incremental strategy `as_of_states`: what is known of customers, as of now or as of each of their days (docs/dbt.md).

Of each touched customer all rows are replaced; with valid_to, those whose interval reaches the first date that changed. The model
gives the rows that come in their place. It reads its own table for the state before the change, which is why they are deleted after
it ran, and a customer of whom nothing is left has no row that dbt's delete+insert could delete by. One transaction.
-#}
{% macro get_incremental_as_of_states_sql(arg_dict) %}
    {%- set target = arg_dict['target_relation'] -%}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    {%- set has_intervals = arg_dict['dest_columns'] | selectattr('name', 'in', ['valid_to', 'VALID_TO']) | list -%}
    {%- set dml -%}
    delete from {{ target }}
    where
        exists (
            select 1 from {{ touched_customers() }} as touched
            where
                touched.customer_id = {{ target }}.customer_id
                {%- if has_intervals %}
                and {{ interval_reaches(target, 'touched.from_date') }}
                {%- endif %}
        )
        {%- if has_intervals %}
        and {{ interval_reaches(target, earliest_touched()) }}
        {%- endif %};
    insert into {{ target }} ({{ columns }})
    select {{ columns }} from {{ arg_dict['temp_relation'] }}
    {%- endset -%}
    {% do return(adapter.dispatch('in_one_transaction')(dml)) %}
{% endmacro %}

{#- dbt-duckdb has a transaction around each model. -#}
{% macro default__in_one_transaction(dml) %}
    {% do return(dml) %}
{% endmacro %}

{% macro snowflake__in_one_transaction(dml) %}
    {% do return(snowflake_dml_explicit_transaction(dml)) %}
{% endmacro %}

{#- After a model with favourite products: a category can change without a sale. -#}
{% macro follow_categories(products) %}
update {{ this }} set favourite_category = products.category
from {{ products }} as products
where
    {{ this }}.favourite_product_id = products.product_id
    and {{ this }}.favourite_category is distinct from products.category
{% endmacro %}
