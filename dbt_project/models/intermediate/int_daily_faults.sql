{{ config(
    materialized='incremental',
    incremental_strategy='append',
    pre_hook="{{ delete_other_content(ref('int_faulty_days')) }}"
) }}

with

changed_days as (

    select * from {{ ref('int_faulty_days') }}
    {%- if follows_changes() %}
    where (business_unit, business_date) not in (select known.business_unit, known.business_date from {{ this }} as known)
    {%- endif %}

),

parts as (

    select
        parts.*,
        changed_days.content_hash
    from {{ ref('int_load_parts') }} as parts
    inner join changed_days
        on
            parts.business_unit = changed_days.business_unit
            and parts.business_date = changed_days.business_date

),

unusable_files as (

    select
        business_unit,
        business_date,
        content_hash,
        status as kind,
        coalesce(reason_code, 'unknown') as reason,
        file_path,
        coalesce(rows_in_part, 0) as row_count,
        cast(null as bigint) as line_number
    from parts
    where status in ('refused', 'held')

),

quarantined_rows as (

    select
        parts.business_unit,
        parts.business_date,
        parts.content_hash,
        case when parts.status = 'loaded' then 'quarantined' else 'held_rows' end as kind,
        quarantine.reason,
        parts.file_path,
        count(*) as row_count,
        min(quarantine.line_number) as line_number
    from parts
    inner join {{ ref('stg_quarantine') }} as quarantine
        on
            parts.load_id = quarantine.load_id
            and parts.business_unit = quarantine.business_unit
            and parts.business_date = quarantine.business_date
    where parts.status in ('loaded', 'held')
    group by
        parts.business_unit, parts.business_date, parts.content_hash, parts.status, quarantine.reason, parts.file_path

),

faults as (

    select * from unusable_files
    union all
    select * from quarantined_rows

),

placed as (

    select
        *,
        row_number() over (
            partition by business_unit, business_date, kind, reason order by file_path desc, line_number asc nulls last
        ) as place
    from faults

),

final as (

    select
        business_unit,
        business_date,
        kind,
        reason,
        content_hash,
        cast(count(*) as bigint) as file_count,
        cast(sum(row_count) as bigint) as row_count,
        max(file_path) as example_file,
        max(case when place = 1 then line_number end) as example_line
    from placed
    group by business_unit, business_date, kind, reason, content_hash

)

select * from final
