{{ config(materialized='view') }}

with

parts as (

    select
        *,
        load_id || ':' || status || ':' || coalesce(reason_code, '') || ':' || coalesce(rows_in_part, -1)
        || ':' || coalesce(rows_loaded, -1) || ':' || coalesce(rows_quarantined, -1) as what_is_told
    from {{ ref('int_load_parts') }}
    where
        status in ('loaded', 'refused', 'held')
        and business_unit is not null
        and business_date is not null

),

final as (

    select
        business_unit,
        business_date,
        -- a row may be a fault for what another file of the day has, and be called another fault when that file goes
        md5({{ dbt.listagg('what_is_told', "','", 'order by load_id') }}) as content_hash
    from parts
    group by business_unit, business_date
    having
        max(case when status = 'loaded' then 0 else 1 end) = 1
        or sum(rows_quarantined) > 0

)

select * from final
