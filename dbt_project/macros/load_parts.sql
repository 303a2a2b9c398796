{#-
What the ledger says of each file version, unit and date. Read from the sources, not from a model with tests: that the ledger is out of
balance is to raise an alarm, not to stop every build.
-#}
{% macro load_parts() -%}
ledger as (

    select * from {{ source('sales_data', 'load_ledger') }}

),

parts as (

    select * from {{ source('sales_data', 'load_parts') }}

),

-- a file of one unit and date, loaded before there were parts
undivided as (

    select ledger.* from ledger
    where
        ledger.business_unit is not null
        and ledger.business_date is not null
        and ledger.load_id not in (select parts.load_id from parts)

),

load_parts as (

    select
        parts.load_id,
        ledger.path as file_path,
        cast(ledger.sequence as bigint) as load_sequence,
        parts.business_unit,
        parts.business_date,
        -- what was taken out was taken out as a whole; else each part has a fate of its own
        case when ledger.status in ('superseded', 'retracted') then ledger.status else parts.status end as status,
        coalesce(parts.reason_code, ledger.reason_code) as reason_code,
        cast(parts.rows_in_part as bigint) as rows_in_part,
        cast(parts.rows_loaded as bigint) as rows_loaded,
        cast(parts.rows_quarantined as bigint) as rows_quarantined
    from parts
    inner join ledger on parts.load_id = ledger.load_id
    union all
    select
        load_id,
        path as file_path,
        cast(sequence as bigint) as load_sequence,
        business_unit,
        business_date,
        status,
        reason_code,
        cast(rows_in_file as bigint) as rows_in_part,
        cast(rows_loaded as bigint) as rows_loaded,
        cast(rows_quarantined as bigint) as rows_quarantined
    from undivided

)
{%- endmacro %}
