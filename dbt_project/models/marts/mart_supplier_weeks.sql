{#- Built whole each time: it is made of the ledger, which has a row per file version, and is as small. -#}
with

parts as (

    select * from {{ ref('int_load_parts') }}

),

ledger as (

    select * from {{ ref('stg_load_ledger') }}

),

business_units as (

    select * from {{ ref('dim_business_unit') }}

),

versions as (

    select
        parts.business_unit,
        parts.business_date,
        parts.status,
        parts.rows_in_part,
        parts.rows_loaded,
        parts.rows_quarantined,
        {{ local_time('ledger.recorded_at', "coalesce(business_units.time_zone, 'UTC')") }} as recorded_at,
        -- the same content once more is a retry or a release, or was only sent again
        coalesce(ledger.sha256 <> lag(ledger.sha256) over (
            partition by parts.file_path, parts.business_unit, parts.business_date
            order by parts.load_sequence
        ), false) as is_correction
    from parts
    inner join ledger on parts.load_id = ledger.load_id
    left join business_units on parts.business_unit = business_units.business_unit_id

),

days as (

    select
        business_unit,
        business_date,
        cast({{ dbt.date_trunc('week', 'business_date') }} as date) as week_start,
        min(recorded_at) as first_recorded_at,
        count(*) as file_versions,
        sum(case when status = 'loaded' then 1 else 0 end) as files_loaded,
        sum(case when status = 'superseded' then 1 else 0 end) as files_superseded,
        sum(case when status = 'retracted' then 1 else 0 end) as files_retracted,
        sum(case when status = 'refused' then 1 else 0 end) as files_refused,
        sum(case when status = 'held' then 1 else 0 end) as files_held,
        sum(case when is_correction then 1 else 0 end) as corrections,
        sum(case when status = 'loaded' then rows_loaded else 0 end) as rows_loaded,
        sum(case when status = 'loaded' then rows_quarantined else 0 end) as rows_quarantined,
        sum(case when status = 'held' then coalesce(rows_in_part, 0) else 0 end) as rows_held
    from versions
    group by business_unit, business_date

),

spans as (

    select
        business_unit,
        min(business_date) as first_date,
        max(business_date) as last_date,
        cast(min(first_recorded_at) as date) as watched_from
    from days
    group by business_unit

),

timed as (

    select
        days.*,
        spans.first_date,
        spans.last_date,
        -- what was there when the unit's first file was taken up came as its history, neither in time nor late
        case
            when days.business_date >= spans.watched_from
                then {{ hours_since('days.business_date', 'days.first_recorded_at') }} - 24
        end as hours_after_day
    from days
    inner join spans on days.business_unit = spans.business_unit

),

weeks as (

    select
        business_unit,
        week_start,
        greatest(week_start, min(first_date)) as first_expected,
        least(week_start + 6, min(last_date)) as last_expected,
        count(*) as days_delivered,
        count(hours_after_day) as days_timed,
        sum(case when hours_after_day > {{ delivery_hours() }} then 1 else 0 end) as days_late,
        avg(hours_after_day) as hours_after_day,
        max(hours_after_day) as most_hours_after_day,
        sum(file_versions) as file_versions,
        sum(files_loaded) as files_loaded,
        sum(files_superseded) as files_superseded,
        sum(files_retracted) as files_retracted,
        sum(files_refused) as files_refused,
        sum(files_held) as files_held,
        sum(corrections) as corrections,
        sum(rows_loaded) as rows_loaded,
        sum(rows_quarantined) as rows_quarantined,
        sum(rows_held) as rows_held
    from timed
    group by business_unit, week_start

),

final as (

    select
        business_unit,
        week_start,
        cast(last_expected - first_expected + 1 as bigint) as days_expected,
        cast(days_delivered as bigint) as days_delivered,
        cast(days_timed as bigint) as days_timed,
        cast(days_late as bigint) as days_late,
        cast(hours_after_day as double) as hours_after_day,
        cast(most_hours_after_day as double) as most_hours_after_day,
        cast(file_versions as bigint) as file_versions,
        cast(files_loaded as bigint) as files_loaded,
        cast(files_superseded as bigint) as files_superseded,
        cast(files_retracted as bigint) as files_retracted,
        cast(files_refused as bigint) as files_refused,
        cast(files_held as bigint) as files_held,
        cast(corrections as bigint) as corrections,
        cast(rows_loaded as bigint) as rows_loaded,
        cast(rows_quarantined as bigint) as rows_quarantined,
        cast(rows_held as bigint) as rows_held
    from weeks

)

select * from final
