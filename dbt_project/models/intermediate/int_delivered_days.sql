{{ config(materialized='view') }}

with

load_parts as (

    select * from {{ ref('int_load_parts') }}

),

daily_sales as (

    select * from {{ ref('int_daily_sales') }}

),

-- of a file of several units, each unit's part: a refused version says nothing of what an earlier one has of the others
latest_versions as (

    select * from load_parts
    qualify rank() over (partition by file_path, business_unit, business_date order by load_sequence desc) = 1

),

files as (

    select
        business_unit,
        business_date,
        cast(sum(case when status = 'loaded' then rows_loaded else 0 end) as bigint) as rows_loaded,
        cast(sum(case when status = 'loaded' then rows_quarantined else 0 end) as bigint) as rows_quarantined,
        cast(sum(case when status = 'loaded' then 1 else 0 end) as bigint) as files_loaded,
        cast(sum(case when status = 'refused' then 1 else 0 end) as bigint) as files_refused,
        max(load_sequence) as latest_load
    from latest_versions
    where status in ('loaded', 'refused')
    group by business_unit, business_date

),

-- what the marts have of a day; it is not what was delivered as long as a file has come since their last build
built_days as (

    select * from build_state.built_days

),

final as (

    select
        files.business_unit,
        files.business_date,
        files.rows_loaded,
        files.rows_quarantined,
        files.files_loaded,
        files.files_refused,
        files.latest_load,
        built_days.content_hash as built_content,
        coalesce(daily_sales.main_orders, 0) as orders
    from files
    left join daily_sales
        on
            files.business_unit = daily_sales.business_unit
            and files.business_date = daily_sales.business_date
    left join built_days
        on
            files.business_unit = built_days.business_unit
            and files.business_date = built_days.business_date

)

select * from final
