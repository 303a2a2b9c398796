with

loads as (

    select * from {{ ref('int_load_parts') }}
    where status = 'loaded'

),

final as (

    select
        business_unit,
        business_date,
        cast(sum(rows_loaded) as bigint) as rows_loaded,
        -- rows move between the files of a day when who owns them is settled again: that changes the counts
        md5({{ dbt.listagg("load_id || ':' || rows_loaded || ':' || rows_quarantined", "','", 'order by load_id') }})
            as content_hash
    from loads
    group by business_unit, business_date

)

select * from final
