{#- Built whole each time: of the ledger and of the quarantine it reads the reasons alone. -#}
with

parts as (

    select * from {{ ref('int_load_parts') }}

),

quarantine as (

    select * from {{ ref('stg_quarantine') }}

),

unusable_files as (

    select
        business_unit,
        business_date,
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
        case when parts.status = 'loaded' then 'quarantined' else 'held_rows' end as kind,
        quarantine.reason,
        parts.file_path,
        count(*) as row_count,
        min(quarantine.line_number) as line_number
    from quarantine
    inner join parts
        on
            quarantine.load_id = parts.load_id
            and quarantine.business_unit = parts.business_unit
            and quarantine.business_date = parts.business_date
    where parts.status in ('loaded', 'held')
    group by parts.business_unit, parts.business_date, parts.status, quarantine.reason, parts.file_path

),

faults as (

    select * from unusable_files
    union all
    select * from quarantined_rows

),

weeks as (

    select
        *,
        cast({{ dbt.date_trunc('week', 'business_date') }} as date) as week_start
    from faults

),

final as (

    select
        business_unit,
        week_start,
        kind,
        reason,
        cast(count(*) as bigint) as file_count,
        cast(sum(row_count) as bigint) as row_count,
        max(file_path) as example_file,
        max_by(line_number, file_path) as example_line
    from weeks
    group by business_unit, week_start, kind, reason

)

select * from final
