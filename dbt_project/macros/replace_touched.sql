{#-
Incremental strategies: what a change touched is deleted and written again, in one transaction. Unlike dbt's own strategies they also
delete what has no successor: a retracted file leaves no rows that could say which ones to delete.
-#}

{#- All rows of the touched days. -#}
{% macro get_incremental_touched_days_sql(arg_dict) %}
    {%- set predicate -%}
    (business_unit, business_date) in (
        select business_unit, business_date from {{ touched_days(config.get('meta')['follows']) }} as touched
    )
    {%- endset -%}
    {% do return(replace_where(arg_dict, predicate)) %}
{% endmacro %}

{#- All rows of the touched customers. -#}
{% macro get_incremental_touched_customers_sql(arg_dict) %}
    {%- set predicate -%}
    customer_id in (select customer_id from {{ touched_customers(config.get('meta')['follows']) }} as touched)
    {%- endset -%}
    {% do return(replace_where(arg_dict, predicate)) %}
{% endmacro %}

{#- The rows of the touched customers whose interval reaches the earliest date that changed. -#}
{% macro get_incremental_touched_intervals_sql(arg_dict) %}
    {%- set follows = config.get('meta')['follows'] -%}
    {%- set target = arg_dict['target_relation'] -%}
    {%- set predicate -%}
    {{ interval_reaches(target, earliest_touched(follows)) }}
    and exists (
        select 1 from {{ touched_customers(follows) }} as touched
        where
            touched.customer_id = {{ target }}.customer_id
            and {{ interval_reaches(target, 'touched.from_date') }}
    )
    {%- endset -%}
    {% do return(replace_where(arg_dict, predicate)) %}
{% endmacro %}

{#- After a model with favourite products: a category can change without a sale. -#}
{% macro follow_categories(products) %}
update {{ this }} set favourite_category = products.category
from {{ products }} as products
where
    {{ this }}.favourite_product_id = products.product_id
    and {{ this }}.favourite_category is distinct from products.category
{% endmacro %}

{% macro replace_where(arg_dict, predicate) %}
    {%- set columns = arg_dict['dest_columns'] | map(attribute='quoted') | join(', ') -%}
    {%- set dml -%}
    delete from {{ arg_dict['target_relation'] }} where {{ predicate }};
    insert into {{ arg_dict['target_relation'] }} ({{ columns }})
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
