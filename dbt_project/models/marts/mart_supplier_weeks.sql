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

dates as (

    select
        spans.business_unit,
        spans.first_date + day_numbers.day_number as business_date
    from spans
    inner join {{ day_numbers() }} as day_numbers
        on spans.first_date + day_numbers.day_number <= spans.last_date

),

-- a file of several days that has rows on most of them tells that nothing was sold on the others
files_of_days as (

    select
        business_unit,
        load_id,
        min(business_date) as first_date,
        max(business_date) as last_date
    from parts
    where status = 'loaded' and rows_in_part > 0
    group by business_unit, load_id
    having count(*) > 1 and 2 * count(*) > max(business_date) - min(business_date) + 1

),

quiet as (

    select distinct
        dates.business_unit,
        dates.business_date
    from dates
    inner join files_of_days
        on
            dates.business_unit = files_of_days.business_unit
            and dates.business_date between files_of_days.first_date and files_of_days.last_date
    left join days
        on
            dates.business_unit = days.business_unit
            and dates.business_date = days.business_date
    where days.business_date is null

),

timed as (

    select
        days.*,
        -- what was there when the unit's first file was taken up came as its history, neither in time nor late
        case
            when days.business_date >= spans.watched_from
                then {{ hours_since('days.business_date', 'days.first_recorded_at') }} - 24
        end as hours_after_day
    from days
    inner join spans on days.business_unit = spans.business_unit

),

expected as (

    select
        dates.business_unit,
        cast({{ dbt.date_trunc('week', 'dates.business_date') }} as date) as week_start,
        count(*) as days_expected,
        count(quiet.business_date) as days_quiet
    from dates
    left join quiet
        on
            dates.business_unit = quiet.business_unit
            and dates.business_date = quiet.business_date
    group by dates.business_unit, cast({{ dbt.date_trunc('week', 'dates.business_date') }} as date)

),

delivered as (

    select
        business_unit,
        week_start,
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
        expected.business_unit,
        expected.week_start,
        cast(expected.days_expected as bigint) as days_expected,
        cast(coalesce(delivered.days_delivered, 0) + expected.days_quiet as bigint) as days_delivered,
        cast(coalesce(delivered.days_timed, 0) as bigint) as days_timed,
        cast(coalesce(delivered.days_late, 0) as bigint) as days_late,
        cast(delivered.hours_after_day as double) as hours_after_day,
        cast(delivered.most_hours_after_day as double) as most_hours_after_day,
        cast(coalesce(delivered.file_versions, 0) as bigint) as file_versions,
        cast(coalesce(delivered.files_loaded, 0) as bigint) as files_loaded,
        cast(coalesce(delivered.files_superseded, 0) as bigint) as files_superseded,
        cast(coalesce(delivered.files_retracted, 0) as bigint) as files_retracted,
        cast(coalesce(delivered.files_refused, 0) as bigint) as files_refused,
        cast(coalesce(delivered.files_held, 0) as bigint) as files_held,
        cast(coalesce(delivered.corrections, 0) as bigint) as corrections,
        cast(coalesce(delivered.rows_loaded, 0) as bigint) as rows_loaded,
        cast(coalesce(delivered.rows_quarantined, 0) as bigint) as rows_quarantined,
        cast(coalesce(delivered.rows_held, 0) as bigint) as rows_held
    from expected
    left join delivered
        on
            expected.business_unit = delivered.business_unit
            and expected.week_start = delivered.week_start

)

select * from final
