with

faults as (

    select
        *,
        cast({{ dbt.date_trunc('week', 'business_date') }} as date) as week_start
    from {{ ref('int_daily_faults') }}

),

-- a file of several dates is looked up at its last one
placed as (

    select
        *,
        row_number() over (
            partition by business_unit, week_start, kind, reason order by example_file desc, business_date desc
        ) as place
    from faults

),

final as (

    select
        business_unit,
        week_start,
        kind,
        reason,
        cast(sum(file_count) as bigint) as file_count,
        cast(sum(row_count) as bigint) as row_count,
        max(example_file) as example_file,
        max(case when place = 1 then example_line end) as example_line
    from placed
    group by business_unit, week_start, kind, reason

)

select * from final
